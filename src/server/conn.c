/* SPDX-License-Identifier: MIT */
/* server/conn.c — see conn.h for the contract.
 *
 * Received bytes pass from on_ready to input to the session's feed. Sent bytes are put
 * into wire.out; the session touches the wire, and serve() writes them. Each entry
 * point ends with conn_update(). */
#include "server/conn.h"

#include <assert.h> /* assert */
#include <unistd.h> /* close */

#include "base/err.h"
#include "http2/session.h"
#include "net/os.h"
#include "server/disconnect.h"
#include "server/ending.h"
#include "server/input.h"
#include "server/link.h"
#include "server/output.h"
#include "server/pace.h"
#include "server/preamble.h"
#include "server/protocols.h"
#include "server/refusal.h"
#include "server/tls_transport.h"
#include "server/turn.h"

static void
update_watch(struct conn *conn)
{
    struct link *link = &conn->link;

    if (UNLIKELY(conn->is_hung_up)) {
        disconnect_update(conn);
        return;
    }
    unsigned events = conn->wants_write || conn->io->wants_write ? POLLER_WRITE : 0;

    if (conn_is_reading(conn)) {
        events |= POLLER_READ;
        if (conn->io->has_more)
            turn_touch(link->turn, link);
    } else if (link->state == LINK_OPEN && !link->wire.at_eof && !link->wire.is_shut) {
        events |= POLLER_HUP;
    }
    if (events == conn->watch.events)
        return;
    if ((events & POLLER_HUP) != 0)
        turn_touch(link->turn, link); /* notifies the session that reading has
                                         stopped */
    if (poller_watch(link->turn->poller, &conn->watch, events) != 0)
        conn_abort(conn, ERR_IO);
}

void
conn_update(struct conn *conn)
{
    if (conn->link.state == LINK_DEAD)
        return;
    link_update_timer(&conn->link, conn->send_due_ms);
    update_watch(conn);
}

static void
drained(struct conn *conn)
{
    struct link *link = &conn->link;

    if (!conn->was_high || link->wire.out.bytes > HTTP_OUT_LOW_BYTES)
        return;
    conn->was_high = false;
    link->protocol->ops->on_drained(&link->wire, link->session);
}

void
conn_note_shut(struct conn *conn)
{
    struct link *link = &conn->link;

    if (link->state != LINK_OPEN || link->wire.is_shut || conn_is_reading(conn))
        return;
    link->wire.is_shut = true;
    if (link->protocol->ops->on_shut != NULL)
        link->protocol->ops->on_shut(&link->wire, link->session);
}

/* Returns whether the next step of its handshake, which costs a hundred times as much as
 * a request, waits for its turn like a connection whose budget is spent. Otherwise
 * nobody else is ready. */
static bool
must_queue(const struct conn *conn)
{
    const struct turn *turn = conn->link.turn;

    return !conn->io->is_ready && (turn->nfound > 1 || turn_is_shared(turn));
}

void
conn_on_event(struct conn *conn, unsigned events)
{
    struct link *link = &conn->link;

    assert((events & (POLLER_READ | POLLER_DEAD)) != (POLLER_READ | POLLER_DEAD));
    if (link->state == LINK_DEAD)
        return;
    if ((events & POLLER_DEAD) != 0) {
        disconnect_hang_up(conn);
        conn_update(conn);
        return;
    }
    if ((events & POLLER_READ) != 0 && UNLIKELY(must_queue(conn))) {
        turn_queue(link->turn, link);
        return; /* the poller reports other events again */
    }
    if ((events & POLLER_READ) != 0 && !link_is_queued(link)) {
        link_begin_budget(link);
        if (link->state == LINK_LINGERING)
            ending_discard(conn);
        else if (link->state == LINK_OPEN && !link->wire.at_eof)
            input_read(conn);
    }
    if ((events & POLLER_HUP) != 0)
        conn_note_shut(conn);
    if ((events & POLLER_WRITE) != 0) {
        pace_judge(conn);
        turn_touch(link->turn, link);
    }
    conn_update(conn);
}

/* struct watch */

static void
on_ready(struct watch *watch, unsigned events)
{
    input_take(container_of(watch, struct conn, watch), events);
}

static void
conn_log(struct conn *conn, int why)
{
    refusal_log(&conn->link, why, why == ERR_TLS ? conn->io->detail : NULL);
}

/* struct link_ops */

static void
serve(struct link *link)
{
    struct conn *conn = conn_of(link);

    if (UNLIKELY(conn->io->has_more || conn->is_hung_up) && conn_is_reading(conn) &&
        !link->is_ahead)
        conn_on_event(conn, POLLER_READ);
    link_begin_budget(link);
    link->protocol->ops->before_flush(&link->wire, link->session);
    if (link->state != LINK_DEAD)
        output_flush(conn);
    if (link->state != LINK_DEAD)
        drained(conn);
    if (link->state == LINK_OPEN || link->state == LINK_FINISHING)
        input_feed_kept(conn);
    if (UNLIKELY(conn->is_mute))
        disconnect_read_rest(conn);
    else if (link->state == LINK_FINISHING && link->wire.out.bytes == 0)
        ending_begin(conn);
    conn_update(conn);
}

static void
go_on(struct link *link)
{
    struct conn *conn = conn_of(link);

    if (link->state == LINK_OPEN && LIKELY(conn->io->is_ready))
        input_feed_kept(conn);
    else if (link->state == LINK_OPEN && !link->wire.at_eof)
        input_read(conn);
    if (UNLIKELY(conn->is_mute))
        turn_touch(link->turn, link);
    conn_update(conn);
}

