/* SPDX-License-Identifier: MIT */
/* http1/watch.h — whether a peer that has stopped sending is still there.
 *
 * A FIN says that a peer sends no more; whether it still reads is known only from what it
 * does with bytes: TCP answers bytes to a closed socket with a reset.  While the
 * application has none to send, a watched peer gets bytes that mean nothing:
 *
 *   no head yet         100 Continue (RFC 9110 15.2.1), WATCH_INTERIMS times at most;
 *                       HTTP/1.0 gets nothing and keeps its connection
 *   chunked body        "0" in front of the next chunk's size (RFC 9112 7.1),
 *                       WATCH_DIGITS times at most between two chunks
 *   any other body      nothing can be sent: a peer that takes no byte for half of
 *                       limits.disconnect_ms has left; 0: the connection stays
 *
 * The time between two looks begins with limits.disconnect_ms (or a second where that is
 * 0) and doubles, up to 64 times, as long as the application sends nothing. */
#ifndef HTTP1_WATCH_H
#define HTTP1_WATCH_H

#include "http1/session.h" /* struct h1_session */

#define WATCH_INTERIMS 4 /* Go's net/http refuses the sixth interim response */
#define WATCH_DIGITS 6   /* with 8 for the size: clients refuse more than 16 */

/* Watches the peer of the exchange that runs, which is no tunnel, from now on: a body that
 * is chunked is probed at once.  Uses wire->read_due_ms while no pull waits.  Does nothing
 * when the peer is watched, or the response is complete. */
void h1_watch_begin(struct h1_session *h);

/* The deadline of the watch has come. */
void h1_watch_on_deadline(struct h1_session *h);

#endif
