/* SPDX-License-Identifier: MIT */
/* ws/bytes.c — see bytes.h for the contract. */
#include "ws/bytes.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"

/* How much larger a buffer may be than the received bytes: by this factor, and by
 * this amount after AHEAD_FROM_BYTES have arrived. Announced bytes only cost address
 * space, but a peer that announces much and sends nothing must not get even that. */
#define AHEAD_FACTOR 8u
#define AHEAD_BYTES (1u << 20)
#define AHEAD_FROM_BYTES 4096u

static void
take_spare(struct ws_bytes *bytes, struct ws_spares *spares)
{
    for (int i = 0; i < WS_SPARES; i++) {
        if (spares->bytes[i].cap > 0) {
            *bytes = spares->bytes[i];
            spares->bytes[i] = (struct ws_bytes){0};
            return;
        }
    }
}

/* Returns the new size of the buffer if `need` exceeds the current one. */
static size_t
choose_cap(const struct ws_bytes *bytes, size_t need, size_t wish, size_t most)
{
    size_t cap = need > SIZE_MAX / AHEAD_FACTOR ? need : need * AHEAD_FACTOR;
    if (cap < AHEAD_BYTES && need >= AHEAD_FROM_BYTES)
        cap = AHEAD_BYTES;
    if (cap > wish)
        cap = wish;
    if (cap < 2 * bytes->cap)
        cap = 2 * bytes->cap;
    if (cap < WS_BYTES_FIRST)
        cap = WS_BYTES_FIRST;
    if (cap < need)
        cap = need;
    if (cap > most && most >= WS_BYTES_FIRST)
        cap = most;
    return cap;
}

static int
ws_bytes_grow(struct ws_bytes *bytes, ws_resize *resize, size_t need, size_t wish,
              size_t most)
{
    assert(need <= most);
    if (need <= bytes->cap)
        return 0;
    size_t cap = choose_cap(bytes, need, wish, most);
    char *ptr = resize(bytes->ptr, cap);
    if (ptr == NULL)
        return ERR_NOMEM;
    bytes->ptr = ptr;
    bytes->cap = cap;
    return 0;
}

int
ws_bytes_reserve(struct ws_bytes *bytes, struct ws_spares *spares, size_t need,
                 size_t wish, size_t most)
{
    if (bytes->cap == 0)
        take_spare(bytes, spares);
    return ws_bytes_grow(bytes, mem_realloc, need, wish, most);
}

int
ws_bytes_reserve_lent(struct ws_bytes *bytes, ws_resize *resize, size_t need,
                      size_t wish, size_t most)
{
    int err = ws_bytes_grow(bytes, resize, need, wish, most);

    if (err != 0)
        *bytes = (struct ws_bytes){0};
    return err;
}

void
ws_bytes_give(struct ws_bytes *bytes, struct ws_spares *spares)
{
    if (bytes->cap > 0 && bytes->cap <= WS_SPARE_BYTES) {
        for (int i = 0; i < WS_SPARES; i++) {
            if (spares->bytes[i].cap == 0) {
                bytes->len = 0;
                spares->bytes[i] = *bytes;
                *bytes = (struct ws_bytes){0};
                return;
            }
        }
    }
    mem_free(bytes->ptr);
    *bytes = (struct ws_bytes){0};
}

void
ws_spares_fini(struct ws_spares *spares)
{
    for (int i = 0; i < WS_SPARES; i++)
        mem_free(spares->bytes[i].ptr);
    *spares = (struct ws_spares){0};
}
