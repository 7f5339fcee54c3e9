/* SPDX-License-Identifier: MIT */
/* base/clock.h — the one owner of the time.  While the engine runs, now is what it was when
 * the turn began, or after the last exchange, so that looking costs nothing.  Other code,
 * an application or a log callable, may take any time: while it runs, inside a turn or
 * outside of one, each look reads the clock, and the first look after it does too.  So a
 * deadline is never counted from a time that has passed. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* UNLIKELY */
#include "base/slice.h"    /* struct slice */

/* "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 5.6.7). */
#define CLOCK_DATE_BYTES 29

enum clock_state {
    CLOCK_KEPT = 0, /* the engine runs, and nothing else has since the clock was read */
    CLOCK_OLD,      /* the engine runs, but other code has run since */
    CLOCK_LOOSE,    /* other code runs */
};

/* Only clock.c, and tests that make a time of their own, touch the members. */
struct clock {
    uint64_t ms;          /* CLOCK_MONOTONIC when it was read last */
    uint64_t ns;          /* ... the same, exact */
    int64_t date_s;       /* the second that `date` stands for; -1 at first */
    uint64_t date_due_ms; /* when `date` has to be looked at again */
    char date[CLOCK_DATE_BYTES + 1]; /* with a NUL */
    uint8_t state;                   /* enum clock_state */
    bool in_turn;                    /* between clock_begin and clock_end */
};

/* Prepares the clock and reads it; no turn runs. */
void clock_init(struct clock *clock);

/* Reads the clock now. */
void clock_read(struct clock *clock);

/* A turn of the engine begins: reads the clock.  Turns do not nest. */
void clock_begin(struct clock *clock);

/* The turn is over. */
void clock_end(struct clock *clock);

/* Other code runs until clock_take_back, which gets what this has returned.  Nests, and
 * may be used outside a turn. */
uint8_t clock_lend(struct clock *clock);
void clock_take_back(struct clock *clock, uint8_t before);

/* Now, in milliseconds of CLOCK_MONOTONIC. */
static inline uint64_t
clock_ms(struct clock *clock)
{
    if (UNLIKELY(clock->state != CLOCK_KEPT))
        clock_read(clock);
    return clock->ms;
}

/* A deadline `ms` from now.  Each deadline of the engine is made here. */
static inline uint64_t
clock_due(struct clock *clock, uint32_t ms)
{
    return clock_ms(clock) + ms;
}

/* Whether `due_ms` lay in the past when the clock was looked at last: for the asserts of
 * who stores a deadline. */
static inline bool
clock_had_passed(const struct clock *clock, uint64_t due_ms)
{
    return due_ms < clock->ms;
}

/* When the clock was read last, in nanoseconds: the beginning of the turn, or the end of
 * the exchange before.  For durations; no deadline is counted from it. */
static inline uint64_t
clock_last_ns(const struct clock *clock)
{
    return clock->ns;
}

/* The Date field value; borrowed until the next call.  Inside a turn it is that of the
 * last look. */
struct slice clock_date(struct clock *clock);

/* The local time, as logs write it; kept until the time has changed. */
struct clock_stamp {
    uint64_t ms;     /* of the clock that it was made for */
    int64_t s;       /* the second that the texts stand for; -1 at first */
    char common[27]; /* "23/Nov/2026:11:27:12 +0000" (common log format) and a NUL */
    char iso[30];    /* "2026-11-23T11:27:12.123+00:00" (RFC 3339) and a NUL */
};

/* Lengths of the two without their NUL. */
#define CLOCK_COMMON_BYTES 26
#define CLOCK_ISO_BYTES 29

/* Makes `stamp` the time of now; kept while it is the same millisecond. */
void clock_stamp(struct clock_stamp *stamp, struct clock *clock);

/* Monotonic nanoseconds, exact; for durations in logs. */
uint64_t clock_now_ns(void);

#endif
