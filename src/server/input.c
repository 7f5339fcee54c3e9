/* SPDX-License-Identifier: MIT */
/* server/input.c — see input.h for the contract. */
#include "server/input.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/narrow.h"
#include "http/tally.h"
#include "http2/session.h"
#include "server/capacity.h"
#include "server/conn_state.h"
#include "server/handshake.h"
#include "server/link.h"
#include "server/preamble.h"
#include "server/protocols.h"
#include "server/refusal.h"
#include "server/tls_transport.h"
#include "server/turn.h"

/* How much is read at a time for a connection that has bytes left over, after which the
 * new ones are stored. */
#define READ_BEHIND_BYTES IO_READ_MIN

/* A cache line: the alignment of the bytes of each connection. */
#define SCRATCH_ALIGN 64u

/* Feeds the session; one that has changed the protocol leaves the rest to the next. */
static void
feed_session(struct conn *conn, struct slice *in)
{
    struct link *link = &conn->link;
    const char *end = in->ptr + in->len;

    assert(link->state == LINK_OPEN || link->state == LINK_FINISHING);
    link->protocol->ops->feed(&link->wire, link->session, in);
    assert(in->ptr + in->len == end); /* consumed from the front */
    if (LIKELY(conn->next_session == NULL))
        return;
    void *next_session = conn->next_session;
    conn->next_session = NULL;
    link_change_session(link, &h2_protocol, next_session);
    link->protocol->ops->feed(&link->wire, next_session, in);
    assert(in->ptr + in->len == end);
}

void
input_feed_kept(struct conn *conn)
{
    struct wire *wire = &conn->link.wire;
    struct slice in = buf_bytes(&wire->in);
    size_t had = in.len;

    feed_session(conn, &in);
    if (had > in.len)
        buf_consume(&wire->in, had - in.len);
}

/* Feeds bytes that were read into the shared memory; what is left over is kept. */
static int
feed_scratch(struct conn *conn, struct slice in)
{
    tally_add(conn->link.turn->service.tally, TALLY_BYTES_IN, in.len);
    feed_session(conn, &in);
    if (in.len == 0 || conn->link.state == LINK_DEAD)
        return 0;
    return buf_append(&conn->link.wire.in, in);
}

static ssize_t
read_behind(struct conn *conn)
{
    struct buf *kept = &conn->link.wire.in;
    char *at;
    int err = buf_reserve(kept, READ_BEHIND_BYTES, &at);
    if (err != 0)
        return err;
    ssize_t n = conn->io->ops->read(conn->io, at, READ_BEHIND_BYTES);
    if (n > 0) {
        tally_add(conn->link.turn->service.tally, TALLY_BYTES_IN, narrow_size(n));
        buf_commit(kept, narrow_size(n));
    }
    return n;
}

/* Of a connection that was opened before a stop began, and may bring one request more. */
static void
begin_in_stop(struct link *link)
{
    wire_hurry(&link->wire);
    if (link->protocol == &h2_protocol)
        link->protocol->ops->drain(&link->wire, link->session);
}

static int
change_protocol(struct link *link, const struct protocol *protocol)
{
    const struct service *service = link->wire.service;
    void *session = protocol->begin(&link->wire);

    if (session == NULL)
        return ERR_NOMEM;
    link_change_session(link, protocol, session);
    if (UNLIKELY(service->is_draining && !service->takes_last_call))
        begin_in_stop(link);
    return 0;
}

/* Reads after the bytes of other connections that are not fed yet. */
static ssize_t
read_scratch(struct conn *conn)
{
    struct link *link = &conn->link;
    struct turn *turn = link->turn;
    char *at = turn->scratch + turn->scratch_used;
    size_t room = TURN_SCRATCH_BYTES - turn->scratch_used;

    assert(turn->scratch_used <= TURN_SCRATCH_BYTES && link->wire.in.len == 0);
    if (UNLIKELY(room < IO_READ_MIN))
        return ERR_AGAIN; /* until the bytes read ahead have been fed */
    ssize_t n = conn->io->ops->read(conn->io, at, room);
    assert(n != 0 && n <= narrow_ssize(room));
    if (n > 0)
        capacity_judge(link, conn->io->fd);

    /* The transport is ready: the session replaces the one of the handshake. */
    if (UNLIKELY(link->protocol == &handshake_protocol) && conn->io->is_ready &&
        n != ERR_TLS_PLAIN) {
        int err =
            change_protocol(link, protocol_of_tls(&turn->service, conn->io->has_h2));
        if (err != 0)
            return err;
    }
    return n > 0 ? feed_scratch(conn, slice_new(at, narrow_size(n))) : n;
}

/* Reads a PROXY header, after which the endpoint's protocol begins. */
static int
read_preamble(struct conn *conn)
{
    struct link *link = &conn->link;
    const struct protocol *protocol = &h1_protocol;

    int err = preamble_read(&link->wire, conn->io->fd, link->turn->scratch);
    if (err == 0)
        err = tls_transport_open(conn, &protocol);
    if (err == 0)
        err = change_protocol(link, protocol);
    return err != 0 ? err : ERR_AGAIN; /* the poller reports what follows */
}

