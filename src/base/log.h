/* SPDX-License-Identifier: MIT */
/* base/log.h — the engine's log: one line at a time to a sink that the owner sets. A
 * complaint about an address is logged once per interval. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h> /* uint64_t, uint32_t */

#include "base/compiler.h" /* PRINTF_LIKE */
#include "base/slice.h"    /* struct slice */

enum log_level {
    LOG_DEBUG = 0,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
};

#define LOG_LINE_BYTES 1024        /* longer lines are truncated */
#define LOG_SEEN_SLOTS 256         /* complaints that are remembered */
#define LOG_SEEN_INTERVAL_MS 60000 /* time for which a complaint is not repeated */

/* Receives one line without a newline; control characters are escaped. `line` is
 * borrowed for the call. */
typedef void log_sink(void *arg, enum log_level level, struct slice line);

struct log {
    log_sink *sink;       /* NULL: nothing is logged */
    void *sink_arg;       /* borrowed */
    enum log_level level; /* lines below it are dropped */
    struct {
        uint64_t key;      /* hash of reason and address; 0 when free */
        uint64_t until_ms; /* not repeated until then */
        uint32_t dropped;  /* lines dropped meanwhile */
    } seen[LOG_SEEN_SLOTS];
};

/* Initializes a log. If `sink` is NULL, nothing is logged. */
void log_init(struct log *log, log_sink *sink, void *arg, enum log_level level);

/* Logs one line, formatted as by printf. Control characters become \xNN. */
void log_line(struct log *log, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Returns whether a complaint with `reason` (an enum err) about `address` (without
 * the port) may be logged at `now_ms`: true once per LOG_SEEN_INTERVAL_MS. If true,
 * sets *dropped to the number of complaints that were not logged since the last one. */
bool log_may_complain(struct log *log, int reason, struct slice address,
                      uint64_t now_ms, uint32_t *dropped);

#endif
