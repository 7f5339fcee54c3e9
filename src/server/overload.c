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
    /* If fewer connections did not make it shorter, other work takes the time. */
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
        /* While many are shed, one poll may find fewer in the middle of an overload. */
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

/* Peers disconnect after `waited_ms` or less: a request may wait half as long. If the
 * limit had grown until they disconnected, it is next raised later, since each attempt
 * delays requests that are then served too late. */
static void
learn(struct overload *o, uint64_t now_ms, uint32_t waited_ms)
{
    if (now_ms - o->left_ms >= SECOND_MS) {
        o->left_ms = now_ms;
        o->nleft = 0;
    }
    if (++o->nleft < OVERLOAD_LEFT)
        return;
    if (o->bound_ms == 0)
        o->ease_ms = OVERLOAD_EASE_MS;
    else if (o->has_grown && o->ease_ms < OVERLOAD_EASE_MAX_MS)
        o->ease_ms *= 2;
    o->has_grown = false;
    if (o->bound_ms == 0 || waited_ms / 2 < o->bound_ms)
        o->bound_ms = waited_ms / 2;
    o->eased_ms = now_ms;
}

/* The limit grows by an eighth while no client disconnects: clients may have become
 * more patient. It is reset after it has grown beyond reason, and if no wait was judged
 * for a long time. */
static void
ease(struct overload *o, uint64_t now_ms)
{
    uint64_t idle_ms = now_ms - o->judged_ms;

    o->judged_ms = now_ms;
    if (o->bound_ms == 0)
        return;
    assert(o->ease_ms >= OVERLOAD_EASE_MS && o->ease_ms <= OVERLOAD_EASE_MAX_MS);
    if (idle_ms < OVERLOAD_FORGET_MS && now_ms - o->eased_ms < o->ease_ms)
        return;
    o->eased_ms = now_ms;
    o->bound_ms += o->bound_ms / 8 + 1;
    o->has_grown = true;
    if (idle_ms >= OVERLOAD_FORGET_MS || o->bound_ms > 60 * SECOND_MS)
        o->bound_ms = 0;
}

/* Connections that are opened wait for others that are opened with them: one that would
 * then be too late is not opened. */
static bool
overload_is_over(uint32_t most_ms, uint32_t waited_ms, bool is_open)
{
    return most_ms != 0 && waited_ms > (is_open ? most_ms : most_ms - most_ms / 4);
}

bool
overload_sheds(struct overload *o, uint64_t now_ms, uint32_t waited_ms, bool has_left,
               bool is_open)
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
    return overload_is_over(o->most_ms, waited_ms, is_open) ||
           overload_is_over(o->bound_ms, waited_ms, is_open);
}
