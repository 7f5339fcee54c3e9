/* SPDX-License-Identifier: MIT */
/* base/budget.h — the work that is done for one connection before other ready
 * connections have their turn. Work is counted in points of about one nanosecond: a
 * message costs the time of a small message, and bytes cost the time to process them
 * a few times. One sum therefore bounds messages, frames and bytes. The elapsed time
 * is checked too when it is known anyway. server/turn.h describes when budgets are
 * given, http/session.h how a session uses its budget. */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* int64_t, uint64_t */

#define BUDGET_POINTS 524288    /* 32 messages, 512 frames, or 256 KiB */
#define BUDGET_NS 500000u       /* or this time, checked at the end of exchanges */
#define BUDGET_MESSAGE 16384u   /* an exchange, a message, a frame of a body */
#define BUDGET_FRAME 1024u      /* any other frame */
#define BUDGET_BYTES_MAX 262144 /* bytes that use up a whole budget */

/* Returns the cost of `n` bytes of payload. */
static inline uint64_t
budget_of_bytes(size_t n)
{
    return (uint64_t)n * (BUDGET_POINTS / BUDGET_BYTES_MAX);
}

/* All zero: used up. */
struct budget {
    int64_t points;    /* remaining points; negative if the last work cost more */
    uint64_t began_ns; /* start of the budget, by clock_last_ns */
};

/* Starts a new budget; a negative rest is not carried over. */
static inline void
budget_begin(struct budget *budget, uint64_t now_ns)
{
    *budget = (struct budget){.points = BUDGET_POINTS, .began_ns = now_ns};
}

/* Ends the budget: it is spent. */
static inline void
budget_end(struct budget *budget)
{
    budget->points = 0;
}

/* Counts work that was done or is about to be done. */
static inline void
budget_spend(struct budget *budget, uint64_t points)
{
    if (points > BUDGET_POINTS)
        points = BUDGET_POINTS;
    if (budget->points > 0)
        budget->points -= (int64_t)points;
}

/* Returns whether the budget is used up: no more work may start. */
static inline bool
budget_is_spent(const struct budget *budget, uint64_t now_ns)
{
    return budget->points <= 0 || now_ns >= budget->began_ns + BUDGET_NS;
}

#endif
