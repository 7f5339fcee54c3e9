/* SPDX-License-Identifier: MIT */
/* http3/cancel.h — requests that the client gives up, and limits on the work that it can
 * cause at no cost. */
#ifndef HTTP3_CANCEL_H
#define HTTP3_CANCEL_H

#include "http3/state.h" /* struct h3_session */

/* Bytes that are neither fields nor bodies that are allowed before their share is
 * checked. */
#define H3_OVERHEAD_BYTES (1024u * 1024)

/* Ends the connection with H3_EXCESSIVE_LOAD at the end of the turn; logs `why`. */
void h3_overload(struct h3_session *h, int why);

/* Called before exchange_lose(): the connection's window gets back what was not read. */
void h3_give_back(struct h3_session *h, const struct h3_exchange *x);

/* Ends a request that has begun, and its response, with `code`; its handler gets a
 * disconnect. */
void h3_cancel(struct h3_session *h, struct h3_exchange *x, uint64_t code);

/* Called when the client has reset its side of a request stream. If neither the request
 * nor its response is complete, both end with NGHTTP3_H3_REQUEST_INCOMPLETE (RFC 9114
 * 4.1). */
void h3_request_reset(struct h3_session *h, int64_t id);

/* Called when nothing more can be sent on a request stream. Unless it is we who have reset
 * it, the client does not want the response: the rest of the request is not read
 * either. */
void h3_response_stopped(struct h3_session *h, int64_t id);

/* Called when the head of a request is not complete in time: its stream ends, the others
 * continue. */
void h3_head_is_late(struct h3_session *h, struct h3_exchange *x);

/* Called when a stream has ended in both directions, before nghttp3 is. A request stream
 * that has ended before its response was sent, and not because of us, counts as reset: a
 * connection with more of them than limits.h3_resets allows ends with
 * H3_EXCESSIVE_LOAD. */
void h3_count_closed(struct h3_session *h, int64_t id);

/* Called when `n` bytes of streams have been read. The connection ends with
 * H3_EXCESSIVE_LOAD if less than an eighth of all bytes was useful. */
void h3_count_bytes(struct h3_session *h, size_t n);

#endif
