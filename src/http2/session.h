/* SPDX-License-Identifier: MIT */
/* http2/session.h — HTTP/2 (RFC 9113) on one connection, with nghttp2: its frames are
 * read together, the streams run, and their responses are written together. */
#ifndef HTTP2_SESSION_H
#define HTTP2_SESSION_H

#include "http/session.h" /* struct protocol */

/* The protocol for server/conn.c: by ALPN, or by prior knowledge (RFC 9113 3.3), before
 * the client's preface. */
extern const struct protocol h2_protocol;

/* Like h2_protocol.begin, after a 101 response (RFC 7540 3.2): `head` is the request
 * for the upgrade, without a body, and `settings` its HTTP2-Settings, decoded. Its
 * exchange begins before this returns. Returns NULL if there is no memory, or the
 * settings are invalid: `wire` is unchanged then, and the request is served over
 * HTTP/1.1. */
void *h2_begin_upgraded(struct wire *wire, const struct http_head *head,
                        struct slice settings);

#endif
