/* SPDX-License-Identifier: MIT */
/* http2/output.h — how frames are written to the connection's output, and how the
 * connection ends. */
#ifndef HTTP2_OUTPUT_H
#define HTTP2_OUTPUT_H

#include "http2/state.h" /* struct h2_session */

/* Makes nghttp2 write what it can to the connection's output, up to its high-water
 * mark. Exchanges are notified of the results at the end of the turn. */
void h2_write(struct h2_session *h);

/* Ends the connection with a GOAWAY with `code` (enum nghttp2_error_code). */
void h2_end(struct h2_session *h, uint32_t code, int why);

/* Ends the connection without another frame: every exchange gets on_close(why), or
 * ERR_CLOSED if that is 0. Does nothing the second time. */
void h2_finish(struct h2_session *h, int why);

#endif
