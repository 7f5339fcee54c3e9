/* SPDX-License-Identifier: MIT */
/* quic/early_tickets.c — see early_tickets.h for the contract. */
#include "quic/early_tickets.h"

#include <assert.h> /* assert */

static _Atomic uint64_t *
word_of(struct early_tickets *tickets, uint64_t number)
{
    return &tickets->unused[number % EARLY_BITS / 64];
}

static uint64_t
bit_of(uint64_t number)
{
    return UINT64_C(1) << number % 64;
}

uint64_t
early_tickets_issue(struct early_tickets *tickets)
{
    const uint64_t number = atomic_fetch_add(&tickets->next, 1);

    /* The ticket that had this bit has been too old for EARLY_TICKETS others. */
    assert(number < UINT64_MAX);
    (void)atomic_fetch_or(word_of(tickets, number), bit_of(number));
    return number;
}

bool
early_tickets_redeem(struct early_tickets *tickets, uint64_t number)
{
    const uint64_t next = atomic_load(&tickets->next);

    if (number >= next || next - number > EARLY_TICKETS)
        return false;
    return (atomic_fetch_and(word_of(tickets, number), ~bit_of(number)) &
            bit_of(number)) != 0;
}
