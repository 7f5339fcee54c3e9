/* SPDX-License-Identifier: MIT */
/* server/crowd.h — what the workers of one supervisor know of each other, in memory that
 * they share: how many connections each has, so that new ones are shared out evenly.
 * Each worker has a seat and writes to that alone; nobody ever waits for anybody. */
#ifndef SERVER_CROWD_H
#define SERVER_CROWD_H

#include <stdatomic.h> /* _Atomic */
#include <stdbool.h>   /* bool */
#include <stddef.h>    /* size_t */
#include <stdint.h>    /* uint32_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */

/* Bytes of a seat: one cache line, so that workers do not slow each other down. */
#define CROWD_SEAT_BYTES 64u

struct crowd_seat {
    _Alignas(CROWD_SEAT_BYTES) _Atomic uint32_t is_accepting; /* 1: takes connections */
    _Atomic uint32_t connections;                             /* open now */
    _Atomic uint64_t requests; /* begun since its start */
};

struct crowd {
    struct crowd_seat *seats; /* borrowed; NULL: this worker is alone */
    unsigned nseats;
    unsigned own; /* index of this worker's seat */
};

/* Takes a seat in `bytes` bytes of shared, zeroed memory, which is aligned to
 * CROWD_SEAT_BYTES and outlives the crowd.  NULL `memory` is fine: alone.  False when
 * there is no such seat. */
MUST_USE bool crowd_init(struct crowd *crowd, void *memory, size_t bytes, unsigned own);

/* Tells the others. */
void crowd_tell(const struct crowd *crowd, bool is_accepting, unsigned connections,
                uint64_t requests);

/* How many connections more a worker with `connections` open ones takes before it is
 * another's turn; UINT_MAX when no other accepts.  A little above the least busy one is
 * fine, so that few connections do not have to be shared out to the last one. */
unsigned crowd_room(const struct crowd *crowd, unsigned connections);

#endif
