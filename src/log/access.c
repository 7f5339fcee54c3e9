/* SPDX-License-Identifier: MIT */
/* log/access.c — see access.h for the contract. */
#include "log/access.h"

#include <assert.h> /* assert */
#include <errno.h>  /* errno */
#include <unistd.h> /* getpid */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "base/timer.h"
#include "log/writer.h"

_Static_assert(PIECE_SLACK >= FORMAT_SLACK, "a line is made in a piece");

struct access_log {
    struct writer *writer;       /* owned */
    const struct format *format; /* borrowed */
    struct log *say;             /* borrowed */
    struct tally *tally;         /* borrowed */
    struct piece *piece;         /* the buffer being filled; NULL: none */
    uint64_t write_ms;           /* when its lines must be written; TIMER_NEVER */
    uint64_t look_ms;            /* when the thread's result is checked; TIMER_NEVER */
    uint64_t ndropped;           /* lines dropped for lack of room */
    uint64_t ncounted;           /* dropped lines counted in the tally */
    uint64_t nsaid;              /* dropped lines that were reported */
    uint64_t say_ms;             /* time of the next report */
    uint32_t nreopens;           /* reopens that were handled */
    struct clock_stamp stamp;
    long pid;
    bool is_prompt; /* lines are passed to the thread at the end of each turn */
};

int
access_log_new(const struct access_config *config, struct log *say, struct tally *tally,
               struct access_log **out)
{
    uint64_t npieces = config->buffer_bytes / PIECE_BYTES;
    struct access_log *log = mem_calloc(1, sizeof *log);
    if (log == NULL)
        return ERR_NOMEM;

    int err =
        writer_new(&config->sink, npieces < 2 ? 2 : narrow_u32(npieces), &log->writer);
    if (err != 0) {
        mem_free(log);
        return err;
    }
    log->format = config->format;
    log->say = say;
    log->tally = tally;
    log->write_ms = log->look_ms = TIMER_NEVER;
    log->stamp.s = -1;
    log->pid = (long)getpid();
    log->is_prompt = writer_is_terminal(log->writer);
    *out = log;
    return 0;
}

/* Passes the collected lines to the thread. */
static void
hand_over(struct access_log *log, uint64_t now_ms)
{
    assert(log->piece != NULL && log->piece->nlines > 0);
    writer_put(log->writer, log->piece);
    log->piece = NULL;
    log->write_ms = TIMER_NEVER;
    if (log->look_ms == TIMER_NEVER)
        log->look_ms = now_ms + ACCESS_LOOK_MS;
}

/* Adds all dropped lines to the tally. */
static void
access_count(struct access_log *log, uint64_t ndropped)
{
    assert(ndropped >= log->ncounted && log->ncounted >= log->nsaid);
    tally_add(log->tally, TALLY_LOG_DROPPED, ndropped - log->ncounted);
    log->ncounted = ndropped;
}

/* Reports the lines that were dropped since the last report; `error` is an errno or
 * 0. */
static void
say_dropped(struct access_log *log, uint64_t ndropped, int error)
{
    assert(ndropped > log->nsaid);
    errno = error;
    log_line(log->say, LOG_WARNING,
             error != 0 && error != EAGAIN ? "access log: %llu lines were dropped: %m"
                                           : "access log: %llu lines were dropped: "
                                             "the reader is too slow",
             (unsigned long long)(ndropped - log->nsaid));
    log->nsaid = ndropped;
}

void
access_log_settle(struct access_log *log)
{
    if (log->pid != (long)getpid()) /* the parent of a forked copy writes the lines */
        return;
    if (log->piece != NULL)
        hand_over(log, 0);
    writer_wait(log->writer, ACCESS_LAST_MS);
}

void
access_log_free(struct access_log *log)
{
    if (log == NULL)
        return;
    /* A forked copy has lost nothing itself; its parent writes the lines. */
    bool is_own = log->pid == (long)getpid();
    if (is_own && log->piece != NULL)
        hand_over(log, 0);
    uint64_t ndropped = log->ndropped + writer_free(log->writer, ACCESS_END_MS);
    if (is_own)
        access_count(log, ndropped);
    if (is_own && ndropped > log->nsaid)
        say_dropped(log, ndropped, 0);
    mem_free(log);
}

void
access_log_add(struct access_log *log, struct clock *clock, const struct stream *s)
{
    struct piece *piece = log->piece;

    if (piece != NULL && piece->len + FORMAT_LINE_BYTES > PIECE_BYTES) {
        hand_over(log, clock_ms(clock));
        piece = NULL;
    }
    if (piece == NULL) {
        log->piece = piece = writer_take(log->writer);
        if (piece == NULL) {
            log->ndropped++;
            log->look_ms = log->look_ms == TIMER_NEVER ? clock_ms(clock) : log->look_ms;
            return;
        }
        log->write_ms = clock_due(clock, ACCESS_DELAY_MS);
    }
    assert(piece->len + FORMAT_LINE_BYTES <= PIECE_BYTES);
    if (log->is_prompt)
        log->stamp.s = -1; /* a turn may be long: its lines have their own time */
    clock_stamp(&log->stamp, clock);
    struct format_facts facts = {
        .stamp = &log->stamp, .now_ns = clock_last_ns(clock), .pid = log->pid};
    piece->len +=
        narrow_u32(format_line(log->format, s, &facts, piece->bytes + piece->len));
    piece->nlines++;
}

/* Reports a file that could not be reopened. */
static void
say_reopened(struct access_log *log, const struct writer_state *state)
{
    if (state->nreopens == log->nreopens)
        return;
    log->nreopens = state->nreopens;
    errno = state->reopen_error;
    if (errno != 0)
        log_line(log->say, LOG_ERROR,
                 "access log: the file cannot be opened again: %m");
}

/* Reports dropped lines. */
static void
access_look(struct access_log *log, uint64_t now_ms)
{
    struct writer_state state;

    writer_state(log->writer, &state);
    log->look_ms = TIMER_NEVER;
    say_reopened(log, &state);
    uint64_t ndropped = log->ndropped + state.nlost;
    access_count(log, ndropped);
    if (ndropped == log->nsaid)
        return;
    if (now_ms < log->say_ms) {
        log->look_ms = log->say_ms;
        return;
    }
    say_dropped(log, ndropped, state.error);
    log->say_ms = now_ms + ACCESS_SAY_MS;
}

void
access_log_write(struct access_log *log, uint64_t now_ms)
{
    if (log->piece != NULL)
        hand_over(log, now_ms);
    if (log->look_ms <= now_ms)
        access_look(log, now_ms);
}

void
access_log_end_turn(struct access_log *log, struct clock *clock)
{
    if (log->is_prompt && log->piece != NULL)
        hand_over(log, clock_ms(clock));
}

uint64_t
access_log_due_ms(const struct access_log *log)
{
    return log->write_ms < log->look_ms ? log->write_ms : log->look_ms;
}

void
access_log_reopen(struct access_log *log)
{
    writer_reopen(log->writer);
    log->look_ms = 0;
}

uint64_t
access_log_dropped(const struct access_log *log)
{
    struct writer_state state;

    writer_state(log->writer, &state);
    return log->ndropped + state.nlost;
}
