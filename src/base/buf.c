/* SPDX-License-Identifier: MIT */
/* base/buf.c — see buf.h for the contract. */
#include "base/buf.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

#define BUF_FIRST_BYTES 512u /* the smallest allocation */

void
buf_init(struct buf *buf)
{
    *buf = (struct buf){0};
}

void
buf_release(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf);
}

/* Doubles until there is room. */
static int
buf_grow(struct buf *buf, size_t want)
{
    size_t cap = buf->cap == 0 ? BUF_FIRST_BYTES : buf->cap;

    while (cap < want)
        cap *= 2;
    if (cap > UINT32_MAX)
        return ERR_NOMEM;
    char *data = mem_realloc(buf->data, cap);
    if (data == NULL)
        return ERR_NOMEM;
    buf->data = data;
    buf->cap = narrow_u32(cap);
    return 0;
}

int
buf_reserve(struct buf *buf, size_t room, char **at)
{
    if (room > UINT32_MAX - buf->len)
        return ERR_NOMEM;
    size_t want = (size_t)buf->len + room;
    if ((size_t)buf->start + want > buf->cap) {
        if (buf->start > 0) {
            memmove(buf->data, buf->data + buf->start, buf->len);
            buf->start = 0;
        }
        if (want > buf->cap) {
            int err = buf_grow(buf, want);
            if (err != 0)
                return err;
        }
    }
    *at = buf->data + buf->start + buf->len;
    return 0;
}

void
buf_commit(struct buf *buf, size_t n)
{
    assert((size_t)buf->start + buf->len + n <= buf->cap);
    buf->len += narrow_u32(n);
}

int
buf_append(struct buf *buf, struct slice bytes)
{
    char *at;

    if (bytes.len == 0)
        return 0;
    int err = buf_reserve(buf, bytes.len, &at);
    if (err != 0)
        return err;
    memcpy(at, bytes.ptr, bytes.len);
    buf_commit(buf, bytes.len);
    return 0;
}

void
buf_consume(struct buf *buf, size_t n)
{
    assert(n <= buf->len);
    buf->start += narrow_u32(n);
    buf->len -= narrow_u32(n);
    if (buf->len == 0)
        buf_release(buf);
}
