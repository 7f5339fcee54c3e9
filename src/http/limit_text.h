/* SPDX-License-Identifier: MIT */
/* http/limit_text.h — describes why a peer was rejected, naming the option, with its
 * value, that would have to be raised: for logs, not for peers. */
#ifndef HTTP_LIMIT_TEXT_H
#define HTTP_LIMIT_TEXT_H

#include "base/slice.h"  /* struct slice */
#include "http/limits.h" /* struct http_limits */

#define LIMIT_TEXT_BYTES 160u

/* Writes the text for `err` (an enum err) to `room`: "a request line over
 * --limit-request-line 16384" if the cause is one of `limits` or another option,
 * otherwise err_text(err). The slice is in `room`, without a NUL. */
struct slice limit_text(int err, const struct http_limits *limits,
                        char room[LIMIT_TEXT_BYTES]);

#endif
