/* SPDX-License-Identifier: MIT */
/* http1/framing.h — what the fields of a head mean for its body and its connection, and
 * which combinations are rejected because they allow request smuggling. */
#ifndef HTTP1_FRAMING_H
#define HTTP1_FRAMING_H

#include "base/compiler.h" /* MUST_USE */
#include "http/head.h"     /* struct http_head */

/* Reads the fields (with their ids) and fills in content_length, chunked, keep_alive,
 * expect_continue, upgrade and te_trailers; also splits the target. If the target has an authority (absolute form), it replaces the value of the Host field in `fields` (RFC 9112 3.2.2); a valid Host field must have been sent in any case.
 *
 * Returns 0 or
 *   ERR_TARGET                                                                 -> 400
 *   ERR_METHOD_REFUSED     CONNECT and TRACE                                   -> 405
 *   ERR_METHOD_UNKNOWN     a method with letters in lower case (ASGI B15)      -> 501
 *   ERR_HOST_MISSING, ERR_HOST_REPEATED, ERR_HOST_MALFORMED (RFC 9112 3.2)     -> 400
 *   ERR_CONTENT_LENGTH, ERR_CONTENT_LENGTH_REPEATED (RFC 9112 6.3)             -> 400
 *   ERR_LENGTH_AND_ENCODING, ERR_TRANSFER_ENCODING, ERR_ENCODING_IN_1_0 (6.1)  -> 400
 *   ERR_TRANSFER_CODING_UNKNOWN (RFC 9112 6.1)  a coding before chunked        -> 501
 *   ERR_EXPECTATION (RFC 9110 10.1.1)                                          -> 417
 * After an error the head must not be used and the connection must be closed. */
MUST_USE int h1_frame_request(struct http_head *head);

#endif
