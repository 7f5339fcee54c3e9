/* SPDX-License-Identifier: MIT */
/* tests/c/ws_unpack.h — inflates a whole message, in slices of any size.  Header
 * only, so that each test stays one file. */
#ifndef TESTS_WS_UNPACK_H
#define TESTS_WS_UNPACK_H

#include "base/err.h"
#include "ws/deflate.h"

/* Inflates `in` by at most `room` bytes at a time to at most `limit` bytes. Returns
 * 0, ERR_WS_TOO_BIG, or what ws_deflate_unpack returns; *out is all zero then. */
static int
unpack_message(struct ws_deflate *d, struct ws_deflate_pool *pool, struct slice in,
               size_t limit, size_t room, struct ws_bytes *out)
{
    int err;

    *out = (struct ws_bytes){0};
    do {
        size_t n = limit + 1 - out->len;
        n = n < room ? n : room;
        err = ws_bytes_reserve(out, pool->spares, out->len + n, 0, limit + 1);
        if (err != 0)
            break;
        err = ws_deflate_unpack(d, pool, &in, out->ptr + out->len, n, &n);
        out->len += n;
        if (out->len > limit)
            err = ERR_WS_TOO_BIG;
    } while (err == ERR_AGAIN);
    ws_deflate_drop(d, pool);
    if (err != 0)
        ws_bytes_give(out, pool->spares);
    return err;
}

#endif
