/* SPDX-License-Identifier: MIT */
/* server/crowd.c — see crowd.h for the contract.
 *
 * All accesses are relaxed: a number that is a moment old costs a little evenness, nothing
 * else. */
#include "server/crowd.h"

#include "base/narrow.h"

#include <assert.h> /* assert */
#include <limits.h> /* UINT_MAX */

_Static_assert(sizeof(struct crowd_seat) == CROWD_SEAT_BYTES, "a seat is a cache line");

bool
crowd_init(struct crowd *crowd, void *memory, size_t bytes, unsigned own)
{
    size_t nseats = bytes / CROWD_SEAT_BYTES;

    *crowd = (struct crowd){.seats = memory, .nseats = narrow_u32(nseats), .own = own};
    return memory == NULL || (own < nseats && nseats < UINT_MAX &&
                              (uintptr_t)memory % CROWD_SEAT_BYTES == 0);
}

void
crowd_tell(const struct crowd *crowd, bool is_accepting, unsigned connections,
           uint64_t requests)
{
    if (crowd->seats == NULL)
        return;
    assert(crowd->own < crowd->nseats);
    struct crowd_seat *seat = &crowd->seats[crowd->own];
    atomic_store_explicit(&seat->connections, connections, memory_order_relaxed);
    atomic_store_explicit(&seat->requests, requests, memory_order_relaxed);
    atomic_store_explicit(&seat->is_accepting, is_accepting, memory_order_relaxed);
}

unsigned
crowd_room(const struct crowd *crowd, unsigned connections)
{
    unsigned least = UINT_MAX;

    for (unsigned i = 0; crowd->seats != NULL && i < crowd->nseats; i++) {
        struct crowd_seat *seat = &crowd->seats[i];
        if (i == crowd->own ||
            atomic_load_explicit(&seat->is_accepting, memory_order_relaxed) == 0)
            continue;
        unsigned n = atomic_load_explicit(&seat->connections, memory_order_relaxed);
        if (n < least)
            least = n;
    }
    if (least == UINT_MAX)
        return UINT_MAX;
    unsigned most = least + least / 16 + 2;
    return connections < most ? most - connections : 0;
}
