/* SPDX-License-Identifier: MIT */
/* http1/probe.h — checks whether a peer that has stopped sending is still connected.
 *
 * A FIN means that a peer sends no more. Whether it still reads can only be found out
 * by sending: TCP answers bytes to a closed socket with a reset. While the application
 * has nothing to send, a watched peer gets bytes without meaning:
 *
 *   no head yet         100 Continue (RFC 9110 15.2.1), PROBE_INTERIMS times at most;
 *                       HTTP/1.0 gets nothing and keeps its connection
 *   chunked body        "0" before the next chunk's size (RFC 9112 7.1),
 *                       PROBE_DIGITS times at most between two chunks
 *   any other body      nothing can be sent: a peer that accepts no byte for half of
 *                       limits.disconnect_ms counts as disconnected; 0: the
 *                       connection is kept
 *
 * The time between two probes begins with limits.disconnect_ms (or a second if that is
 * 0) and doubles, up to 64 times that, as long as the application sends nothing. */
#ifndef HTTP1_PROBE_H
#define HTTP1_PROBE_H

#include "http1/state.h" /* struct h1_session */

#define PROBE_INTERIMS 4 /* Go's net/http rejects the sixth interim response */
#define PROBE_DIGITS 6   /* with 8 for the size: clients reject more than 16 */

/* Begins to watch the peer of the running exchange, which is not a tunnel: a chunked
 * body is probed immediately. Uses wire->read_due_ms while no pull waits. Does nothing
 * if the peer is watched, or the response is complete. */
void h1_probe_begin(struct h1_session *h);

/* Called when the deadline of the watch has passed. */
void h1_probe_on_deadline(struct h1_session *h);

#endif
