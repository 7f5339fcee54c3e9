/* SPDX-License-Identifier: MIT */
/* server/access.h — the access log: one line for each exchange, gathered in memory and
 * written by a thread, a piece at a time.  A reader or a disk that stalls costs lines, which
 * are counted and reported, and never a request's time.  Each line is written or counted as
 * dropped, and each that was dropped is in one report, the last of them at the end. */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "base/clock.h"    /* struct clock */
#include "base/log.h"      /* struct log */
#include "http/stream.h"   /* struct stream */
#include "http/tally.h"    /* struct tally */
#include "server/format.h" /* struct format */
#include "server/sink.h"   /* struct sink_config */

#define ACCESS_DELAY_MS 200u /* how long a line waits at most */
#define ACCESS_BUFFER_BYTES (1u << 20)
#define ACCESS_SAY_MS 10000u /* how often lines that were dropped are told of */
#define ACCESS_LOOK_MS 1000u /* how soon is looked whether lines could be written */
#define ACCESS_LAST_MS 2000u /* how long the last lines may take to be written */
#define ACCESS_END_MS 100u   /* ... of them those that a server's end brings */

struct access_config {
    struct sink_config sink;
    uint64_t
        buffer_bytes; /* of lines that may wait, ACCESS_BUFFER_BYTES unless told; at
                              least two pieces are used */
    struct format *format; /* borrowed; outlives the log.  NULL: there is no log */
};

struct access_log; /* owns the lines that wait, and the thread that writes them */

/* Makes a log; `say` hears of lines that were dropped, `tally` counts them (both borrowed).
 * Returns 0, ERR_NOMEM, ERR_IO or ERR_ADDRESS. */
MUST_USE int access_log_new(const struct access_config *config, struct log *say,
                            struct tally *tally, struct access_log **out);

/* Waits up to ACCESS_LAST_MS for what waits to be written; calls nobody. */
void access_log_settle(struct access_log *log);

/* Writes what waits, for up to ACCESS_END_MS, reports what was dropped and was not reported
 * before, and frees; NULL is fine. */
void access_log_free(struct access_log *log);

/* Adds the line of an exchange that is over. */
void access_log_add(struct access_log *log, struct clock *clock,
                    const struct stream *s);

/* Hands what waits to the thread, and says what was dropped. */
void access_log_write(struct access_log *log, uint64_t now_ms);

/* The end of a turn: on a terminal, what waits is handed to the thread, so that a line stands
 * where its reader looks for it. */
void access_log_end_turn(struct access_log *log, struct clock *clock);

/* When access_log_write is due; TIMER_NEVER when nothing waits. */
uint64_t access_log_due_ms(const struct access_log *log);

/* Has the file opened again. */
void access_log_reopen(struct access_log *log);

/* Lines that were dropped so far. */
uint64_t access_log_dropped(const struct access_log *log);

#endif
