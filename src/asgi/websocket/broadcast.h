/* SPDX-License-Identifier: MIT */
/* asgi/websocket/broadcast.h — the message that was sent last, so that a message for
 * many WebSockets is encoded and compressed once for each set of parameters. */
#ifndef ASGI_WEBSOCKET_BROADCAST_H
#define ASGI_WEBSOCKET_BROADCAST_H

#include <Python.h>

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "ws/send.h"       /* struct ws_packet */

#define BROADCAST_BYTES_MIN 256u       /* a shorter message is not worth it */
#define BROADCAST_BYTES_MAX (1u << 20) /* a longer message is not kept */
#define BROADCAST_EQUAL_BYTES_MAX                                                      \
    4096u /* a longer message is compared only for compression */
#define BROADCAST_PACKETS (WS_BITS_MAX + 1) /* by window bits; [0] is not compressed */

/* All zero at first; used by one thread. */
struct broadcast {
    PyObject *message;                            /* str or bytes, or NULL */
    struct slice bytes;                           /* borrowed from it */
    struct ws_packet *packets[BROADCAST_PACKETS]; /* owns; NULL until needed */
};

/* Checks whether `message`, whose bytes are `bytes`, is the one that was sent last:
 * the same object, or an equal one (if comparing costs less than it saves). Returns
 * its packet for a peer that agreed on `params`, borrowed until the next call.
 * Returns NULL if it is another message, which is kept from now on, or if it is
 * cheaper to send it separately. */
struct ws_packet *broadcast_find(struct broadcast *broadcast, struct ws_shared *shared,
                                 const struct ws_deflate_params *params,
                                 PyObject *message, struct slice bytes);

/* Drops what is kept; may be called twice. */
void broadcast_clear(struct broadcast *broadcast);

#endif
