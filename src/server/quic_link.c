/* SPDX-License-Identifier: MIT */
/* server/quic_link.c — see quic_link.h for the contract.
 *
 * Packets are read as they arrive, and the requests in them run; what is to be sent is
 * written by serve() at the end of the turn, for all connections one after the other. */
#include "server/quic_link.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "http3/session.h"
#include "server/link.h"
#include "server/refusal.h"
#include "server/tls_transport.h"
#include "server/turn.h"
#include "tls/context.h"
#include "tls/info.h"

/* HTTP/3's own codes (RFC 9114 8.1). */
#define H3_NO_ERROR 0x100u
#define H3_INTERNAL_ERROR 0x102u

static uint64_t
now_ns(struct turn *turn)
{
    (void)clock_ms(&turn->service.clock); /* an application may have run */
    return clock_last_ns(&turn->service.clock);
}

static void
quic_link_update(struct quic_link *conn)
{
    struct link *link = &conn->link;
    const uint64_t due_ns = conn->quic.expiry.due_ns;

    if (link->state == LINK_DEAD)
        return;
    link_update_timer(link, TIMER_NEVER);
    if (due_ns != EXPIRY_NEVER)
        turn_note_due(link->turn, due_ns / 1000000 + 1);
}

/* Returns why a connection that has failed ended, as an enum err. An internal error is
 * that of a library without memory: the peer has done nothing wrong. */
static int
quic_link_why_of(const struct quic_conn *conn)
{
    const ngtcp2_ccerr *closing = &conn->closing;

    if (conn->why != 0)
        return conn->why;
    if (conn->is_silent)
        return conn->is_established ? ERR_RESET : ERR_TLS_TIMEOUT;
    if (closing->type == NGTCP2_CCERR_TYPE_APPLICATION) {
        if (closing->error_code == H3_INTERNAL_ERROR)
            return ERR_NOMEM;
        return closing->error_code == H3_NO_ERROR ? 0 : ERR_H3;
    }
    if (closing->error_code == NGTCP2_INTERNAL_ERROR)
        return ERR_NOMEM;
    return (closing->error_code & ~UINT64_C(0xff)) == NGTCP2_CRYPTO_ERROR ? ERR_TLS
                                                                          : ERR_QUIC;
}

/* Returns whether a packet is being read or written, and no other may be written. If that
 * ends the connection, the caller of quic_conn_read() or quic_conn_write() notifies the
 * peer. */
static bool
quic_link_is_busy(const struct quic_link *conn)
{
    return conn->quic.is_reading || conn->quic.is_writing;
}

static void
die(struct quic_link *conn)
{
    if (!quic_link_is_busy(conn))
        quic_conn_write_close(&conn->quic, now_ns(conn->link.turn));
    link_die(&conn->link);
}

/* Writes packets, and CONNECTION_CLOSE if that has ended the connection. Returns whether
 * there may be more to write now. */
static bool
write_some(struct quic_link *conn)
{
    struct turn *turn = conn->link.turn;
    bool has_more = quic_conn_write(&conn->quic, now_ns(turn));

    if (UNLIKELY(conn->link.state == LINK_DEAD))
        quic_conn_write_close(&conn->quic, now_ns(turn));
    assert(!has_more || conn->link.state != LINK_DEAD);
    return has_more;
}

/* struct link_ops */

static void
quic_link_serve(struct link *link)
{
    struct quic_link *conn = quic_link_of(link);
    struct slice nothing = slice_of("");

    link_begin_budget(link);
    if (link->state == LINK_OPEN)
        link->protocol->ops->feed(&link->wire, link->session, &nothing);
    if (link->state == LINK_OPEN)
        link->protocol->ops->before_flush(&link->wire, link->session);
    if (link->state == LINK_DEAD)
        return;
    if (write_some(conn))
        turn_touch_later(link->turn, link);
    if (conn->quic.has_failed)
        link_abort(link, quic_link_why_of(&conn->quic));
    else if (link->state == LINK_FINISHING)
        link_abort(link, 0);
    quic_link_update(conn);
}

static void
quic_link_go_on(struct link *link)
{
    turn_touch(link->turn, link);
}

static void
quic_link_on_timer(struct link *link)
{
    if (link->wire.read_due_ms <= turn_now_ms(link->turn) && !link_is_queued(link))
        link->protocol->ops->on_deadline(&link->wire, link->session);
    quic_link_update(quic_link_of(link));
}

static uint64_t
code_for(int why)
{
    switch (why) {
    case 0:
    case ERR_SHUTDOWN:
    case ERR_IDLE_TIMEOUT:
        return H3_NO_ERROR;
    default:
        return H3_INTERNAL_ERROR;
    }
}

static void
quic_link_abort_now(struct link *link, int why)
{
    struct quic_link *conn = quic_link_of(link);

    refusal_log(link, why, NULL);
    if (code_for(why) == H3_NO_ERROR &&
        !quic_link_is_busy(conn)) /* what is complete is sent before the end */
        (void)write_some(conn);
    if (link->state == LINK_DEAD)
        return;
    quic_conn_fail(&conn->quic, code_for(why), why);
    die(conn);
}

static void
quic_link_close_now(struct link *link)
{
    struct quic_link *conn = quic_link_of(link);

    quic_conn_fail(&conn->quic, H3_NO_ERROR, 0);
    die(conn);
}

