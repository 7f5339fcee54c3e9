/* SPDX-License-Identifier: MIT */
/* server/balance.h — what the workers of one supervisor know about each other, in
 * shared memory: how many connections each has, so that new ones are distributed
 * evenly, and which of them can take a client of HTTP/3. Each worker has a slot and
 * writes only to that; no worker ever waits for another. */
#ifndef SERVER_BALANCE_H
#define SERVER_BALANCE_H

#include <stdatomic.h> /* _Atomic */
#include <stdbool.h>   /* bool */
#include <stddef.h>    /* size_t */
#include <stdint.h>    /* uint32_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */

/* Bytes of a slot: one cache line, so that workers do not slow each other down. */
#define BALANCE_SEAT_BYTES 64u

struct balance_seat {
    _Alignas(BALANCE_SEAT_BYTES) _Atomic uint32_t
        is_accepting;             /* 1: takes connections */
    _Atomic uint32_t connections; /* open now */
    _Atomic uint64_t requests;    /* begun since its start */
    _Atomic uint64_t beat;      /* the Python package's (bolide/processes/worker.py) */
    _Atomic uint32_t quic_room; /* how many connections it may open before it is full;
                                     0 also if it does not serve HTTP/3 */
    _Atomic uint32_t quic_seat; /* which its connection IDs name; if quic_room > 0 */
};

_Static_assert(offsetof(struct balance_seat, beat) == 16, "as in worker.py");

struct balance {
    struct balance_seat *seats; /* borrowed; NULL: this worker is alone */
    unsigned nseats;
    unsigned own; /* index of this worker's slot */
};

/* Takes a slot in `bytes` bytes of shared, zeroed memory, which is aligned to
 * BALANCE_SEAT_BYTES and outlives this struct. `memory` may be NULL: the worker is
 * alone. Returns false if there is no such slot. */
MUST_USE bool balance_init(struct balance *balance, void *memory, size_t bytes,
                           unsigned own);

/* Tells the others. */
void balance_publish(const struct balance *balance, bool is_accepting,
                     unsigned connections, uint64_t requests);

/* Tells the others how many connections over QUIC this worker may open. */
void balance_publish_quic(const struct balance *balance, uint16_t quic_seat,
                          unsigned room);

/* Returns the QUIC seat of the worker that may open most connections over QUIC, without
 * this one and those that do not accept connections; -1: none may. */
int balance_quic_seat(const struct balance *balance);

/* Returns how many more connections a worker with `connections` open ones may accept
 * before it leaves them to others; UINT_MAX if no other worker accepts. Slightly more
 * than the least busy worker has is allowed, so that few connections need not be
 * distributed exactly. */
unsigned balance_room(const struct balance *balance, unsigned connections);

#endif
