/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/transport.h — the connection's socket: the system calls for the
 * descriptor WORLD_FD, which the linker passes to transport.c (--wrap).  The transports
 * of net/io_plain.c and tls/io_tls.c run above it unchanged. */
#ifndef FUZZ_SESSION_TRANSPORT_H
#define FUZZ_SESSION_TRANSPORT_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint8_t */

#define WORLD_FD 1000 /* of the connection; the system does not see it */

/* What the socket provides or accepts next. */
struct room {
    size_t bytes;
    bool by_record; /* only to the end of the TLS record that it begins with ... */
    size_t beyond;  /* ... and so many bytes of the next one */

    uint8_t head[5]; /* [0, nhead): what has passed of the record's header */
    unsigned nhead;
    size_t left; /* bytes of the record after its header */
};

/* Returns whether a read returns something other than EAGAIN. */
bool transport_is_readable(void);

/* What the server has sent since the last call of transport_sent_done: borrowed until
 * then. */
struct slice transport_sent(void);
void transport_sent_done(void);

#endif
