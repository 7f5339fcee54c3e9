/* SPDX-License-Identifier: MIT */
/* http/limit_text.h — why a peer was refused, in words that name the option which would
 * have let it pass, with its value: for logs, not for peers. */
#ifndef HTTP_LIMIT_TEXT_H
#define HTTP_LIMIT_TEXT_H

#include "base/slice.h"  /* struct slice */
#include "http/limits.h" /* struct http_limits */

#define LIMIT_TEXT_BYTES 160u

/* Writes what `err` (an enum err) says to `room`: "a request line over
 * --limit-request-line 16384" where a limit of `limits` or an option elsewhere is behind
 * it, else err_text(err).  The slice is of `room`, without a NUL. */
struct slice limit_text(int err, const struct http_limits *limits,
                        char room[LIMIT_TEXT_BYTES]);

#endif
