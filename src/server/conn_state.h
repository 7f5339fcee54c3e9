/* SPDX-License-Identifier: MIT */
/* server/conn_state.h — a link over TCP or a Unix socket: its transport, and what is
 * read from and written to it. Closing only marks it; the end of the turn frees it. */
#ifndef SERVER_CONN_STATE_H
#define SERVER_CONN_STATE_H

#include "net/io.h"            /* struct io */
#include "net/poller.h"        /* struct watch */
#include "server/link_state.h" /* struct link */

struct conn {
    struct link link; /* the part that is independent of the transport */
    struct io *io;    /* `plain`, or that of a struct io_tls owned by this struct */
    struct io plain;
    struct watch watch;   /* of its descriptor; off when it has hung up, or is dead */
    void *next_session;   /* owned; the HTTP/2 session that takes over when the present
                             one has returned; or NULL */
    uint64_t send_due_ms; /* when the peer must have accepted bytes; TIMER_NEVER */
    uint64_t linger_end_ms; /* LINK_LINGERING: when it ends in any case */
    uint32_t ahead_turn;    /* the low bits of turn->number when it last wrote
                               ahead ... */
    uint32_t ahead_bytes;   /* ... and the bytes written ahead since the end of the
                               previous turn */
    bool wants_write;       /* the transport accepted less than was offered */
    bool was_high;          /* on_drained is to be called */
    bool is_fast;           /* one of turn->nfast */
    bool is_mute;    /* the peer accepts no more bytes: output is dropped, received data
                        is read, then it is closed */
    bool is_hung_up; /* the peer has closed, and the descriptor is not watched any
                        more */
};

static inline struct conn *
conn_of(struct link *link)
{
    return container_of(link, struct conn, link);
}

/* Returns whether its socket is read when data arrives. */
static inline bool
conn_is_reading(const struct conn *conn)
{
    const struct wire *wire = &conn->link.wire;

    return !wire->at_eof && (conn->link.state == LINK_LINGERING ||
                             (conn->link.state == LINK_OPEN && wire->wants_read &&
                              wire->in.len < HTTP_IN_HIGH_BYTES));
}

/* Called when its descriptor is ready for `events` (enum poller_event): reads, feeds,
 * and schedules writing for the end of the turn. */
void conn_on_event(struct conn *conn, unsigned events);

/* Sets its timer and the watched events according to its state; each entry point of a
 * connection ends with this. Does nothing if it is dead. */
void conn_update(struct conn *conn);

/* Notifies the session that the peer has shut down its side while it is not being read;
 * does nothing if reading has resumed in the meantime, since the read finds the end. */
void conn_note_shut(struct conn *conn);

/* Closes immediately, like link_abort(). */
static inline void
conn_abort(struct conn *conn, int why)
{
    link_abort(&conn->link, why);
}

#endif
