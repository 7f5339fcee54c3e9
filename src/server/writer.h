/* SPDX-License-Identifier: MIT */
/* server/writer.h — a thread that writes pieces of lines, so that nothing else waits for a
 * slow reader or a full disk.  All calls are for one thread, the writer's owner. */
#ifndef SERVER_WRITER_H
#define SERVER_WRITER_H

#include <stdint.h> /* uint32_t, uint64_t */

#include "server/sink.h" /* struct sink_config */

/* Lines that are handed over together.  Each piece is a switch of threads: with half as
 * much, a JSON log cost 1.7 % more of the requests, with twice as much no less. */
#define PIECE_BYTES (64u * 1024)
#define PIECE_SLACK 16u /* bytes behind them that may be written to */

/* Lines that wait together. */
struct piece {
    struct piece *next;
    uint32_t len;    /* bytes, whole lines */
    uint32_t nlines; /* lines */
    char bytes[PIECE_BYTES + PIECE_SLACK];
};

struct writer; /* owns its thread, its sink and the pieces that wait */

/* Starts a thread that writes to the sink of `config`; no more than `pieces_max` pieces
 * exist at once.  Returns 0, ERR_NOMEM, ERR_IO or ERR_ADDRESS. */
MUST_USE int writer_new(const struct sink_config *config, uint32_t pieces_max,
                        struct writer **out);

/* Waits up to `patience_ms` for what was handed over to be written. */
void writer_wait(struct writer *writer, uint32_t patience_ms);

/* Waits up to `patience_ms` for what was handed over to be written, then gives up the rest
 * and frees.  A thread that waits for a disk is left to itself and ends with its last write.
 * Returns how many lines were lost since writer_new, those that are given up included: what
 * was handed over is written or counted here, never both.  NULL is fine.  After a fork, in
 * the process that has no thread, nothing is written. */
uint64_t writer_free(struct writer *writer, uint32_t patience_ms);

/* Whether the sink is a terminal. */
bool writer_is_terminal(const struct writer *writer);

/* An empty piece, for writer_put or writer_give_back; NULL when so many wait that no more
 * is allowed, or there is no memory. */
MUST_USE struct piece *writer_take(struct writer *writer);

/* Hands a piece over to be written. */
void writer_put(struct writer *writer, struct piece *piece);

/* Has the file opened again, before what is handed over from now on is written. */
void writer_reopen(struct writer *writer);

/* How things are; a moment old. */
struct writer_state {
    uint64_t nlost;    /* lines that were handed over and could not be written */
    int error;         /* errno of the last of them; 0: none */
    int reopen_error;  /* errno of the last writer_reopen; 0: it went well */
    uint32_t nreopens; /* how often the file was opened again, or was to be */
};
void writer_state(struct writer *writer, struct writer_state *state);

#endif
