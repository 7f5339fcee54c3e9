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

/* Writes the local time of now as "23/Nov/2026:11:27:12 +0000" (common log format) to
 * out[27]: 26 characters and a NUL. */
void clock_log_time(char out[27]);

/* Monotonic nanoseconds, exact; for durations in logs. */
uint64_t clock_now_ns(void);

#endif
