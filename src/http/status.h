/* SPDX-License-Identifier: MIT */
/* http/status.h — status codes: their reason phrases, which have no body, and which one
 * answers which error. */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include <stdbool.h> /* bool */

#include "base/slice.h" /* struct slice */

/* "200 OK": code and reason phrase of a registered code (RFC 9110 15, IANA), or an
 * empty slice when `code` is not registered.  Static. */
struct slice status_line(int code);

/* Whether an answer with `code` never has a body: 1xx, 204, 304 (RFC 9110 6.4.1). */
static inline bool
status_has_no_body(int code)
{
    return code < 200 || code == 204 || code == 304;
}

/* The status that answers a request refused with `err` (base/err.h): 400, 405 (which
 * needs an Allow field, RFC 9110 15.5.6), 408, 413, 414, 417, 431, 500, 501, 503 or
 * 505; 0 when nothing is answered (the peer is gone, or has not begun to ask, or has
 * its answer). */
int status_of_err(int err);

/* The Allow field of an answer 405 (RFC 9110 15.5.6). */
#define STATUS_ALLOW "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/* Room for status_refusal. */
#define STATUS_REFUSAL_BYTES 160

/* Writes the text of a refusal to room[0, STATUS_REFUSAL_BYTES): the reason phrase of
 * `status`, a registered code, what `err` says unless it is 0, and an LF: "Bad Request: a
 * malformed Host field\n".  Returns the text, in `room`. */
struct slice status_refusal(int status, int err, char *room);

#endif
