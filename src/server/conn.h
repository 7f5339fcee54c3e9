/* SPDX-License-Identifier: MIT */
/* server/conn.h — one connection: its transport, its bytes both ways, its deadline, and
 * the session that speaks a protocol on it.  Closing marks; the end of the turn frees. */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include "base/list.h"    /* struct list_node */
#include "base/timer.h"   /* struct timer */
#include "http/session.h" /* struct wire */
#include "net/addr.h"     /* struct addr */
#include "net/io.h"       /* struct io */

struct turn;

enum conn_state {
    CONN_OPEN = 0,
    CONN_FINISHING, /* what is queued goes out, then the connection ends */
    CONN_LINGERING, /* our side is shut; what the peer still sends is swallowed */
    CONN_DEAD,      /* the descriptor is closed; freed at the end of the turn */
};

struct conn {
    struct wire wire; /* lent to the session */
    struct io *io;    /* `plain`, or that of a struct io_tls that we own */
    struct io plain;
    struct turn *turn; /* borrowed; outlives the connection */
    const struct protocol *protocol;
    void *session; /* owned; freed by protocol->ops->fini */
    void
        *heir; /* owned; of HTTP/2, takes over when the session has returned; or NULL */
    struct list_node link;   /* in turn->conns */
    struct list_node dirty;  /* in turn->dirty or turn->dead, or in no list */
    struct list_node queued; /* in turn->queued: its budget is spent; or in no list */
    struct list_node later;  /* in turn->later, or in no list */
    struct timer timer;
    uint64_t send_due_ms;   /* when the peer must have taken bytes; TIMER_NEVER */
    uint64_t linger_end_ms; /* CONN_LINGERING: when it ends, whatever comes */
    uint8_t state;          /* enum conn_state */
    uint8_t watched;        /* what the poller watches, of enum poller_event */
    bool wants_write;       /* the transport took less than was offered */
    bool was_high;          /* on_drained is owed */
    bool is_busy;           /* it has spent its last budget */
    bool is_mute;    /* the peer takes no bytes any more: output is dropped, what has
                             come is read, then it is closed */
    bool is_hung_up; /* the peer has closed, and the poller is not asked any more */
    bool is_over; /* opened beyond limits.connections: its requests are refused as long
                        as there is no room */
    bool is_ousted; /* it ends, and counts in turn->nextra */
    bool is_ahead;  /* conn_feed is owed what conn_read_ahead has brought */
};

/* Whether its socket is read when something comes. */
static inline bool
conn_is_reading(const struct conn *conn)
{
    const struct wire *wire = &conn->wire;

    return !wire->at_eof && (conn->state == CONN_LINGERING ||
                             (conn->state == CONN_OPEN && wire->wants_read &&
                              wire->in.len < HTTP_IN_HIGH_BYTES));
}

/* The session learns that the peer has shut its side while it is not read; nothing happens
 * when reading has begun again meanwhile: then the read finds the end. */
void conn_note_shut(struct conn *conn);

/* Opens a connection over `fd`, which it owns from now on, whatever happens; over TLS
 * where the endpoint is secure.  Returns 0, or an error after which nothing is left of
 * it. */
MUST_USE int conn_open(struct turn *turn, int fd, const struct addr *peer,
                       struct endpoint *endpoint, const struct protocol *protocol);

/* The poller says that `events` (enum poller_event) are there. */
void conn_on_event(struct conn *conn, unsigned events);

/* Whether all that `events` ask for is to read into the shared memory, which may be done
 * some time before conn_feed. */
bool conn_can_read_ahead(const struct conn *conn, unsigned events);

/* Reads up to `room` bytes, at least TURN_AHEAD_BYTES, to where conn_feed is to find them.
 * Returns how many came; 0 also where the connection has ended. */
MUST_USE size_t conn_read_ahead(struct conn *conn, char *at, size_t room);

/* Feeds what was read; nothing happens where the connection is not open any more. */
void conn_feed(struct conn *conn, struct slice in);

/* Gives a connection of turn->queued, which has been taken out, a new budget and feeds what
 * is kept. */
void conn_go_on(struct conn *conn);

/* Whether it waits in turn->queued for its next budget; it is not read meanwhile. */
static inline bool
conn_is_queued(const struct conn *conn)
{
    return !list_is_empty(&conn->queued);
}

/* The timer has fired. */
void conn_on_timer(struct conn *conn);

/* Writes what is ready and lets the session go on; for connections that were touched. */
void conn_serve(struct conn *conn);

/* Closes at once; everything queued is dropped, the exchange hears `why`. */
void conn_abort(struct conn *conn, int why);

/* Frees a dead connection; its exchange hears on_close first. */
void conn_bury(struct conn *conn);

#endif
