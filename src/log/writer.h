/* SPDX-License-Identifier: MIT */
/* log/writer.h — a thread that writes buffers of lines, so that nothing else waits
 * for a slow reader or a full disk. All functions must be called on one thread, the
 * owner's. */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include <stdint.h> /* uint32_t, uint64_t */

#include "log/sink.h" /* struct sink_config */

/* The size of a buffer. Each buffer causes a thread switch: with half the size, a
 * JSON log slowed requests by 1.7 % more; twice the size gained nothing. */
#define PIECE_BYTES (64u * 1024)
#define PIECE_SLACK 16u /* bytes after them that may be overwritten */

/* A buffer of lines. */
struct piece {
    struct piece *next;
    uint32_t len;    /* bytes, whole lines */
    uint32_t nlines; /* lines */
    char bytes[PIECE_BYTES + PIECE_SLACK];
};

struct writer; /* owns its thread, its sink and the waiting buffers */

/* Starts a thread that writes to the sink of `config`, with at most `pieces_max`
 * buffers.  Returns 0, ERR_NOMEM, ERR_IO or ERR_ADDRESS. */
MUST_USE int writer_new(const struct sink_config *config, uint32_t pieces_max,
                        struct writer **out);

/* Waits up to `patience_ms` until the buffers passed to it have been written. Not in a
 * forked process. */
void writer_wait(struct writer *writer, uint32_t patience_ms);

/* Waits up to `patience_ms` until the buffers have been written, then abandons the
 * rest and frees the writer. A thread that is blocked on a disk is detached and ends
 * after its write. Returns the number of lines lost since writer_new, including
 * abandoned ones: each line is either written or counted here, never both. `writer`
 * may be NULL. In a forked process, which has no thread, nothing is written. */
uint64_t writer_free(struct writer *writer, uint32_t patience_ms);

/* Returns whether the sink is a terminal. */
bool writer_is_terminal(const struct writer *writer);

/* Returns an empty buffer for writer_put, or NULL if the maximum number is waiting
 * or there is no memory. */
MUST_USE struct piece *writer_take(struct writer *writer);

/* Passes a buffer to the thread. */
void writer_put(struct writer *writer, struct piece *piece);

/* Reopens the file before buffers that are passed from now on are written. */
void writer_reopen(struct writer *writer);

/* The state of the writer. */
struct writer_state {
    uint64_t nlost;    /* lines that could not be written */
    int error;         /* errno of the last failure; 0: none */
    int reopen_error;  /* errno of the last writer_reopen; 0: success */
    uint32_t nreopens; /* number of attempts to reopen the file */
};
void writer_state(struct writer *writer, struct writer_state *state);

#endif
