/* SPDX-License-Identifier: MIT */
/* server/conn.c — see conn.h for the contract.
 *
 * Bytes come up by conn_on_event -> read_some -> session feed; bytes go down into
 * wire.out, the session touches the wire, and conn_serve writes.  Whatever happened, each
 * entry ends in update(), which sets the timer and what the poller watches. */
#include "server/conn.h"

#include <assert.h> /* assert */
#include <unistd.h> /* close */

#include "base/err.h"
#include "base/narrow.h"
#include "http2/session.h"
#include "server/ending.h"
#include "server/gone.h"
#include "server/hello.h"
#include "server/output.h"
#include "server/preamble.h"
#include "server/protocols.h"
#include "server/refusal.h"
#include "server/room.h"
#include "server/secure.h"
#include "server/turn.h"

/* A connection with bytes left over reads behind them, this much at a time. */
#define READ_BEHIND_BYTES IO_READ_MIN

static struct conn *
conn_of(struct wire *wire)
{
    return container_of(wire, struct conn, wire);
}

static void
update_timer(struct conn *conn)
{
    uint64_t due = conn->wire.read_due_ms;

    assert(conn->state != CONN_DEAD); /* whose timer is in no wheel any more */
    if (conn->send_due_ms < due)
        due = conn->send_due_ms;
    if (due == conn->timer.due_ms)
        return;
    timer_set(&conn->turn->wheel, &conn->timer, due);
    turn_note_due(conn->turn, due);
}

/* A connection that had more to do than its last budget allowed gets no new one for what it
 * brings now, as long as others wait: it goes behind them first. */
static void
begin_budget(struct conn *conn)
{
    struct turn *turn = conn->turn;

    if (conn_is_queued(conn))
        return;
    if (conn->is_busy && turn_is_shared(turn))
        budget_end(&conn->wire.budget);
    else
        budget_begin(&conn->wire.budget, clock_last_ns(&turn->service.clock));
    conn->is_busy = false;
}

static void
update_watch(struct conn *conn)
{
    if (UNLIKELY(conn->is_hung_up)) {
        gone_update(conn);
        return;
    }
    unsigned events = conn->wants_write || conn->io->wants_write ? POLLER_WRITE : 0;

    if (conn_is_reading(conn)) {
        events |= POLLER_READ;
        if (conn->io->has_more)
            turn_touch(conn->turn, conn);
    } else if (conn->state == CONN_OPEN && !conn->wire.at_eof && !conn->wire.is_shut) {
        events |= POLLER_HUP;
    }
    if (events == conn->watched)
        return;
    if ((events & POLLER_HUP) != 0)
        turn_touch(conn->turn, conn); /* the session learns that reading has stopped */
    if (poller_set(conn->turn->poller, conn->io->fd, events, conn, true) != 0)
        conn_abort(conn, ERR_IO);
    conn->watched = narrow_u8(events);
}

static void
update(struct conn *conn)
{
    if (conn->state == CONN_DEAD)
        return;
    update_timer(conn);
    update_watch(conn);
}

void
conn_abort(struct conn *conn, int why)
{
    if (conn->state == CONN_DEAD)
        return;
    refusal_complain(conn, why);
    /* A reset would overtake the alert that tells a peer of a TLS error. */
    ending_close(conn, why != ERR_RESET && why != ERR_TLS);
}

static void
flush(struct conn *conn)
{
    struct wire *wire = &conn->wire;

    conn->was_high = conn->was_high || wire->out.bytes > HTTP_OUT_HIGH_BYTES;
    if (UNLIKELY(conn->is_mute)) {
        outq_sent(&wire->out, outq_ready(&wire->out));
        return;
    }
    if (outq_ready(&wire->out) == 0 && wire->out.held == 0 && !conn->io->wants_write)
        return;
    int err = output_write(conn);
    conn->wants_write = err == ERR_AGAIN;
    if (err == ERR_AGAIN)
        output_set_due(conn);
    else if (err == ERR_RESET && conn->state == CONN_OPEN)
        gone_mute(conn);
    else if (err != 0)
        conn_abort(conn, err);
}

static void
drained(struct conn *conn)
{
    if (!conn->was_high || conn->wire.out.bytes > HTTP_OUT_LOW_BYTES)
        return;
    conn->was_high = false;
    conn->protocol->ops->on_drained(&conn->wire, conn->session);
}

static void
change_session(struct conn *conn, const struct protocol *protocol, void *session)
{
    assert(session != NULL && conn->protocol != protocol && conn->heir == NULL);
    conn->protocol->ops->fini(&conn->wire, conn->session, 0);
    conn->protocol = protocol;
    conn->session = session;
}

