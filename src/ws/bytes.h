/* SPDX-License-Identifier: MIT */
/* ws/bytes.h — memory for one message at a time: it grows as bytes come, up to a limit,
 * and a few pieces of it are kept for the next messages of the same worker. */
#ifndef WS_BYTES_H
#define WS_BYTES_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

#define WS_SPARES 3                 /* pieces that are kept */
#define WS_SPARE_BYTES (64u * 1024) /* larger ones are freed */
#define WS_BYTES_FIRST 512u         /* the smallest piece */

/* All zero: no memory. */
struct ws_bytes {
    char *ptr;  /* owns; NULL while cap is 0 */
    size_t len; /* bytes that are used */
    size_t cap; /* bytes that there are */
};

/* What is kept.  All zero at first; one thread's. */
struct ws_spares {
    struct ws_bytes bytes[WS_SPARES]; /* owns */
};

/* Makes room for `need` bytes in all, need <= most; takes a spare piece where there is
 * none yet, and a size up to `wish` (a guess of how many will be needed) where that is not
 * too much ahead of `need`.  Returns 0 or ERR_NOMEM, with the bytes as they were. */
MUST_USE int ws_bytes_reserve(struct ws_bytes *bytes, struct ws_spares *spares,
                              size_t need, size_t wish, size_t most);

/* Memory of somebody else's: as realloc, but that NULL means that `ptr` is freed, and a
 * `size` of 0 does nothing else. */
typedef void *ws_resize(void *ptr, size_t size);

/* As ws_bytes_reserve, in memory of `resize`'s, which all growth of these bytes is given.
 * Returns 0, or ERR_NOMEM with the bytes all zero. */
MUST_USE int ws_bytes_reserve_lent(struct ws_bytes *bytes, ws_resize *resize,
                                   size_t need, size_t wish, size_t most);

/* Gives the memory back; the bytes are all zero afterwards. */
void ws_bytes_give(struct ws_bytes *bytes, struct ws_spares *spares);

/* Frees what is kept. */
void ws_spares_fini(struct ws_spares *spares);

/* What is there, borrowed. */
static inline struct slice
ws_bytes_slice(const struct ws_bytes *bytes)
{
    return slice_new(bytes->ptr == NULL ? "" : bytes->ptr, bytes->len);
}

#endif
