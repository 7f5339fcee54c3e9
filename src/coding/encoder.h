/* SPDX-License-Identifier: MIT */
/* coding/encoder.h — one interface for the encoders of all content codings, and the
 * set from which a body takes an encoder and to which it gives it back, so that
 * encoders are reused. Not thread-safe. */
#ifndef CODING_ENCODER_H
#define CODING_ENCODER_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/accept.h"   /* enum coding */

/* What a call writes for its input. */
enum encoder_mode {
    ENCODER_MORE = 0, /* as much as the encoder decides; it may buffer input */
    ENCODER_FLUSH,    /* all that the peer needs to decode the input so far */
    ENCODER_END,      /* as ENCODER_FLUSH, and the end of the coding */
};

/* The minimum room for the output of a call. Calls with at least this much always
 * make progress. */
#define ENCODER_ROOM_MIN 64u

struct encoder;

/* One const table for each coding. */
struct encoder_ops {
    /* Creates an encoder; NULL if there is no memory. */
    struct encoder *(*create)(int level);
    /* Begins a body of `size` bytes; HTTP_LENGTH_NONE: its length is unknown. Returns 0
     * or ERR_NOMEM. */
    int (*begin)(struct encoder *e, uint64_t size);
    /* Encodes bytes from the front of *in and removes them from it. Writes at most
     * `room` >= ENCODER_ROOM_MIN bytes to `out` and sets *n to their number. Returns
     *   0          all input is used, and all output that `mode` requires is written
     *   ERR_AGAIN  `room` is used up: another call with the same mode and the rest of
     *              the input follows
     *   ERR_NOMEM  the body cannot be completed. */
    int (*write)(struct encoder *e, struct slice *in, enum encoder_mode mode, char *out,
                 size_t room, size_t *n);
    /* Ends the body, complete or not, and frees the memory that it needed. NULL:
     * there is nothing to do. */
    void (*end)(struct encoder *e);
    void (*destroy)(struct encoder *e);
    int level_max; /* levels from 0 or 1 to this are valid */
};

/* The first member of the encoder of each coding. */
struct encoder {
    const struct encoder_ops *ops;
    struct encoder *next; /* of those that are kept */
    enum coding coding;
};

/* Encoders of each coding that are kept for the next bodies. */
#define ENCODERS_KEPT 4u

/* Those of one worker. */
struct encoders {
    struct encoder *kept[CODING_END]; /* owned */
    unsigned nkept[CODING_END];
    unsigned nlent;             /* encoders that were taken and not given back */
    unsigned nlent_max;         /* the limit of nlent */
    uint8_t levels[CODING_END]; /* of compression */
};

/* Returns the table of `coding`, or NULL if it is not built in or is identity. */
const struct encoder_ops *encoder_find(enum coding coding);

/* Takes an encoder and begins a body of `size` bytes, or HTTP_LENGTH_NONE. `coding`
 * must be built in. The encoder is owned by the caller until encoders_give().
 * Returns NULL if nlent_max are in use or there is no memory; the body is sent
 * without a coding then. */
MUST_USE struct encoder *encoders_take(struct encoders *encoders, enum coding coding,
                                       uint64_t size);

/* Gives an encoder back to be reused; `e` may be NULL. */
void encoders_give(struct encoders *encoders, struct encoder *e);

/* Frees the kept encoders; all must have been given back. May be called twice. */
void encoders_fini(struct encoders *encoders);

/* The tables of the codings; each is defined only if its library is built in. */
extern const struct encoder_ops encoder_gzip_ops;
extern const struct encoder_ops encoder_brotli_ops;
extern const struct encoder_ops encoder_zstd_ops;

#endif
