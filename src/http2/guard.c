/* SPDX-License-Identifier: MIT */
/* http2/guard.c — see guard.h for the contract. */
#include "http2/guard.h"

#include "base/err.h"

void
h2_guard_ended(struct h2_guard *guard, int32_t id)
{
    guard->ended[guard->nended++ % H2_ENDED] = id;
}

static bool
has_ended(const struct h2_guard *guard, int32_t id)
{
    for (unsigned i = 0; i < H2_ENDED; i++) {
        if (guard->ended[i] == id)
            return true;
    }
    return false;
}

/* Handles HEADERS of stream `id`: a new one, or trailers of one that was begun. */
static int
look_at_stream(struct h2_guard *guard, int32_t id)
{
    if (id > guard->last_id) {
        if (guard->is_calming && ++guard->nlate > H2_LATE)
            return ERR_H2_FLOOD;
        if (id > guard->last_id + 2) {
            unsigned i = guard->ngaps++ % H2_GAPS;
            guard->gaps[i].from = guard->last_id + 1;
            guard->gaps[i].to = id - 1;
        }
        guard->last_id = id;
        return 0;
    }
    for (unsigned i = 0; i < H2_GAPS; i++) {
        if (id >= guard->gaps[i].from && id <= guard->gaps[i].to)
            return ERR_H2;
    }
    return has_ended(guard, id) ? ERR_H2_ENDED : 0;
}

static int
count_empty(struct h2_guard *guard)
{
    return ++guard->nempty > H2_EMPTY_DATA ? ERR_H2_FLOOD : 0;
}

static bool
ends_stream(const nghttp2_frame_hd *hd)
{
    return (hd->flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

static int
look_at_data(struct h2_guard *guard, const nghttp2_frame_hd *hd)
{
    guard->payload += hd->length;
    if (hd->stream_id != 0 && has_ended(guard, hd->stream_id))
        return ERR_H2_ENDED;
    if (hd->length == 0 && !ends_stream(hd))
        return count_empty(guard);
    if ((hd->flags & NGHTTP2_FLAG_PADDED) == 0)
        guard->nempty = 0;
    return 0;
}

int
h2_guard_frame(struct h2_guard *guard, const nghttp2_frame_hd *hd)
{
    switch (hd->type) {
    case NGHTTP2_DATA:
        return look_at_data(guard, hd);
    case NGHTTP2_HEADERS:
        guard->ncontinuations = 0;
        guard->payload += hd->length;
        return hd->stream_id == 0 ? 0 : look_at_stream(guard, hd->stream_id);
    case NGHTTP2_CONTINUATION:
        return ++guard->ncontinuations > H2_CONTINUATIONS ? ERR_H2_FLOOD : 0;
    case NGHTTP2_RST_STREAM:
        h2_guard_ended(guard, hd->stream_id);
        return 0;
    default:
        return 0;
    }
}

int
h2_guard_padding(struct h2_guard *guard, const nghttp2_frame_hd *hd, size_t padding)
{
    guard->payload -= padding;
    if (padding == hd->length && !ends_stream(hd))
        return count_empty(guard);
    guard->nempty = 0;
    return 0;
}

int
h2_guard_reset(struct h2_guard *guard, uint32_t most, uint64_t now_ms)
{
    return resets_count(&guard->resets, most, now_ms) ? ERR_H2_RESETS : 0;
}

bool
h2_guard_refused(struct h2_guard *guard)
{
    if (guard->nrefused == H2_REFUSED)
        return true;
    guard->nrefused++;
    return false;
}

int
h2_guard_bytes(struct h2_guard *guard, size_t n)
{
    guard->bytes_in += n;
    return guard->bytes_in / 8 > guard->payload + H2_OVERHEAD_BYTES ? ERR_H2_FLOOD : 0;
}
