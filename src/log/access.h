/* SPDX-License-Identifier: MIT */
/* log/access.h — the access log: one line for each exchange, collected in memory and
 * written by a thread in buffers. A slow reader or disk causes lines to be dropped,
 * but never delays a request. Each line is either written or counted as dropped, and
 * each dropped line is in one report, at the latest at the end. */
#ifndef LOG_ACCESS_H
#define LOG_ACCESS_H

#include "base/clock.h"  /* struct clock */
#include "base/log.h"    /* struct log */
#include "http/stream.h" /* struct stream */
#include "http/tally.h"  /* struct tally */
#include "log/format.h"  /* struct format */
#include "log/sink.h"    /* struct sink_config */

#define ACCESS_DELAY_MS 200u /* the longest time that a line waits */
#define ACCESS_BUFFER_BYTES (1u << 20)
#define ACCESS_SAY_MS 10000u /* interval of reports of dropped lines */
#define ACCESS_LOOK_MS 1000u /* interval of checks whether lines could be written */
#define ACCESS_LAST_MS 2000u /* time to write the last lines */
#define ACCESS_END_MS 100u   /* time to write the lines of the server's end */

struct access_config {
    struct sink_config sink;
    uint64_t buffer_bytes; /* most bytes of lines that wait, by default
                         ACCESS_BUFFER_BYTES; at least two buffers are used */
    struct format *format; /* borrowed; outlives the log. NULL: no log */
};

struct access_log; /* owns the waiting lines, and the thread that writes them */

/* Creates a log. Dropped lines are reported to `say` and counted in `tally` (both
 * borrowed). Returns 0, ERR_NOMEM, ERR_IO or ERR_ADDRESS. */
MUST_USE int access_log_new(const struct access_config *config, struct log *say,
                            struct tally *tally, struct access_log **out);

/* Waits up to ACCESS_LAST_MS until the waiting lines have been written. Runs no
 * callback. In a forked process, which has no thread, it does nothing. */
void access_log_settle(struct access_log *log);

/* Writes the waiting lines for up to ACCESS_END_MS, reports dropped lines that were
 * not reported, and frees the log; `log` may be NULL. */
void access_log_free(struct access_log *log);

/* Adds the line of an exchange that has ended. */
void access_log_add(struct access_log *log, struct clock *clock,
                    const struct stream *s);

/* Passes the waiting lines to the thread, and reports dropped lines. */
void access_log_write(struct access_log *log, uint64_t now_ms);

/* Ends a turn: if the sink is a terminal, passes the waiting lines to the thread, so
 * that a line appears at once. */
void access_log_end_turn(struct access_log *log, struct clock *clock);

/* Returns when access_log_write is due; TIMER_NEVER if no lines wait. */
uint64_t access_log_due_ms(const struct access_log *log);

/* Reopens the file. */
void access_log_reopen(struct access_log *log);

/* Returns the number of dropped lines. */
uint64_t access_log_dropped(const struct access_log *log);

#endif
