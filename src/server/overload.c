/* SPDX-License-Identifier: MIT */
/* server/overload.c — see overload.h for the contract. */
#include "server/overload.h"

#include <assert.h> /* assert */

#define NS_PER_MS 1000000u
#define SECOND_MS 1000u

static void
adapt(struct overload *o, uint64_t now_ns)
{
    uint64_t took_ns = now_ns - o->looked_ns;
    uint64_t now_ms = now_ns / NS_PER_MS;

    if (took_ns <= OVERLOAD_TURN_NS) {
        o->cut_ns = 0;
        if (took_ns < OVERLOAD_TURN_NS / 2 && o->take < o->most)
            o->take++;
        return;
    }
    if (now_ms < o->hold_ms)
        return;
    /* Where fewer did not make it shorter, it is other work that takes the time. */
    if (o->cut_ns != 0 && took_ns > o->cut_ns - o->cut_ns / 4) {
        o->take = o->most;
        o->cut_ns = 0;
        o->hold_ms = now_ms + SECOND_MS;
        return;
    }
    o->cut_ns = took_ns;
    o->take = o->take > 1 ? o->take / 2 : 1;
}

void
overload_begin(struct overload *o, uint64_t now_ns)
{
    uint64_t now_ms = now_ns / NS_PER_MS;

    assert(o->take >= 1 && o->take <= o->most && now_ns >= o->looked_ns);
    if (__builtin_expect(!o->was_full, 1)) {
        o->take = o->most;
        o->cut_ns = 0;
        /* While many are shed, a look may find fewer in the middle of the overload. */
        if (__builtin_expect(!o->has_queue, 1) ||
            now_ms - o->last_full_ms >= OVERLOAD_CALM_MS) {
            o->full_ms = 0;
            o->wants_sample = o->has_queue = false;
            return;
        }
    } else {
        adapt(o, now_ns);
        if (o->full_ms == 0)
            o->full_ms = now_ms;
        o->last_full_ms = now_ms;
    }
    o->wants_sample = now_ms - o->full_ms >= OVERLOAD_FULL_MS;
}

/* Peers leave after `waited_ms` or less: half of that is what a request may wait. */
static void
learn(struct overload *o, uint64_t now_ms, uint32_t waited_ms)
{
    if (now_ms - o->left_ms >= SECOND_MS) {
        o->left_ms = now_ms;
        o->nleft = 0;
    }
    if (++o->nleft < OVERLOAD_LEFT)
        return;
    if (o->bound_ms == 0 || waited_ms / 2 < o->bound_ms)
        o->bound_ms = waited_ms / 2;
    o->eased_ms = now_ms;
}

/* The bound grows by an eighth a second while nobody leaves, and goes after it has grown
 * beyond reason: clients may have become more patient. */
static void
ease(struct overload *o, uint64_t now_ms)
{
    if (o->bound_ms == 0 || now_ms - o->eased_ms < SECOND_MS)
        return;
    o->eased_ms = now_ms;
    o->bound_ms += o->bound_ms / 8 + 1;
    if (o->bound_ms > 60 * SECOND_MS)
        o->bound_ms = 0;
}

bool
overload_sheds(struct overload *o, uint64_t now_ms, uint32_t waited_ms, bool has_left)
{
    o->wants_sample = false;
    if (waited_ms >= OVERLOAD_WAIT_MS) {
        o->has_queue = true;
        o->nshort = 0;
    } else if (++o->nshort >= OVERLOAD_SHORT) {
        o->has_queue = false;
    }
    if (!o->has_queue)
        return false;
    ease(o, now_ms);
    if (has_left && waited_ms >= OVERLOAD_PATIENCE_MS) {
        learn(o, now_ms, waited_ms);
        return true;
    }
    if (o->most_ms != 0 && waited_ms > o->most_ms)
        return true;
    return o->bound_ms != 0 && waited_ms > o->bound_ms;
}
