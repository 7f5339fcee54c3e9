/* SPDX-License-Identifier: MIT */
/* server/history.h — what all workers together have counted at each of the last seconds, in
 * memory that they and their supervisor share, so that a status page that is opened shows
 * what was before.  Whichever worker begins a turn in a new second writes it: an idle
 * server, in which nothing changes, need not wake up, and the seconds that it has slept
 * through are filled in when it does. */
#ifndef SERVER_HISTORY_H
#define SERVER_HISTORY_H

#include "http/tally.h"  /* struct tallies */
#include "server/text.h" /* struct text */

#define HISTORY_SECONDS 180u

/* Numbers of one second: sums over all seats of the gauges below, and of what a tally
 * counts. */
enum history_gauge {
    HISTORY_CONNECTIONS = 0,
    HISTORY_WEBSOCKETS,
    HISTORY_RUNNING,
    HISTORY_RSS,    /* bytes */
    HISTORY_CPU_MS, /* of the workers that live */
    HISTORY_WORKERS,
    HISTORY_COUNTERS, /* the first of the tally's */
};
#define HISTORY_NUMBERS (HISTORY_COUNTERS + TALLY_END - TALLY_FIRST_COUNTER)

struct history_second {
    _Atomic uint64_t
        second; /* of CLOCK_MONOTONIC; 0: it is being written, or never was */
    _Atomic uint64_t at[HISTORY_NUMBERS];
};

/* What a supervisor knows of workers that ended without being told to; it alone writes. */
struct history_deaths {
    _Atomic uint64_t count;
    _Atomic uint64_t time; /* of the last one: seconds since 1970 */
    _Atomic uint64_t pid;
    _Atomic uint64_t code;     /* exit code, or minus a signal as a 64-bit number */
    _Atomic uint64_t replaced; /* workers that ended because they were told to */
};

/* Zeroed at first. */
struct history {
    _Atomic uint64_t last; /* the last second that somebody writes or has written */
    struct history_deaths deaths;
    struct history_second seconds[HISTORY_SECONDS];
};

/* Notes the second of `now_ms`, unless somebody has. */
void history_note(struct history *history, const struct tallies *tallies,
                  uint64_t now_ms);

/* Adds to `text` a member of a JSON object, with a comma behind it: "deaths". */
void history_write_deaths(const struct history *history, struct text *text);

/* ... "history": "names" of numbers and "rows" of them, oldest first, the first number of
 * each row its second in ms. */
void history_write(const struct history *history, struct text *text);

#endif
