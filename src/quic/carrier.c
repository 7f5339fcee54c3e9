/* SPDX-License-Identifier: MIT */
/* quic/carrier.c — what a QUIC connection does for HTTP/3; see http3/carrier.h for the
 * contract. */
#include "base/err.h"
#include "quic/connection.h"

static struct quic_conn *
quic_conn_of(struct carrier *carrier)
{
    return container_of(carrier, struct quic_conn, carrier);
}

/* What has no memory is never sent, and the peer would wait for it: the connection ends. */
static void
quic_carrier_check(struct quic_conn *conn, int rv)
{
    if (UNLIKELY(rv == NGTCP2_ERR_NOMEM))
        quic_conn_fail_by(conn, rv);
}

static int
quic_carrier_opened(int rv)
{
    if (rv == NGTCP2_ERR_NOMEM)
        return ERR_NOMEM;
    return rv == 0 ? 0 : ERR_CLOSED;
}

static int
open_uni(struct carrier *carrier, int64_t *id)
{
    return quic_carrier_opened(
        ngtcp2_conn_open_uni_stream(quic_conn_of(carrier)->ng, id, NULL));
}

static int
open_bidi(struct carrier *carrier, int64_t *id)
{
    return quic_carrier_opened(
        ngtcp2_conn_open_bidi_stream(quic_conn_of(carrier)->ng, id, NULL));
}

/* MAX_STREAMS is sent for several streams at a time: one frame for each request
 * would cost a packet, and its acknowledgement another one. */
static uint64_t
give_stream(struct carrier *carrier, int64_t id)
{
    struct quic_conn *conn = quic_conn_of(carrier);
    uint64_t n;

    if (!ngtcp2_is_bidi_stream(id)) {
        ngtcp2_conn_extend_max_streams_uni(conn->ng, 1);
        return 0;
    }
    if (++conn->nclosed < conn->endpoint->limits.streams / 4)
        return 0;
    n = conn->nclosed;
    conn->nclosed = 0;
    ngtcp2_conn_extend_max_streams_bidi(conn->ng, n);
    return n;
}

/* PING frames keep the connection, unless the peer does not respond to them. */
static void
quic_conn_keep_alive(struct carrier *carrier)
{
    struct quic_conn *conn = quic_conn_of(carrier);

    uint64_t idle_ns = (uint64_t)conn->endpoint->limits.idle_ms * NGTCP2_MILLISECONDS;
    const ngtcp2_transport_params *peer =
        ngtcp2_conn_get_remote_transport_params(conn->ng);

    if (peer != NULL && peer->max_idle_timeout != 0 && peer->max_idle_timeout < idle_ns)
        idle_ns = peer->max_idle_timeout; /* RFC 9000 10.1 */
    ngtcp2_conn_set_keep_alive_timeout(conn->ng, idle_ns / 2);
}

static void
extend(struct carrier *carrier, int64_t id, size_t n)
{
    struct quic_conn *conn = quic_conn_of(carrier);

    quic_carrier_check(conn, ngtcp2_conn_extend_max_stream_offset(conn->ng, id, n));
    ngtcp2_conn_extend_max_offset(conn->ng, n);
}

static void
reset(struct carrier *carrier, int64_t id, uint64_t code)
{
    struct quic_conn *conn = quic_conn_of(carrier);

    quic_carrier_check(conn, ngtcp2_conn_shutdown_stream_write(conn->ng, 0, id, code));
}

static void
quic_conn_stop(struct carrier *carrier, int64_t id, uint64_t code)
{
    struct quic_conn *conn = quic_conn_of(carrier);

    quic_carrier_check(conn, ngtcp2_conn_shutdown_stream_read(conn->ng, 0, id, code));
}

static void
carrier_close(struct carrier *carrier, uint64_t code, int why)
{
    quic_conn_fail(quic_conn_of(carrier), code, why);
}

const struct carrier_ops quic_carrier_ops = {
    .open_uni = open_uni,
    .open_bidi = open_bidi,
    .give_stream = give_stream,
    .keep_alive = quic_conn_keep_alive,
    .extend = extend,
    .reset = reset,
    .stop = quic_conn_stop,
    .close = carrier_close,
};