static void
on_timer(struct link *link)
{
    struct conn *conn = conn_of(link);

    if (conn->send_due_ms <= turn_now_ms(link->turn))
        conn_abort(conn, conn->is_mute ? ERR_RESET : ERR_SEND_TIMEOUT);
    else if (link->state == LINK_LINGERING)
        ending_close(conn, false);
    else if (link->wire.read_due_ms <= turn_now_ms(link->turn) && !link_is_queued(link))
        link->protocol->ops->on_deadline(&link->wire, link->session);
    conn_update(conn);
}

static void
abort_now(struct link *link, int why)
{
    conn_log(conn_of(link), why);
    /* A reset would overtake the alert that notifies the peer of a TLS error. */
    ending_close(conn_of(link), why != ERR_RESET && why != ERR_TLS);
}

static void
close_now(struct link *link)
{
    ending_close(conn_of(link), false);
}

static void
free_conn(struct link *link)
{
    struct conn *conn = conn_of(link);

    assert(!conn->watch.is_on && conn->next_session == NULL);
    tls_transport_free(conn);
    pool_give(&link->turn->conn_pool, conn);
}

/* The number stays in use, so that a later close of it cannot close a descriptor that
 * this process has opened since. */
static void
disown(struct link *link, int dead)
{
    int fd = conn_of(link)->io->fd;

    if (fd != -1)
        os_replace(fd, dead);
}

static const struct link_ops link_ops = {
    .serve = serve,
    .go_on = go_on,
    .on_timer = on_timer,
    .abort = abort_now,
    .close = close_now,
    .free = free_conn,
    .disown = disown,
};

/* struct wire_ops */

static void
wire_flush(struct wire *wire)
{
    struct conn *conn = conn_of(link_of(wire));

    if (output_ahead(conn))
        conn_update(conn);
}

static void
wire_owe_drained(struct wire *wire)
{
    conn_of(link_of(wire))->was_high = true;
    link_touch(wire);
}

static void
wire_finish(struct wire *wire, int why)
{
    struct link *link = link_of(wire);

    if (link->state != LINK_OPEN)
        return;
    conn_log(conn_of(link), why);
    link->state = LINK_FINISHING;
    turn_touch(link->turn, link);
}

static void
wire_abort(struct wire *wire, int why)
{
    link_abort(link_of(wire), why);
}

static void
wire_complain(struct wire *wire, int why)
{
    conn_log(conn_of(link_of(wire)), why);
}

static int
wire_change_to_h2(struct wire *wire, const struct http_head *head,
                  struct slice settings)
{
    struct conn *conn = conn_of(link_of(wire));

    assert(conn->next_session == NULL && conn->link.state == LINK_OPEN);
    conn->next_session = head == NULL ? h2_protocol.begin(wire)
                                      : h2_begin_upgraded(wire, head, settings);
    return conn->next_session != NULL ? 0 : ERR_NOMEM;
}

static const struct wire_ops wire_ops = {
    .touch = link_touch,
    .touch_later = link_touch_later,
    .yield = link_yield,
    .flush = wire_flush,
    .owe_drained = wire_owe_drained,
    .finish = wire_finish,
    .abort = wire_abort,
    .complain = wire_complain,
    .change_to_h2 = wire_change_to_h2,
};

/* Opening */

/* Chooses the first protocol: PROXY, TLS, or HTTP. */
static int
open_transport(struct conn *conn, const struct endpoint *endpoint)
{
    if (endpoint == NULL || LIKELY(endpoint->proxy == 0))
        return tls_transport_open(conn, &conn->link.protocol);
    conn->link.protocol = &preamble_protocol;
    return 0;
}

static int
begin_session(struct link *link)
{
    link->session = link->protocol->begin(&link->wire);
    return link->session != NULL ? 0 : ERR_NOMEM;
}

int
conn_open(struct turn *turn, int fd, const struct addr *peer, struct endpoint *endpoint,
          const struct protocol *protocol)
{
    struct conn *conn = pool_take(&turn->conn_pool);
    if (conn == NULL) {
        close(fd);
        return ERR_NOMEM;
    }

    struct link *link = &conn->link;
    *conn = (struct conn){.send_due_ms = TIMER_NEVER};
    link_init(link, turn, &link_ops, &wire_ops, protocol);
    io_plain_init(&conn->plain, fd);
    watch_init(&conn->watch, fd, on_ready);
    conn->io = &conn->plain;
    link_set_peer(link, peer, endpoint);
    int err = open_transport(conn, endpoint);
    if (err != 0)
        goto fail;
    assert(conn->io == &conn->plain || endpoint->secure);
    err = begin_session(link);
    if (err != 0)
        goto fail;
    err = poller_watch(turn->poller, &conn->watch, POLLER_READ);
    if (err != 0)
        goto fail;
    link_begin(link);
    link_update_timer(link, conn->send_due_ms);
    if (UNLIKELY(link->protocol == &preamble_protocol) &&
        !preamble_is_allowed(&link->wire))
        conn_abort(conn, ERR_PROXY_SENDER);
    return 0;

fail:
    if (link->session != NULL)
        link->protocol->ops->fini(&link->wire, link->session, err);
    conn->io->ops->close(conn->io, true);
    tls_transport_free(conn);
    pool_give(&turn->conn_pool, conn);
    return err;
}
