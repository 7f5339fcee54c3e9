/* SPDX-License-Identifier: MIT */
/* asgi/cast.h — the message that was sent last, so that one that is sent to many
 * WebSockets is encoded and compressed once for each set of parameters. */
#ifndef ASGI_CAST_H
#define ASGI_CAST_H

#include <Python.h>

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "ws/send.h"       /* struct ws_packet */

#define CAST_BYTES_MIN 256u        /* a shorter message is not worth it */
#define CAST_BYTES_MAX (1u << 20)  /* a longer one is not kept */
#define CAST_EQUAL_BYTES_MAX 4096u /* a longer one is compared for compression alone */
#define CAST_PACKETS (WS_BITS_MAX + 1) /* by window bits; [0] is not compressed */

/* All zero at first; one thread's. */
struct cast {
    PyObject *message;                       /* str or bytes, or NULL */
    struct slice bytes;                      /* borrowed from it */
    struct ws_packet *packets[CAST_PACKETS]; /* owns; NULL until needed */
};

/* Looks whether `message`, whose bytes are `bytes`, is the one that was sent last: the
 * same object, or one that equals it (where to find that out costs less than it saves).
 * Returns its packet for a peer that agreed on `params`, borrowed until the next call; or
 * NULL: it is another one, which is kept from now on, or it is better sent by itself. */
struct ws_packet *cast_find(struct cast *cast, struct ws_shared *shared,
                            const struct ws_deflate_params *params, PyObject *message,
                            struct slice bytes);

/* Drops what is kept; twice is fine. */
void cast_clear(struct cast *cast);

#endif
