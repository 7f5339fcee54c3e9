/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/quic.h — an HTTP/3 session over a transport that a script controls:
 * streams whose bytes arrive in any parts, with windows, acknowledgements, resets and
 * stops in any order, as QUIC allows them, and datagrams that may be lost. */
#ifndef FUZZ_SESSION_QUIC_H
#define FUZZ_SESSION_QUIC_H

#include "base/slice.h"  /* struct slice */
#include "http/stream.h" /* struct stream_handler */
#include "session/script.h"

/* Streams of requests, and those of the client without a direction. */
#define QUIC_REQUESTS 64u
#define QUIC_UNIS 8u

/* More streams with WebTransport: those of the client without a direction, and those of
 * the server with one direction and with two. */
#define QUIC_MORE_UNIS 24u
#define QUIC_OPENED 12u

/* The codes with which streams end if no other one is given. */
#define QUIC_NO_ERROR 0x100u
#define QUIC_CANCELLED 0x10cu

/* Called when the server sends bytes of a stream. */
typedef void quic_on_bytes(int64_t id, struct slice bytes, bool last);

/* Called when the server has sent a datagram that is not lost. */
typedef void quic_on_datagram(struct slice bytes);

/* Begins a session. */
void quic_begin(const struct stream_handler *handler, quic_on_bytes *on_bytes);

/* Begins a session with WebTransport; the script chooses its limits, and whether the
 * handshake is still incomplete. */
void quic_begin_webtransport(const struct stream_handler *handler,
                             quic_on_bytes *on_bytes, quic_on_datagram *on_datagram);

/* Returns whether the connection has ended. */
bool quic_is_over(void);

/* The client's side of a stream: sends bytes, ends it, resets it, or does not want what
 * the server sends. After the end or a reset nothing more is sent. */
void quic_send(int64_t id, const void *bytes, size_t n);
void quic_end(int64_t id);
void quic_reset(int64_t id);
void quic_stop(int64_t id);

/* The same with a code; return false if it is too late. */
bool quic_reset_with(int64_t id, uint64_t code);
bool quic_stop_with(int64_t id, uint64_t code);

/* Returns whether the client may still send on a stream. */
bool quic_may_send(int64_t id);

/* Returns whether the server has allowed the client to begin its `n`th stream without a
 * direction, from 0 on. */
bool quic_may_open_uni(unsigned n);

/* Returns how many bytes of a stream of the client have arrived. */
uint64_t quic_arrived(int64_t id);

/* Returns whether the server drops the rest of what the client sends on a stream. */
bool quic_is_dropped(int64_t id);

/* A datagram of the client arrives. */
void quic_datagram(const void *bytes, size_t n);

/* Does something as the script says: packets arrive, or are acknowledged, or windows
 * grow, or the server may open more streams. */
void quic_act(void);

/* The handshake is complete, if it was not. */
void quic_establish(void);

/* The server has its turn. */
void quic_turn(void);

/* Everything that can arrive does, until nothing changes any more. */
void quic_settle(void);

/* The server begins to stop. */
void quic_drain(void);

/* The grace period of the server has ended. */
void quic_notify(void);

/* Ends the connection; nothing may be left of it. */
void quic_finish(void);

#endif