/* Handles a read that has returned `n`, an error, instead of bytes. */
static void
read_ended(struct conn *conn, int n)
{
    struct wire *wire = &conn->link.wire;

    assert(n < 0);
    if (n == ERR_AGAIN || conn->link.state == LINK_DEAD)
        return;
    if (n == ERR_TLS_PLAIN) {
        refusal_answer(conn, "Plain HTTP was sent to an HTTPS port.\r\n",
                       ERR_TLS_PLAIN);
        return;
    }
    if (n == ERR_PROXY && !wire->peer.endpoint->secure) {
        refusal_answer(conn, "A PROXY header is expected here.\r\n", ERR_PROXY);
        return;
    }
    if (n != ERR_EOF) {
        conn_abort(conn, n);
        return;
    }
    assert(!wire->at_eof); /* the end is reported once */
    wire->at_eof = true;
    conn->link.protocol->ops->on_eof(wire, conn->link.session);
}

void
input_read(struct conn *conn)
{
    struct link *link = &conn->link;
    ssize_t n;

    assert(link->state == LINK_OPEN && !link->wire.at_eof && !link_is_queued(link));
    if (UNLIKELY(link->protocol == &preamble_protocol)) {
        n = read_preamble(conn);
    } else if (link->wire.in.len == 0) {
        n = read_scratch(conn);
    } else {
        n = read_behind(conn);
        if (n > 0)
            input_feed_kept(conn);
    }
    if (n < 0)
        read_ended(conn, narrow_int(n));
}

/* Returns whether `events` only require a read into the shared memory, which may be
 * done some time before the bytes are fed. */
static bool
can_read_ahead(const struct conn *conn, unsigned events)
{
    const struct link *link = &conn->link;

    return events == POLLER_READ && link->state == LINK_OPEN && !link->wire.at_eof &&
           link->wire.in.len == 0 && conn->io->is_ready && !link_is_queued(link) &&
           link->protocol != &preamble_protocol &&
           link->protocol != &handshake_protocol;
}

static void
read_ahead(struct conn *conn)
{
    struct turn *turn = conn->link.turn;
    uint32_t at = turn->scratch_used;
    size_t room = TURN_SCRATCH_BYTES - at;

    assert(turn->nahead < TURN_AHEAD && at <= TURN_AHEAD_BYTES);
    assert(room >= IO_READ_MIN && !conn->link.is_ahead);
    ssize_t n = conn->io->ops->read(conn->io, turn->scratch + at, room);
    if (UNLIKELY(n <= 0)) {
        read_ended(conn, narrow_int(n));
        conn_update(conn);
        return;
    }
    assert(narrow_size(n) <= room);
    conn->link.is_ahead = true;
    turn->ahead[turn->nahead++] = (struct ahead){conn, at, narrow_u32(narrow_size(n))};
    turn->scratch_used =
        at + ((narrow_u32(narrow_size(n)) + SCRATCH_ALIGN - 1) & ~(SCRATCH_ALIGN - 1));
    if (turn->nahead == TURN_AHEAD || turn->scratch_used > TURN_AHEAD_BYTES)
        input_feed_all(turn);
}

void
input_take(struct conn *conn, unsigned events)
{
    struct turn *turn = conn->link.turn;

    assert(turn->is_running);
    if (events == POLLER_READ && link_is_queued(&conn->link))
        return; /* the poller reports it again */
    turn->ntaken += conn->io->is_ready;
    if (can_read_ahead(conn, events)) {
        read_ahead(conn);
        return;
    }
    input_feed_all(turn);
    conn_on_event(conn, events);
    turn_serve_some(turn);
}

/* Feeds what was read ahead. */
static void
feed_ahead(struct conn *conn, struct slice in)
{
    struct link *link = &conn->link;

    assert(link->is_ahead && in.len > 0);
    link->is_ahead = false;
    if (link->state != LINK_OPEN)
        return;
    capacity_judge(link, conn->io->fd); /* now: the ones before it may have taken
                                           long */
    link_begin_budget(link);
    int err = feed_scratch(conn, in);
    if (UNLIKELY(err != 0))
        conn_abort(conn, err);
    if (UNLIKELY(conn->is_mute))
        turn_touch(link->turn, link);
    if (!link_is_touched(link)) /* otherwise it is updated when it is served */
        conn_update(conn);
}

void
input_feed_all(struct turn *turn)
{
    for (uint32_t i = 0; i < turn->nahead; i++) {
        const struct ahead *ahead = &turn->ahead[i];
        feed_ahead(ahead->conn, slice_new(turn->scratch + ahead->at, ahead->len));
        turn_serve_some(turn);
    }
    turn->nahead = 0;
    turn->scratch_used = 0;
}
