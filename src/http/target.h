/* SPDX-License-Identifier: MIT */
/* http/target.h — request targets and authorities of RFC 9112 3.2 and RFC 3986. */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/head.h"     /* struct http_head */

/* Splits head->target, depending on head->method, into head->path and head->query:
 * origin form, absolute form (http and https only, path "/" if it is empty), authority
 * form for CONNECT only (the path is the authority then), asterisk form for OPTIONS
 * only. Returns 0, or ERR_TARGET for anything else, including a fragment. *authority
 * becomes the authority of an absolute form, otherwise empty. */
MUST_USE int target_split(struct http_head *head, struct slice *authority);

/* Decodes %XX in `raw` into out[0, raw.len]; anything that is not an escape is copied
 * unchanged. Returns the number of bytes written, <= raw.len. `out` may be raw.ptr. */
size_t target_decode(struct slice raw, char *out);

/* Returns whether `raw` has neither a "%" nor a byte above 0x7F, so that it equals its
 * decoded text. */
bool target_is_plain(struct slice raw);

/* Returns whether `host` is a valid Host field value: uri-host [":" port], or empty
 * (RFC 9110 7.2; RFC 3986 3.2.2: registered name, IPv4, bracketed IPv6 or IPvFuture; a
 * port within 16 bits, which may be empty; no user info). */
bool target_is_host(struct slice host);

/* Returns whether two hosts, each valid and not empty, name the same authority of an
 * https (or http) URI: case is ignored, and a port that is empty or the scheme's
 * default is the same as none (RFC 9110 4.2.3). */
bool target_is_same_host(struct slice a, struct slice b, bool https);

#endif
