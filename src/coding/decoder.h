/* SPDX-License-Identifier: MIT */
/* coding/decoder.h — one interface for the decoders of all content codings, for
 * bodies of requests. Not thread-safe. */
#ifndef CODING_DECODER_H
#define CODING_DECODER_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/accept.h"   /* enum coding */

struct decoder;

/* One const table for each coding. */
struct decoder_ops {
    /* Creates a decoder; NULL if there is no memory. */
    struct decoder *(*create)(void);
    /* Begins a body, or the next member of one. Returns 0 or ERR_NOMEM. */
    int (*begin)(struct decoder *d);
    /* Decodes bytes from the front of *in and removes them from it. Writes at most
     * `room` > 0 bytes to `out` and sets *n to their number. Returns
     *   0                the coding is complete; *in has what follows it
     *   ERR_AGAIN        it is not: `room` or the input is used up
     *   ERR_BODY_CODING  the bytes are not valid
     *   ERR_NOMEM. */
    int (*read)(struct decoder *d, struct slice *in, char *out, size_t room, size_t *n);
    void (*destroy)(struct decoder *d);
    bool has_members; /* a body may consist of several members, one after the other */
};

/* The first member of the decoder of each coding. */
struct decoder {
    const struct decoder_ops *ops;
    struct decoder *next; /* of those that are kept */
    enum coding coding;
};

/* Decoders of each coding that are kept for the next bodies. */
#define DECODERS_KEPT 2u

/* Those of one worker. */
struct decoders {
    struct decoder *kept[CODING_END]; /* owned */
    unsigned nkept[CODING_END];
    unsigned nlent;     /* decoders that were taken and not given back */
    unsigned nlent_max; /* the limit of nlent */
};

/* Returns the table of `coding`, or NULL if it is not built in or is identity. */
const struct decoder_ops *decoder_find(enum coding coding);

/* Takes a decoder and begins a body. `coding` must be built in. On success sets
 * *out, owned by the caller until decoders_give(), and returns 0. Returns ERR_NOMEM,
 * or ERR_DECODERS if nlent_max are in use. */
MUST_USE int decoders_take(struct decoders *decoders, enum coding coding,
                           struct decoder **out);

/* Gives a decoder back; `d` may be NULL. */
void decoders_give(struct decoders *decoders, struct decoder *d);

/* Frees the kept decoders; all must have been given back. May be called twice. */
void decoders_fini(struct decoders *decoders);

/* The tables of the codings; each is defined only if its library is built in. */
extern const struct decoder_ops decoder_gzip_ops;
extern const struct decoder_ops decoder_brotli_ops;
extern const struct decoder_ops decoder_zstd_ops;

#endif
