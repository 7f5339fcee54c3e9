/* SPDX-License-Identifier: MIT */
/* base/log.h — what the engine has to say, one line at a time, to a sink that its owner
 * chooses; the same complaint about the same address is said once an interval. */
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

#define LOG_LINE_BYTES 1024        /* a longer line is cut */
#define LOG_SEEN_SLOTS 256         /* complaints remembered at once */
#define LOG_SEEN_INTERVAL_MS 60000 /* how long a complaint is not repeated */

/* Takes one line, without a newline, printable but for UTF-8; borrowed for the call. */
typedef void log_sink(void *arg, enum log_level level, struct slice line);

struct log {
    log_sink *sink;       /* NULL: nothing is said */
    void *sink_arg;       /* borrowed */
    enum log_level level; /* lines below it are dropped */
    struct {
        uint64_t key;      /* hash of reason and address; 0 when free */
        uint64_t until_ms; /* silent until then */
        uint32_t dropped;  /* lines dropped meanwhile */
    } seen[LOG_SEEN_SLOTS];
};

/* A log that says nothing until a sink is given. */
void log_init(struct log *log, log_sink *sink, void *arg, enum log_level level);

/* Says one line, formatted as by printf.  Control characters become \xNN. */
void log_line(struct log *log, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Whether a complaint of kind `reason` (an enum err) about `address` (without the port)
 * may be said at `now_ms`: true once per LOG_SEEN_INTERVAL_MS.  Then *dropped is how many
 * were swallowed since it was said last. */
bool log_may_complain(struct log *log, int reason, struct slice address,
                      uint64_t now_ms, uint32_t *dropped);

#endif
