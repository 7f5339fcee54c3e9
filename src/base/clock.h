/* SPDX-License-Identifier: MIT */
/* base/clock.h — the time, read once a turn and kept. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h> /* uint64_t */

#include "base/slice.h" /* struct slice */

/* "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 5.6.7). */
#define CLOCK_DATE_BYTES 29

struct clock {
    uint64_t ms;          /* CLOCK_MONOTONIC at the last clock_read */
    uint64_t ns;          /* ... then, or whenever it was looked at since; exact */
    int64_t date_s;       /* the second that `date` stands for; -1 at first */
    uint64_t date_due_ms; /* when `date` has to be looked at again */
    char date[CLOCK_DATE_BYTES + 1]; /* with a NUL */
};

/* Prepares the clock and reads it. */
void clock_init(struct clock *clock);

/* Reads the monotonic clock into clock->ns and clock->ms. */
void clock_read(struct clock *clock);

/* The Date field value of the current second; borrowed until the next call. */
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

/* Makes `stamp` the time of now, unless `clock` has not been read since it was made. */
void clock_stamp(struct clock_stamp *stamp, const struct clock *clock);

/* Monotonic nanoseconds, exact; for durations in logs. */
uint64_t clock_now_ns(void);

#endif