static void
quic_link_free_conn(struct link *link)
{
    struct quic_link *conn = quic_link_of(link);

    quic_conn_fini(&conn->quic);
    tls_context_release(conn->context);
    pool_give(&link->turn->quic_pool, conn);
}

/* The socket is the endpoint's. */
static void
quic_link_disown(struct link *link, int dead)
{
    (void)link;
    (void)dead;
}

static const struct link_ops quic_link_ops = {
    .serve = quic_link_serve,
    .go_on = quic_link_go_on,
    .on_timer = quic_link_on_timer,
    .abort = quic_link_abort_now,
    .close = quic_link_close_now,
    .free = quic_link_free_conn,
    .disown = quic_link_disown,
};

/* struct wire_ops */

/* Packets are written at the end of the turn, or by quic_link_serve() outside of one. */
static void
quic_link_wire_flush(struct wire *wire)
{
    link_touch(wire);
}

static void
quic_link_wire_finish(struct wire *wire, int why)
{
    struct link *link = link_of(wire);

    if (link->state != LINK_OPEN)
        return;
    refusal_log(link, why, NULL);
    link->state = LINK_FINISHING;
    turn_touch(link->turn, link);
}

static void
quic_link_wire_abort(struct wire *wire, int why)
{
    link_abort(link_of(wire), why);
}

static void
quic_link_wire_complain(struct wire *wire, int why)
{
    refusal_log(link_of(wire), why, NULL);
}

static const struct wire_ops wire_ops = {
    .touch = link_touch,
    .touch_later = link_touch_later,
    .yield = link_yield,
    .flush = quic_link_wire_flush,
    .owe_drained = link_touch,
    .finish = quic_link_wire_finish,
    .abort = quic_link_wire_abort,
    .complain = quic_link_wire_complain,
};

/* struct peer_tls_ops */

static const struct quic_link *
link_of_peer(const struct peer *peer)
{
    return container_of(peer, struct quic_link, link.wire.peer);
}

static void
quic_link_facts(const struct peer *peer, struct peer_tls *out)
{
    const struct quic_link *conn = link_of_peer(peer);

    if (conn->has_facts)
        *out = conn->facts;
    else
        tls_transport_facts(conn->quic.tls.ssl, out);
}

static int
quic_link_client(const struct peer *peer, struct peer_client *out)
{
    const struct quic_link *conn = link_of_peer(peer);

    assert(conn->quic.tls.ssl != NULL); /* has_client_cert */
    return tls_info_client(conn->quic.tls.ssl, &out->chain, &out->name);
}

/* Keeps what requests may ask for, and frees the rest of the handshake. */
static void
end_handshake(struct quic_link *conn)
{
    assert(conn->quic.is_established && !conn->has_facts);
    tls_transport_facts(conn->quic.tls.ssl, &conn->facts);
    conn->has_facts = true;
    if (!conn->facts.has_client_cert)
        quic_handshake_release(&conn->quic.tls);
}

static const struct peer_tls_ops quic_peer_ops = {quic_link_facts, quic_link_client};

/* Events */

void
quic_link_packet(struct quic_link *conn, const struct udp_path *path,
                 struct slice bytes, udp_ecn ecn)
{
    struct link *link = &conn->link;

    if (link->state == LINK_DEAD)
        return;
    if (!link_is_touched(link))
        link_begin_budget(link);
    tally_add(link->turn->service.tally, TALLY_BYTES_IN, bytes.len);
    quic_conn_read(&conn->quic, path, bytes, ecn, now_ns(link->turn));
    if (link->state == LINK_DEAD) {
        quic_conn_write_close(&conn->quic, now_ns(link->turn));
        return;
    }
    if (conn->quic.is_established && !conn->has_facts)
        end_handshake(conn);
    turn_touch(link->turn, link);
}

void
quic_link_expire(struct quic_link *conn)
{
    struct link *link = &conn->link;

    if (link->state == LINK_DEAD)
        return;
    quic_conn_expire(&conn->quic, now_ns(link->turn));
    turn_touch(link->turn, link);
}

int
quic_link_open(struct turn *turn, struct quic_endpoint *quic, struct endpoint *endpoint,
               const struct quic_opening *opening, struct quic_link **out)
{
    struct quic_link *conn = pool_take(&turn->quic_pool);
    if (conn == NULL)
        return ERR_NOMEM;
    struct link *link = &conn->link;
    link_init(link, turn, &quic_link_ops, &wire_ops, &h3_protocol);
    link_set_peer(link, &opening->path->peer, endpoint);
    link->wire.peer.tls = &quic_peer_ops;
    conn->context = tls_context_retain(turn->tls);
    conn->has_facts = false;
    int err = quic_conn_init(&conn->quic, quic, opening, tls_context_quic(turn->tls),
                             now_ns(turn));
    if (err != 0)
        goto fail;
    err = ERR_NOMEM;
    link->session = conn->quic.http =
        h3_begin(&link->wire, &conn->quic.carrier, quic->limits.streams);
    if (link->session == NULL)
        goto fail_quic;
    link_begin(link);
    *out = conn;
    return 0;

fail_quic:
    quic_conn_fini(&conn->quic);
fail:
    tls_context_release(conn->context);
    pool_give(&turn->quic_pool, conn);
    return err;
}
