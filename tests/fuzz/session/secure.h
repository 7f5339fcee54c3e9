/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/secure.h — TLS on the client's side of a session, with OpenSSL.
 * The client's bytes become ciphertext in world.to_server, and ciphertext of the
 * server becomes bytes in world.to_client. */
#ifndef FUZZ_SESSION_SECURE_H
#define FUZZ_SESSION_SECURE_H

#include <stdbool.h> /* bool */

#include "base/slice.h" /* struct slice */

struct tls_context;

/* Kinds of clients, as bits. */
enum secure_kind {
    SECURE_H2 = 1 << 0,    /* offers HTTP/2 by ALPN */
    SECURE_OLD = 1 << 1,   /* TLS 1.2 */
    SECURE_SHORT = 1 << 2, /* sends records of at most 512 bytes */
};

/* Returns the server's context, created by the first call. */
struct tls_context *secure_context(void);

/* Begins the handshake of a client; `kind` are bits of enum secure_kind. */
void secure_begin(unsigned kind);

/* Sends the client's bytes, after the handshake. */
void secure_send(struct slice bytes);

/* Exchanges what has arrived; called after each turn, and only then. */
void secure_pump(void);

/* The client sends close_notify; nothing may follow. */
void secure_close(void);

/* The client changes its key, and asks for another of the server's. */
void secure_change_key(void);

/* Changes a byte on its way to the server, if there is one. */
void secure_tamper(void);

/* Returns whether all bytes of the client have been encrypted unchanged. */
bool secure_is_intact(void);

/* Returns whether the server has sent close_notify. */
bool secure_has_ended(void);

/* Returns the bytes that the client itself has allocated with base/mem.h. */
size_t secure_memory(void);

void secure_end(void);

#endif
