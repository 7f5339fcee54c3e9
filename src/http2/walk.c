/* SPDX-License-Identifier: MIT */
/* http2/walk.c — see walk.h for the contract. */
#include "http2/walk.h"

#include <nghttp2/nghttp2.h> /* NGHTTP2_PRIORITY */

#include "base/err.h"

#define HEAD_BYTES 9u
#define PRIORITY_BYTES 5u

static uint32_t
read_number(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
read_stream(const uint8_t *p)
{
    return read_number(p) & 0x7fffffff;
}

static nghttp2_frame_hd
read_head(const uint8_t *p)
{
    return (nghttp2_frame_hd){
        .length = read_number(p) >> 8,
        .type = p[3],
        .flags = p[4],
        .stream_id = (int32_t)read_stream(p + 5),
    };
}

/* Other lengths than 5 nghttp2 refuses itself. */
static bool
is_priority(const nghttp2_frame_hd *hd)
{
    return hd->type == NGHTTP2_PRIORITY && hd->length == PRIORITY_BYTES;
}

/* Concludes what walk->head holds.  Returns 0, or what is wrong. */
static int
look(struct h2_walk *walk, struct h2_guard *guard)
{
    nghttp2_frame_hd hd = read_head(walk->head);

    if (walk->have == HEAD_BYTES) {
        int err = h2_guard_frame(guard, &hd);
        if (err != 0 || is_priority(&hd))
            return err != 0 ? err : hd.stream_id == 0 ? ERR_H2 : 0;
        walk->left = (uint32_t)hd.length;
    } else if (read_stream(walk->head + HEAD_BYTES) == (uint32_t)hd.stream_id) {
        return ERR_H2;
    }
    walk->have = 0;
    return 0;
}

void
h2_walk_init(struct h2_walk *walk)
{
    *walk = (struct h2_walk){.left = NGHTTP2_CLIENT_MAGIC_LEN};
}

size_t
h2_walk_over(struct h2_walk *walk, struct h2_guard *guard, struct slice bytes, int *err)
{
    size_t at = 0;

    *err = 0;
    while (at < bytes.len && *err == 0) {
        size_t left = bytes.len - at;
        if (walk->left > 0) {
            size_t n = left < walk->left ? left : walk->left;
            walk->left -= (uint32_t)n;
            at += n;
            continue;
        }
        size_t want = walk->have < HEAD_BYTES ? HEAD_BYTES : H2_WALK_BYTES;
        size_t n = want - walk->have;
        n = left < n ? left : n;
        memcpy(walk->head + walk->have, bytes.ptr + at, n);
        walk->have = (uint8_t)(walk->have + n);
        if (walk->have == want)
            *err = look(walk, guard);
        if (*err == 0)
            at += n;
    }
    return at;
}
