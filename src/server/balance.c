/* SPDX-License-Identifier: MIT */
/* server/balance.c — see balance.h for the contract.
 *
 * All accesses are relaxed: a slightly outdated number only makes the distribution a
 * little less even. */
#include "server/balance.h"

#include "base/narrow.h"

#include <assert.h> /* assert */
#include <limits.h> /* UINT_MAX */

_Static_assert(sizeof(struct balance_seat) == BALANCE_SEAT_BYTES,
               "a seat is a cache line");

bool
balance_init(struct balance *balance, void *memory, size_t bytes, unsigned own)
{
    size_t nseats = bytes / BALANCE_SEAT_BYTES;

    *balance =
        (struct balance){.seats = memory, .nseats = narrow_u32(nseats), .own = own};
    return memory == NULL || (own < nseats && nseats < UINT_MAX &&
                              (uintptr_t)memory % BALANCE_SEAT_BYTES == 0);
}

void
balance_publish(const struct balance *balance, bool is_accepting, unsigned connections,
                uint64_t requests)
{
    if (balance->seats == NULL)
        return;
    assert(balance->own < balance->nseats);
    struct balance_seat *seat = &balance->seats[balance->own];
    atomic_store_explicit(&seat->connections, connections, memory_order_relaxed);
    atomic_store_explicit(&seat->requests, requests, memory_order_relaxed);
    atomic_store_explicit(&seat->is_accepting, is_accepting, memory_order_relaxed);
}

void
balance_publish_quic(const struct balance *balance, uint16_t quic_seat, unsigned room)
{
    if (balance->seats == NULL)
        return;
    assert(balance->own < balance->nseats);
    struct balance_seat *seat = &balance->seats[balance->own];
    atomic_store_explicit(&seat->quic_seat, quic_seat, memory_order_relaxed);
    atomic_store_explicit(&seat->quic_room, room, memory_order_relaxed);
}

int
balance_quic_seat(const struct balance *balance)
{
    unsigned most = 0;
    int found = -1;

    for (unsigned i = 0; balance->seats != NULL && i < balance->nseats; i++) {
        struct balance_seat *seat = &balance->seats[i];
        unsigned room = atomic_load_explicit(&seat->quic_room, memory_order_relaxed);
        if (i == balance->own || room <= most ||
            atomic_load_explicit(&seat->is_accepting, memory_order_relaxed) == 0)
            continue;
        most = room;
        found = (int)atomic_load_explicit(&seat->quic_seat, memory_order_relaxed);
    }
    return found;
}

unsigned
balance_room(const struct balance *balance, unsigned connections)
{
    unsigned least = UINT_MAX;

    for (unsigned i = 0; balance->seats != NULL && i < balance->nseats; i++) {
        struct balance_seat *seat = &balance->seats[i];
        if (i == balance->own ||
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