/* Feeds the session; one that has changed the protocol leaves the rest to the next. */
static void
feed_session(struct conn *conn, struct slice *in)
{
    const char *end = in->ptr + in->len;

    assert(conn->state == CONN_OPEN || conn->state == CONN_FINISHING);
    conn->protocol->ops->feed(&conn->wire, conn->session, in);
    assert(in->ptr + in->len == end); /* taken off the front */
    if (LIKELY(conn->heir == NULL))
        return;
    void *heir = conn->heir;
    conn->heir = NULL;
    change_session(conn, &h2_protocol, heir);
    conn->protocol->ops->feed(&conn->wire, heir, in);
    assert(in->ptr + in->len == end);
}

/* Lets the session take what is kept, or just settle. */
static void
feed_kept(struct conn *conn)
{
    struct wire *wire = &conn->wire;
    struct slice in = buf_bytes(&wire->in);
    size_t had = in.len;

    feed_session(conn, &in);
    if (had > in.len)
        buf_consume(&wire->in, had - in.len);
}

void
conn_serve(struct conn *conn)
{
    if (conn->state == CONN_DEAD)
        return;
    list_remove(&conn->link); /* the last to be served is the last in the list */
    list_append(&conn->turn->conns, &conn->link);
    if (UNLIKELY(conn->io->has_more || conn->is_hung_up) && conn_is_reading(conn) &&
        !conn->is_ahead)
        conn_on_event(conn, POLLER_READ);
    begin_budget(conn);
    conn->protocol->ops->before_flush(&conn->wire, conn->session);
    if (conn->state != CONN_DEAD)
        flush(conn);
    if (conn->state != CONN_DEAD)
        drained(conn);
    if (conn->state == CONN_OPEN || conn->state == CONN_FINISHING)
        feed_kept(conn);
    if (UNLIKELY(conn->is_mute))
        gone_read_rest(conn);
    else if (conn->state == CONN_FINISHING && conn->wire.out.bytes == 0)
        ending_begin(conn);
    update(conn);
}

void
conn_go_on(struct conn *conn)
{
    assert(!conn_is_queued(conn) && conn->state != CONN_DEAD);
    budget_begin(&conn->wire.budget, clock_last_ns(&conn->turn->service.clock));
    conn->is_busy = false;
    if (conn->state == CONN_OPEN)
        feed_kept(conn);
    if (UNLIKELY(conn->is_mute))
        turn_touch(conn->turn, conn);
    update(conn);
}

/* Feeds bytes that were read into the shared memory; what is left over is kept. */
static int
feed_scratch(struct conn *conn, struct slice in)
{
    tally_add(conn->turn->service.tally, TALLY_BYTES_IN, in.len);
    feed_session(conn, &in);
    if (in.len == 0 || conn->state == CONN_DEAD)
        return 0;
    return buf_append(&conn->wire.in, in);
}

static ssize_t
read_behind(struct conn *conn)
{
    char *at;
    int err = buf_reserve(&conn->wire.in, READ_BEHIND_BYTES, &at);
    if (err != 0)
        return err;
    ssize_t n = conn->io->ops->read(conn->io, at, READ_BEHIND_BYTES);
    if (n > 0) {
        tally_add(conn->turn->service.tally, TALLY_BYTES_IN, narrow_size(n));
        buf_commit(&conn->wire.in, narrow_size(n));
    }
    return n;
}

/* The transport is ready: the session takes over from the handshake's. */
static int
choose_session(struct conn *conn)
{
    const struct service *service = &conn->turn->service;
    const struct protocol *protocol = protocol_by_alpn(service, conn->io->alpn);
    void *session = protocol->begin(&conn->wire);

    if (session == NULL)
        return ERR_NOMEM;
    change_session(conn, protocol, session);
    return 0;
}

/* Reads behind what other connections have there still. */
static ssize_t
read_scratch(struct conn *conn)
{
    struct turn *turn = conn->turn;
    char *at = turn->scratch + turn->scratch_used;
    size_t room = TURN_SCRATCH_BYTES - turn->scratch_used;

    assert(turn->scratch_used <= TURN_SCRATCH_BYTES && conn->wire.in.len == 0);
    if (UNLIKELY(room < IO_READ_MIN))
        return ERR_AGAIN; /* until what is ahead has been fed */
    ssize_t n = conn->io->ops->read(conn->io, at, room);
    assert(n != 0 && n <= narrow_ssize(room));
    if (n > 0)
        room_judge(conn);

    if (UNLIKELY(conn->protocol == &hello_protocol) && conn->io->is_ready &&
        n != ERR_TLS_PLAIN) {
        int err = choose_session(conn);
        if (err != 0)
            return err;
    }
    return n > 0 ? feed_scratch(conn, slice_new(at, narrow_size(n))) : n;
}

