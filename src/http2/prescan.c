/* SPDX-License-Identifier: MIT */
/* http2/prescan.c — see prescan.h for the contract. */
#include "http2/prescan.h"

#include <assert.h>          /* assert */
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
prescan_read_head(const uint8_t *p)
{
    return (nghttp2_frame_hd){
        .length = read_number(p) >> 8,
        .type = p[3],
        .flags = p[4],
        .stream_id = (int32_t)read_stream(p + 5),
    };
}

/* Consumes one frame head from `bytes`, and the payload of a PRIORITY frame. Returns
 * its length, 0 if more must come, or what is wrong. */
static int
take_head(struct h2_prescan *prescan, struct h2_guard *guard, struct slice bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr;

    if (bytes.len < HEAD_BYTES)
        return 0;
    nghttp2_frame_hd hd = prescan_read_head(p);
    bool is_priority = hd.type == NGHTTP2_PRIORITY && hd.length == PRIORITY_BYTES;
    if (is_priority && bytes.len < HEAD_BYTES + PRIORITY_BYTES)
        return 0;
    int err = h2_guard_frame(guard, &hd);
    if (err == 0 && is_priority &&
        (hd.stream_id == 0 || read_stream(p + HEAD_BYTES) == (uint32_t)hd.stream_id))
        err = ERR_H2;
    prescan->left = (uint32_t)hd.length;
    prescan->is_costly = hd.type == NGHTTP2_DATA || hd.type == NGHTTP2_HEADERS;
    return err != 0 ? err : (int)HEAD_BYTES;
}

void
h2_prescan_init(struct h2_prescan *prescan)
{
    *prescan = (struct h2_prescan){.left = NGHTTP2_CLIENT_MAGIC_LEN};
}

size_t
h2_prescan_frames(struct h2_prescan *prescan, struct h2_guard *guard,
                  struct slice bytes, struct budget *budget, int *err)
{
    size_t at = 0;
    bool is_last = false;

    *err = 0;
    while (at < bytes.len) {
        size_t left = bytes.len - at;
        size_t n = left < prescan->left ? left : prescan->left;
        prescan->left -= (uint32_t)n;
        at += n;
        if (prescan->left > 0 || at == bytes.len || is_last || budget->points <= 0)
            break;
        int taken = take_head(prescan, guard, slice_skip(bytes, at));
        if (taken <= 0) {
            *err = taken;
            break;
        }
        at += (size_t)taken;
        is_last = prescan->is_costly;
        budget_spend(budget, (is_last ? BUDGET_MESSAGE : BUDGET_FRAME) +
                                 budget_of_bytes(prescan->left));
    }
    assert(at <= bytes.len);
    return at;
}
