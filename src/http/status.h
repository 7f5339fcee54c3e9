/* SPDX-License-Identifier: MIT */
/* http/status.h — status codes: their reason phrases, which of them have no body, and
 * which one is the response to which error. */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include <stdbool.h> /* bool */

#include "base/slice.h" /* struct slice */

/* Returns "200 OK", the code and reason phrase of a registered code (RFC 9110 15,
 * IANA), or an empty slice if `code` is not registered. Static. */
struct slice status_line(int code);

/* Returns whether a response with `code` never has a body: 1xx, 204, 304 (RFC 9110
 * 6.4.1). */
static inline bool
status_has_no_body(int code)
{
    return code < 200 || code == 204 || code == 304;
}

/* Returns the status of the response to a request rejected with `err` (base/err.h):
 * 400, 405 (which needs an Allow field, RFC 9110 15.5.6), 408, 413, 414, 417, 431, 500,
 * 501, 503 or 505; 0 if there is no response (the peer has disconnected, has not begun
 * a request, or already has its response). */
int status_of_err(int err);

/* The Allow field of a 405 response (RFC 9110 15.5.6). */
#define STATUS_ALLOW "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/* Size of the buffer for status_refusal(). */
#define STATUS_REFUSAL_BYTES 160

/* Writes the text of a rejection to room[0, STATUS_REFUSAL_BYTES): the reason phrase of
 * `status`, a registered code, the text of `err` unless it is 0, and an LF: "Bad
 * Request: a malformed Host field\n". Returns the text, in `room`. */
struct slice status_refusal(int status, int err, char *room);

#endif