/* Takes a PROXY header; behind it begins what the endpoint speaks. */
static int
read_preamble(struct conn *conn)
{
    const struct protocol *protocol = &h1_protocol;

    int err = preamble_read(&conn->wire, conn->io->fd, conn->turn->scratch);
    if (err == 0)
        err = secure_open(conn, &protocol);
    if (err != 0)
        return err;
    void *session = protocol->begin(&conn->wire);
    if (session == NULL)
        return ERR_NOMEM;
    change_session(conn, protocol, session);
    return ERR_AGAIN; /* the poller tells of what follows */
}

/* A read has brought `n`, an error, in place of bytes. */
static void
read_ended(struct conn *conn, int n)
{
    struct wire *wire = &conn->wire;

    assert(n < 0);
    if (n == ERR_AGAIN || conn->state == CONN_DEAD)
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
    assert(!wire->at_eof); /* the end comes once */
    wire->at_eof = true;
    conn->protocol->ops->on_eof(wire, conn->session);
}

static void
read_some(struct conn *conn)
{
    struct wire *wire = &conn->wire;
    ssize_t n;

    if (UNLIKELY(conn->protocol == &preamble_protocol)) {
        n = read_preamble(conn);
    } else if (wire->in.len == 0) {
        n = read_scratch(conn);
    } else {
        n = read_behind(conn);
        if (n > 0)
            feed_kept(conn);
    }
    if (n < 0)
        read_ended(conn, narrow_int(n));
}

void
conn_note_shut(struct conn *conn)
{
    if (conn->state != CONN_OPEN || conn->wire.is_shut || conn_is_reading(conn))
        return;
    conn->wire.is_shut = true;
    if (conn->protocol->ops->on_shut != NULL)
        conn->protocol->ops->on_shut(&conn->wire, conn->session);
}

void
conn_on_event(struct conn *conn, unsigned events)
{
    assert((events & (POLLER_READ | POLLER_DEAD)) != (POLLER_READ | POLLER_DEAD));
    if (conn->state == CONN_DEAD)
        return;
    if ((events & POLLER_DEAD) != 0) {
        gone_hang_up(conn);
        update(conn);
        return;
    }
    if (UNLIKELY(!conn->io->is_ready) && (events & POLLER_READ) != 0 &&
        conn->turn->nhandshakes++ >= TURN_HANDSHAKES)
        return; /* the poller says it again */
    if ((events & POLLER_READ) != 0 && !conn_is_queued(conn)) {
        begin_budget(conn);
        if (conn->state == CONN_LINGERING)
            ending_swallow(conn);
        else if (conn->state == CONN_OPEN && !conn->wire.at_eof)
            read_some(conn);
    }
    if ((events & POLLER_HUP) != 0)
        conn_note_shut(conn);
    if ((events & POLLER_WRITE) != 0)
        turn_touch(conn->turn, conn);
    update(conn);
}

bool
conn_can_read_ahead(const struct conn *conn, unsigned events)
{
    return events == POLLER_READ && conn->state == CONN_OPEN && !conn->wire.at_eof &&
           conn->wire.in.len == 0 && conn->io->is_ready && !conn_is_queued(conn) &&
           conn->protocol != &preamble_protocol && conn->protocol != &hello_protocol;
}

size_t
conn_read_ahead(struct conn *conn, char *at, size_t room)
{
    assert(room >= IO_READ_MIN && !conn->is_ahead);
    ssize_t n = conn->io->ops->read(conn->io, at, room);

    conn->is_ahead = n > 0;
    if (LIKELY(n > 0))
        return narrow_size(n);
    read_ended(conn, narrow_int(n));
    update(conn);
    return 0;
}

void
conn_feed(struct conn *conn, struct slice in)
{
    assert(conn->is_ahead && in.len > 0);
    conn->is_ahead = false;
    if (conn->state != CONN_OPEN)
        return;
    room_judge(conn); /* now: the requests before it may have taken long */
    begin_budget(conn);
    int err = feed_scratch(conn, in);
    if (UNLIKELY(err != 0))
        conn_abort(conn, err);
    if (UNLIKELY(conn->is_mute))
        turn_touch(conn->turn, conn);
    update(conn);
}

void
conn_on_timer(struct conn *conn)
{
    if (conn->state == CONN_DEAD)
        return;
    if (conn->send_due_ms <= turn_now_ms(conn->turn))
        conn_abort(conn, conn->is_mute ? ERR_RESET : ERR_SEND_TIMEOUT);
    else if (conn->state == CONN_LINGERING)
        ending_close(conn, false);
    else if (conn->wire.read_due_ms <= turn_now_ms(conn->turn) &&
             !conn_is_queued(conn)) /* what it waits for may be here */
        conn->protocol->ops->on_deadline(&conn->wire, conn->session);
    update(conn);
}

static void
wire_touch(struct wire *wire)
{
    turn_touch(conn_of(wire)->turn, conn_of(wire));
}

