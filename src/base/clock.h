/* SPDX-License-Identifier: MIT */
/* base/clock.h — the owner of the time. While the engine runs, the current time is
 * the time at the start of the turn or after the last exchange, so reading it costs
 * nothing. Other code, such as an application or a log callable, may take any time.
 * While it runs, inside or outside a turn, each query reads the system's clock, and
 * so does the first query after it. A deadline is therefore never based on an
 * outdated time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* UNLIKELY */
#include "base/slice.h"    /* struct slice */

/* "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 5.6.7). */
#define CLOCK_DATE_BYTES 29

enum clock_state {
    CLOCK_KEPT = 0, /* the engine runs, and no other code has run since the clock was
                       read */
    CLOCK_OLD,      /* the engine runs, but other code has run since */
    CLOCK_LOOSE,    /* other code runs */
};

/* Only clock.c, and tests that set the time, access the members. */
struct clock {
    uint64_t ms;                     /* CLOCK_MONOTONIC at the last read */
    uint64_t ns;                     /* the same in nanoseconds */
    int64_t date_s;                  /* the second that `date` shows; -1 initially */
    uint64_t date_due_ms;            /* time at which `date` must be checked again */
    char date[CLOCK_DATE_BYTES + 1]; /* with a NUL */
    uint8_t state;                   /* enum clock_state */
    bool in_turn;                    /* between clock_begin and clock_end */
};

/* Initializes the clock and reads it. No turn is running. */
void clock_init(struct clock *clock);

/* Reads the clock now. */
void clock_read(struct clock *clock);

/* Starts a turn of the engine: reads the clock. Turns do not nest. */
void clock_begin(struct clock *clock);

/* Ends the turn. */
void clock_end(struct clock *clock);

/* Marks the start of other code, which runs until clock_take_back is called with the
 * return value. May be nested, and used outside a turn. */
uint8_t clock_lend(struct clock *clock);
void clock_take_back(struct clock *clock, uint8_t before);

/* Returns the current time in milliseconds of CLOCK_MONOTONIC. */
static inline uint64_t
clock_ms(struct clock *clock)
{
    if (UNLIKELY(clock->state != CLOCK_KEPT))
        clock_read(clock);
    return clock->ms;
}

/* Returns a deadline `ms` from now. Every deadline of the engine is computed here. */
static inline uint64_t
clock_due(struct clock *clock, uint32_t ms)
{
    return clock_ms(clock) + ms;
}

/* Returns whether `due_ms` was in the past at the last read of the clock. For
 * asserts where a deadline is stored. */
static inline bool
clock_had_passed(const struct clock *clock, uint64_t due_ms)
{
    return due_ms < clock->ms;
}

/* Returns the time of the last read in nanoseconds: the start of the turn, or the
 * end of the previous exchange. For durations, not for deadlines. */
static inline uint64_t
clock_last_ns(const struct clock *clock)
{
    return clock->ns;
}

/* Returns the value of the Date field, borrowed until the next call. Inside a turn
 * it does not change. */
struct slice clock_date(struct clock *clock);

/* Writes the second `s` of Unix time, in the years 1970 to 9999, as the value of a Date
 * field, with a NUL. */
void clock_write_date(char out[CLOCK_DATE_BYTES + 1], int64_t s);

/* The local time in the formats of logs, cached until the time changes. */
struct clock_stamp {
    uint64_t ms;     /* the clock's time for which it was computed */
    int64_t s;       /* the second that the texts show; -1 initially */
    char common[27]; /* "23/Nov/2026:11:27:12 +0000" (common log format) and a NUL */
    char iso[30];    /* "2026-11-23T11:27:12.123+00:00" (RFC 3339) and a NUL */
};

/* Lengths of the two texts without their NUL. */
#define CLOCK_COMMON_BYTES 26
#define CLOCK_ISO_BYTES 29

/* Sets `stamp` to the current time; does nothing within the same millisecond. */
void clock_stamp(struct clock_stamp *stamp, struct clock *clock);

/* Returns the exact monotonic time in nanoseconds; for durations in logs. */
uint64_t clock_now_ns(void);

#endif
