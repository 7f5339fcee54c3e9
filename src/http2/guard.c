/* SPDX-License-Identifier: MIT */
/* http2/guard.c — see guard.h for the contract. */
#include "http2/guard.h"

#include <nghttp2/nghttp2.h> /* NGHTTP2_DATA */

#include "base/err.h"

int
h2_guard_stream(struct h2_guard *guard, int32_t id)
{
    if (id > guard->last_id) {
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
    return 0;
}

int
h2_guard_reset(struct h2_guard *guard, uint64_t now_ms)
{
    uint64_t refill = (now_ms - guard->resets_ms) * H2_RESETS_PER_S;

    guard->resets -= refill < guard->resets ? (uint32_t)refill : guard->resets;
    guard->resets_ms = now_ms;
    guard->resets += 1000;
    return guard->resets > H2_RESETS * 1000 ? ERR_H2_FLOOD : 0;
}

int
h2_guard_frame(struct h2_guard *guard, uint8_t type, size_t length, bool ends_stream)
{
    if (type == NGHTTP2_CONTINUATION)
        return ++guard->ncontinuations > H2_CONTINUATIONS ? ERR_H2_FLOOD : 0;
    if (type == NGHTTP2_HEADERS) {
        guard->ncontinuations = 0;
        guard->payload += length;
        return 0;
    }
    if (type != NGHTTP2_DATA)
        return 0;
    guard->payload += length;
    guard->nempty = length == 0 && !ends_stream ? guard->nempty + 1 : 0;
    return guard->nempty > H2_EMPTY_DATA ? ERR_H2_FLOOD : 0;
}

int
h2_guard_bytes(struct h2_guard *guard, size_t n)
{
    guard->bytes_in += n;
    return guard->bytes_in / 8 > guard->payload + H2_OVERHEAD_BYTES ? ERR_H2_FLOOD : 0;
}
