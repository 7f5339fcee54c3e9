/* SPDX-License-Identifier: MIT */
/* ws/bytes.h — a buffer for one message. It grows up to a limit as bytes arrive. A
 * few buffers are kept for the next messages of the same worker. */
#ifndef WS_BYTES_H
#define WS_BYTES_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

#define WS_SPARES 3                 /* buffers that are kept */
#define WS_SPARE_BYTES (64u * 1024) /* larger buffers are freed */
#define WS_BYTES_FIRST 512u         /* the smallest buffer */

/* All zero: no memory. */
struct ws_bytes {
    char *ptr;  /* owns; NULL while cap is 0 */
    size_t len; /* bytes in use */
    size_t cap; /* allocated bytes */
};

/* The buffers that are kept. Initially all zero. Used by one thread. */
struct ws_spares {
    struct ws_bytes bytes[WS_SPARES]; /* owns */
};

/* Makes room for a total of `need` bytes, need <= most. Takes a spare buffer if
 * there is no buffer yet. May allocate up to `wish` bytes (an estimate of the final
 * size) if that is not much more than `need`. Returns 0, or ERR_NOMEM with the bytes
 * unchanged. */
MUST_USE int ws_bytes_reserve(struct ws_bytes *bytes, struct ws_spares *spares,
                              size_t need, size_t wish, size_t most);

/* Reallocates memory that belongs to the user: as realloc, except that on failure it
 * frees `ptr` and returns NULL, and that a `size` of 0 frees `ptr`. */
typedef void *ws_resize(void *ptr, size_t size);

/* As ws_bytes_reserve, in memory from `resize`; these bytes may grow only by this
 * function with the same `resize`. Returns 0, or ERR_NOMEM with the bytes all zero. */
MUST_USE int ws_bytes_reserve_lent(struct ws_bytes *bytes, ws_resize *resize,
                                   size_t need, size_t wish, size_t most);

/* Returns the memory to the spare buffers, or frees it. The bytes are all zero
 * afterwards. */
void ws_bytes_give(struct ws_bytes *bytes, struct ws_spares *spares);

/* Frees the spare buffers. */
void ws_spares_fini(struct ws_spares *spares);

/* Returns the bytes, borrowed. */
static inline struct slice
ws_bytes_slice(const struct ws_bytes *bytes)
{
    return slice_new(bytes->ptr == NULL ? "" : bytes->ptr, bytes->len);
}

#endif
