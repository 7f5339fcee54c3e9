/* SPDX-License-Identifier: MIT */
/* base/budget.h — how much is done for one connection before the others that are ready have
 * their turn.  What is done is counted in points, which are about nanoseconds: a message
 * costs as much as a small one takes, bytes what it takes to go over them a few times.  So
 * one sum bounds messages, frames and bytes; beside it the time itself is looked at where
 * it is known anyway.  server/turn.h says who gets a budget when, http/session.h how a
 * session uses its own. */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* int64_t, uint64_t */

#define BUDGET_POINTS 524288    /* 32 messages, 512 frames, or 256 KiB */
#define BUDGET_NS 500000u       /* or as long as this, known at the end of exchanges */
#define BUDGET_MESSAGE 16384u   /* an exchange, a message, a frame of a body */
#define BUDGET_FRAME 1024u      /* any other frame */
#define BUDGET_BYTES_MAX 262144 /* bytes that cost a whole budget */

/* What `n` bytes of payload cost. */
static inline uint64_t
budget_of_bytes(size_t n)
{
    return (uint64_t)n * (BUDGET_POINTS / BUDGET_BYTES_MAX);
}

/* All zero: used up. */
struct budget {
    int64_t points;    /* what is left; below zero where the last thing cost more */
    uint64_t began_ns; /* when it was given, by clock_last_ns */
};

/* Gives a new budget; what was overdrawn is forgotten. */
static inline void
budget_begin(struct budget *budget, uint64_t now_ns)
{
    *budget = (struct budget){.points = BUDGET_POINTS, .began_ns = now_ns};
}

/* Takes it away. */
static inline void
budget_end(struct budget *budget)
{
    budget->points = 0;
}

/* Counts what was done, or is about to be. */
static inline void
budget_spend(struct budget *budget, uint64_t points)
{
    if (points > BUDGET_POINTS)
        points = BUDGET_POINTS;
    if (budget->points > 0)
        budget->points -= (int64_t)points;
}

/* Whether nothing more may begin. */
static inline bool
budget_is_spent(const struct budget *budget, uint64_t now_ns)
{
    return budget->points <= 0 || now_ns >= budget->began_ns + BUDGET_NS;
}

#endif