static void
wire_touch_later(struct wire *wire)
{
    turn_touch_later(conn_of(wire)->turn, conn_of(wire));
}

static void
wire_yield(struct wire *wire)
{
    struct conn *conn = conn_of(wire);

    conn->is_busy = true;
    turn_queue(conn->turn, conn);
}

static void
wire_flush(struct wire *wire)
{
    struct conn *conn = conn_of(wire);

    /* A mute one drops once a turn, or a task that only sends would never let it end. */
    if (conn->state == CONN_DEAD || conn->wants_write || conn->is_mute)
        return;
    flush(conn);
    update(conn);
}

static void
wire_finish(struct wire *wire, int why)
{
    struct conn *conn = conn_of(wire);

    if (conn->state != CONN_OPEN)
        return;
    refusal_complain(conn, why);
    conn->state = CONN_FINISHING;
    turn_touch(conn->turn, conn);
}

static void
wire_abort(struct wire *wire, int why)
{
    conn_abort(conn_of(wire), why);
}

static void
wire_complain(struct wire *wire, int why)
{
    refusal_complain(conn_of(wire), why);
}

static int
wire_change_to_h2(struct wire *wire, const struct http_head *head,
                  struct slice settings)
{
    struct conn *conn = conn_of(wire);

    assert(conn->heir == NULL && conn->state == CONN_OPEN);
    conn->heir = head == NULL ? h2_protocol.begin(wire)
                              : h2_begin_upgraded(wire, head, settings);
    return conn->heir != NULL ? 0 : ERR_NOMEM;
}

static const struct wire_ops wire_ops = {
    .touch = wire_touch,
    .touch_later = wire_touch_later,
    .yield = wire_yield,
    .flush = wire_flush,
    .finish = wire_finish,
    .abort = wire_abort,
    .complain = wire_complain,
    .change_to_h2 = wire_change_to_h2,
};

int
conn_open(struct turn *turn, int fd, const struct addr *peer, struct endpoint *endpoint,
          const struct protocol *protocol)
{
    struct conn *conn = pool_take(&turn->conn_pool);
    if (conn == NULL) {
        close(fd);
        return ERR_NOMEM;
    }

    *conn = (struct conn){
        .wire = {.ops = &wire_ops, .service = &turn->service},
        .turn = turn,
        .protocol = protocol,
        .send_due_ms = TIMER_NEVER,
        .watched = POLLER_READ,
    };
    io_plain_init(&conn->plain, fd);
    conn->io = &conn->plain;
    buf_init(&conn->wire.in);
    outq_init(&conn->wire.out, &turn->out_pools);
    conn->wire.peer.endpoint = endpoint;
    peer_addr_set(&conn->wire.peer.addr, peer);
    forwarding_judge(&turn->service.forwarding, &conn->wire.peer);
    list_init(&conn->dirty);
    list_init(&conn->later);
    list_init(&conn->queued);
    timer_init(&conn->timer);
    int err = 0;
    if (endpoint != NULL && UNLIKELY(endpoint->proxy != 0))
        conn->protocol = &preamble_protocol;
    else
        err = secure_open(conn, &conn->protocol);
    if (err != 0)
        goto fail;
    assert(conn->io == &conn->plain || endpoint->secure);
    err = ERR_NOMEM;
    conn->session = conn->protocol->begin(&conn->wire);
    if (conn->session == NULL)
        goto fail;
    err = poller_set(turn->poller, fd, POLLER_READ, conn, false);
    if (err != 0)
        goto fail;
    list_append(&turn->conns, &conn->link);
    room_enter(conn);
    turn->nconns++;
    update_timer(conn);
    if (UNLIKELY(conn->protocol == &preamble_protocol) &&
        !preamble_is_allowed(&conn->wire))
        conn_abort(conn, ERR_PROXY_SENDER);
    return 0;

fail:
    if (conn->session != NULL)
        conn->protocol->ops->fini(&conn->wire, conn->session, err);
    conn->io->ops->close(conn->io, true);
    secure_free(conn);
    pool_give(&turn->conn_pool, conn);
    return err;
}

void
conn_bury(struct conn *conn)
{
    struct turn *turn = conn->turn;

    assert(conn->state == CONN_DEAD && turn->nconns > 0);
    assert(list_is_empty(&conn->dirty) && list_is_empty(&conn->later));
    assert(!conn_is_queued(conn) && conn->timer.due_ms == TIMER_NEVER);
    conn->protocol->ops->fini(&conn->wire, conn->session, ERR_CLOSED);
    turn->service.handler->on_peer_gone(&conn->wire.peer);
    outq_clear(&conn->wire.out);
    buf_release(&conn->wire.in);
    list_remove(&conn->link);
    turn->nconns--;
    room_leave(conn);
    secure_free(conn);
    pool_give(&turn->conn_pool, conn);
    turn->on_conn_gone(turn);
}
