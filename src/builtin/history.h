/* SPDX-License-Identifier: MIT */
/* builtin/history.h — the counters of all workers at each of the last seconds, in
 * memory shared by the workers and their supervisor, so that a status page shows the
 * past when it is opened. The first worker that starts a turn in a new second
 * records it. An idle server does not wake up; the seconds in between are filled in
 * when it does. */
#ifndef BUILTIN_HISTORY_H
#define BUILTIN_HISTORY_H

#include "http/tally.h"   /* struct tallies */
#include "builtin/text.h" /* struct text */

#define HISTORY_SECONDS 180u

/* Numbers of one second: sums over all seats of the gauges below, and of what a tally
 * counts. */
enum history_gauge {
    HISTORY_CONNECTIONS = 0,
    HISTORY_WEBSOCKETS,
    HISTORY_RUNNING,
    HISTORY_RSS,    /* bytes */
    HISTORY_CPU_MS, /* of the running workers */
    HISTORY_WORKERS,
    HISTORY_COUNTERS, /* the first of the tally's */
};
#define HISTORY_NUMBERS (HISTORY_COUNTERS + TALLY_END - TALLY_FIRST_COUNTER)

struct history_second {
    _Atomic uint64_t
        second; /* second of CLOCK_MONOTONIC; 0: being written, or never written */
    _Atomic uint64_t at[HISTORY_NUMBERS];
};

/* Workers that ended unexpectedly; written by the supervisor only. */
struct history_deaths {
    _Atomic uint64_t count;
    _Atomic uint64_t time; /* of the last one: seconds since 1970 */
    _Atomic uint64_t pid;
    _Atomic uint64_t code;     /* exit code, or minus a signal as a 64-bit number */
    _Atomic uint64_t replaced; /* workers that were replaced on purpose */
};

/* Initially all zero. */
struct history {
    _Atomic uint64_t last; /* the last second that is being or has been written */
    struct history_deaths deaths;
    struct history_second seconds[HISTORY_SECONDS];
};

/* Records the second of `now_ms` unless another worker has. */
void history_note(struct history *history, const struct tallies *tallies,
                  uint64_t now_ms);

/* Adds the JSON member "deaths", followed by a comma, to `text`. */
void history_write_deaths(const struct history *history, struct text *text);

/* Adds the JSON member "history": "names" of the numbers and "rows" of them, oldest
 * first; the first number of each row is its second in ms. */
void history_write(const struct history *history, struct text *text);

#endif
