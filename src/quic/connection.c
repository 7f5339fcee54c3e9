/* SPDX-License-Identifier: MIT */
/* quic/connection.c — see connection.h for the contract. */
#include "quic/connection.h"

#include <assert.h> /* assert */
#include <string.h> /* memcpy */
#include <time.h>   /* time */
#include <unistd.h> /* close */

#include <openssl/rand.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "quic/congestion.h"
#include "quic/protection.h"
#include "quic/qlog.h"

/* Unidirectional streams that the peer may open: the control stream, two for QPACK,
 * and some of unknown types, which are ignored (RFC 9114 6.2). */
#define UNI_STREAMS 8u

/* The number of our connection IDs that the peer may hold for migration (RFC 9000
 * 5.1.1). */
#define ACTIVE_IDS 4u

#define EXCESSIVE_LOAD 0x107u /* H3_EXCESSIVE_LOAD (RFC 9114 8.1) */

static struct slice
slice_of_cid(const ngtcp2_cid *cid)
{
    return slice_new((const char *)cid->data, cid->datalen);
}

/* The end of a connection */

void
quic_conn_fail(struct quic_conn *conn, uint64_t code, int why)
{
    if (conn->has_failed)
        return;
    if (conn->carrier.quota.is_exceeded) {
        code = EXCESSIVE_LOAD;
        why = ERR_H3_MEMORY;
    }
    conn->has_failed = true;
    conn->why = why;
    ngtcp2_ccerr_set_application_error(&conn->closing, code, NULL, 0);
}

void
quic_conn_fail_by(struct quic_conn *conn, int rv)
{
    if (conn->carrier.quota.is_exceeded)
        quic_conn_fail(conn, EXCESSIVE_LOAD, ERR_H3_MEMORY);
    if (conn->has_failed)
        return;
    conn->has_failed = true;
    conn->is_silent = rv == NGTCP2_ERR_DRAINING || rv == NGTCP2_ERR_IDLE_CLOSE ||
                      rv == NGTCP2_ERR_DROP_CONN || rv == NGTCP2_ERR_CLOSING;
    if (rv == NGTCP2_ERR_CRYPTO)
        ngtcp2_ccerr_set_tls_alert(&conn->closing, ngtcp2_conn_get_tls_alert(conn->ng),
                                   NULL, 0);
    else
        ngtcp2_ccerr_set_liberr(&conn->closing, rv, NULL, 0);
}

/* Ends a connection whose library has ignored that it got no memory. */
static void
quic_conn_check_quota(struct quic_conn *conn)
{
    if (conn->carrier.quota.is_exceeded)
        quic_conn_fail(conn, EXCESSIVE_LOAD, ERR_H3_MEMORY);
}

/* Converts an HTTP/3 error to the result of a callback of ngtcp2, which then stops
 * reading. */
static int
quic_conn_result_of(struct quic_conn *conn, int code)
{
    if (code == 0)
        return 0;
    quic_conn_fail(conn, (uint64_t)code, 0);
    return NGTCP2_ERR_CALLBACK_FAILURE;
}

/* The callbacks of ngtcp2 */

static int
on_stream_data(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t offset,
               const uint8_t *bytes, size_t n, void *arg, void *stream)
{
    struct quic_conn *conn = arg;

    (void)ng;
    (void)stream;
    return quic_conn_result_of(
        conn, h3_on_data(conn->http, id, offset, slice_new((const char *)bytes, n),
                         (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0));
}

static int
quic_conn_on_acked(ngtcp2_conn *ng, int64_t id, uint64_t offset, uint64_t n, void *arg,
                   void *stream)
{
    struct quic_conn *conn = arg;

    (void)ng;
    (void)offset;
    (void)stream;
    return quic_conn_result_of(conn, h3_on_acked(conn->http, id, n));
}

static int
quic_conn_on_stream_close(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t code,
                          void *arg, void *stream)
{
    struct quic_conn *conn = arg;

    (void)stream;
    if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) == 0)
        code = 0x100; /* H3_NO_ERROR */
    if (!ngtcp2_conn_is_local_stream(ng, id) && !h3_keeps(conn->http, id)) {
        uint64_t n = quic_carrier_ops.give_stream(&conn->carrier, id);
        if (n > 0)
            h3_on_streams(conn->http, n);
    }
    return quic_conn_result_of(conn, h3_on_closed(conn->http, id, code));
}

static int
on_stream_reset(ngtcp2_conn *ng, int64_t id, uint64_t final_size, uint64_t code,
                void *arg, void *stream)
{
    struct quic_conn *conn = arg;

    (void)ng;
    (void)final_size;
    (void)stream;
    return quic_conn_result_of(conn, h3_on_reset(conn->http, id, code));
}

static int
on_stop_written(ngtcp2_conn *ng, int64_t id, uint64_t code, void *arg, void *stream)
{
    struct quic_conn *conn = arg;

    (void)ng;
    (void)code;
    (void)stream;
    return quic_conn_result_of(conn, h3_on_unread(conn->http, id));
}

static int
on_window(ngtcp2_conn *ng, int64_t id, uint64_t most, void *arg, void *stream)
{
    struct quic_conn *conn = arg;

    (void)ng;
    (void)most;
    (void)stream;
    return quic_conn_result_of(conn, h3_on_window(conn->http, id));
}

static int
on_more_streams(ngtcp2_conn *ng, uint64_t most, void *arg)
{
    struct quic_conn *conn = arg;

    (void)ng;
    (void)most;
    h3_on_room(conn->http);
    return 0;
}

static int
on_datagram_frame(ngtcp2_conn *ng, uint32_t flags, const uint8_t *bytes, size_t n,
                  void *arg)
{
    struct quic_conn *conn = arg;

    (void)ng;
    (void)flags;
    return quic_conn_result_of(
        conn, h3_on_datagram(conn->http, slice_new((const char *)bytes, n)));
}

static int
on_send_key(ngtcp2_conn *ng, ngtcp2_encryption_level level, void *arg)
{
    struct quic_conn *conn = arg;

    (void)ng;
    if (level != NGTCP2_ENCRYPTION_LEVEL_1RTT || conn->is_ready)
        return 0;
    conn->is_ready = true;
    return quic_conn_result_of(conn, h3_on_ready(conn->http));
}

static int
on_crypto(ngtcp2_conn *ng, ngtcp2_encryption_level level, uint64_t offset,
          const uint8_t *bytes, size_t n, void *arg)
{
    struct quic_conn *conn = arg;

    (void)ng;
    (void)offset;
    return quic_handshake_continue(&conn->tls, level,
                                   slice_new((const char *)bytes, n));
}

/* Sends a token, so that later connections of this client need not prove their
 * address. */
static void
give_token(struct quic_conn *conn)
{
    const ngtcp2_path *path = ngtcp2_conn_get_path(conn->ng);
    uint8_t token[QUIC_TOKEN_BYTES];
    struct addr peer = {.len = path->remote.addrlen};

    memcpy(&peer.data, path->remote.addr, path->remote.addrlen);
    int n = quic_token_make(token, conn->endpoint->token_key, &peer, NULL,
                            (uint64_t)time(NULL));
    if (n > 0)
        (void)ngtcp2_conn_submit_new_token(conn->ng, token, (size_t)n);
}

static int
on_established(ngtcp2_conn *ng, void *arg)
{
    struct quic_conn *conn = arg;

    (void)ng;
    assert(!conn->is_established && conn->endpoint->nhandshakes > 0);
    conn->is_established = true;
    conn->carrier.is_early = false;
    conn->carrier.early_is_rejected = quic_handshake_rejects_early(&conn->tls);
    conn->endpoint->nhandshakes--;
    give_token(conn);
    return quic_conn_result_of(conn, h3_on_established(conn->http));
}

static void
on_random(uint8_t *out, size_t n, const ngtcp2_rand_ctx *ctx)
{
    (void)ctx;
    (void)RAND_bytes(out, narrow_len(n)); /* used only for padding and greasing */
}

static int
on_new_id(ngtcp2_conn *ng, ngtcp2_cid *id, uint8_t *token, size_t n, void *arg)
{
    struct quic_conn *conn = arg;
    struct quic_endpoint *endpoint = conn->endpoint;

    (void)ng;
    assert(n == QUIC_ID_BYTES);
    (void)n;
    if (quic_id_make(id, endpoint->mask, endpoint->seat) != 0 ||
        quic_reset_token(token, &endpoint->algorithms, endpoint->reset_key,
                         slice_of_cid(id)) != 0 ||
        quic_ids_add(&endpoint->ids, slice_of_cid(id), conn) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    conn->nids++;
    return 0;
}

static void
remove_id(struct quic_conn *conn, struct slice id)
{
    struct quic_ids *ids = &conn->endpoint->ids;

    if (quic_ids_find(ids, id) != conn)
        return;
    assert(conn->nids > 0);
    conn->nids--;
    quic_ids_remove(ids, id);
}

static int
on_id_retired(ngtcp2_conn *ng, const ngtcp2_cid *id, void *arg)
{
    struct quic_conn *conn = arg;

    (void)ng;
    remove_id(conn, slice_of_cid(id));
    return 0;
}

static ngtcp2_callbacks
conn_callbacks(void)
{
    ngtcp2_callbacks callbacks = {
        .recv_crypto_data = on_crypto,
        .handshake_completed = on_established,
        .recv_stream_data = on_stream_data,
        .acked_stream_data_offset = quic_conn_on_acked,
        .stream_close = quic_conn_on_stream_close,
        .stream_reset = on_stream_reset,
        .stream_stop_sending = on_stop_written,
        .extend_max_stream_data = on_window,
        .extend_max_local_streams_bidi = on_more_streams,
        .extend_max_local_streams_uni = on_more_streams,
        .recv_datagram = on_datagram_frame,
        .recv_tx_key = on_send_key,
        .rand = on_random,
        .get_new_connection_id = on_new_id,
        .remove_connection_id = on_id_retired,
    };

    quic_set_protection(&callbacks);
    quic_set_key_callbacks(&callbacks);
    return callbacks;
}

/* Opening and freeing */

static void
conn_on_qlog(void *arg, uint32_t flags, const void *bytes, size_t n)
{
    const struct quic_conn *conn = arg;

    (void)flags;
    qlog_write(conn->qlog, slice_new(bytes, n));
}

static ngtcp2_settings
conn_settings(const struct quic_endpoint *endpoint, const struct quic_opening *opening,
              uint64_t now_ns)
{
    static const ngtcp2_cc_algo algorithms[] = {
        [QUIC_CUBIC] = NGTCP2_CC_ALGO_CUBIC,
        [QUIC_BBR] = NGTCP2_CC_ALGO_BBR,
        [QUIC_RENO] = NGTCP2_CC_ALGO_RENO,
    };
    const struct quic_limits *limits = &endpoint->limits;
    const ngtcp2_pkt_hd *packet = opening->packet;
    ngtcp2_settings settings;

    ngtcp2_settings_default(&settings);
    settings.initial_ts = now_ns;
    assert(endpoint->congestion <= QUIC_RENO);
    settings.cc_algo = algorithms[endpoint->congestion];
    settings.handshake_timeout =
        limits->handshake_ms != 0 ? (uint64_t)limits->handshake_ms * NGTCP2_MILLISECONDS
                                  : UINT64_MAX;
    if (opening->has_retried || opening->is_validated) {
        settings.token = packet->token;
        settings.tokenlen = packet->tokenlen;
        settings.token_type = opening->has_retried ? NGTCP2_TOKEN_TYPE_RETRY
                                                   : NGTCP2_TOKEN_TYPE_NEW_TOKEN;
    }
    return settings;
}

static ngtcp2_transport_params
conn_params(const struct quic_endpoint *endpoint, const struct quic_opening *opening)
{
    const struct quic_limits *limits = &endpoint->limits;
    ngtcp2_transport_params params;

    ngtcp2_transport_params_default(&params);
    params.original_dcid = opening->original;
    params.original_dcid_present = 1;
    if (opening->has_retried) {
        params.retry_scid = opening->packet->dcid;
        params.retry_scid_present = 1;
    }
    params.initial_max_stream_data_bidi_local = limits->stream_window_bytes;
    params.initial_max_stream_data_bidi_remote = limits->stream_window_bytes;
    params.initial_max_stream_data_uni = limits->stream_window_bytes;
    params.initial_max_data = limits->window_bytes;
    params.initial_max_streams_bidi = limits->streams;
    params.initial_max_streams_uni = UNI_STREAMS + limits->more_uni_streams;
    params.max_datagram_frame_size = limits->takes_datagrams ? UINT16_MAX : 0;
    params.max_idle_timeout = (uint64_t)limits->idle_ms * NGTCP2_MILLISECONDS;
    params.active_connection_id_limit = ACTIVE_IDS;
    params.grease_quic_bit = 1;
    return params;
}

static ngtcp2_path
quic_conn_path_of(struct udp_path *path)
{
    return (ngtcp2_path){
        .local = {(ngtcp2_sockaddr *)&path->local.data, path->local.len},
        .remote = {(ngtcp2_sockaddr *)&path->peer.data, path->peer.len},
    };
}

static int
new_ng(struct quic_conn *conn, const struct quic_opening *opening, const ngtcp2_cid *id,
       uint64_t now_ns)
{
    struct quic_endpoint *endpoint = conn->endpoint;
    const ngtcp2_pkt_hd *packet = opening->packet;
    const ngtcp2_callbacks callbacks = conn_callbacks();
    struct udp_path copy = *opening->path;
    const ngtcp2_path path = quic_conn_path_of(&copy);
    ngtcp2_settings settings = conn_settings(endpoint, opening, now_ns);
    ngtcp2_transport_params params = conn_params(endpoint, opening);
    ngtcp2_conn *ng;

    if (quic_reset_token(params.stateless_reset_token, &endpoint->algorithms,
                         endpoint->reset_key, slice_of_cid(id)) != 0)
        return ERR_NOMEM;
    params.stateless_reset_token_present = 1;
    if (conn->qlog >= 0)
        settings.qlog_write = conn_on_qlog;
    /* If it fails, it may have set `ng` to what it has freed. */
    if (ngtcp2_conn_server_new(&ng, &packet->scid, id, &path, packet->version,
                               &callbacks, &settings, &params, &conn->mem, conn) != 0)
        return ERR_NOMEM;
    conn->ng = ng;
    return 0;
}

/* The windows are counted as well: what waits for lost packets, and what is known of
 * packets that were not acknowledged. */
static size_t
quota_bytes(const struct quic_limits *limits)
{
    return (size_t)limits->memory_bytes + limits->window_bytes + limits->send_bytes;
}

/* Called after ngtcp2 has written the end of it. */
static void
close_qlog(struct quic_conn *conn)
{
    if (conn->qlog >= 0)
        (void)close(conn->qlog);
    conn->qlog = -1;
}

int
quic_conn_prepare(struct ssl_ctx_st *ctx)
{
    session_ticket_prepare(ctx);
    return quic_handshake_prepare(ctx);
}

int
quic_conn_init(struct quic_conn *conn, struct quic_endpoint *endpoint,
               const struct quic_opening *opening, struct ssl_ctx_st *ctx,
               uint64_t now_ns)
{
    struct quic_ids *ids = &endpoint->ids;
    ngtcp2_cid id;

    *conn = (struct quic_conn){
        .carrier = {.ops = &quic_carrier_ops,
                    .quota.most = quota_bytes(&endpoint->limits),
                    .is_early = true},
        .mem = {&conn->carrier.quota, quota_alloc, quota_free, quota_calloc,
                quota_realloc},
        .endpoint = endpoint,
        .initial = opening->packet->dcid,
        .qlog = -1,
    };
    if (endpoint->qlog.len > 0)
        conn->qlog = qlog_open(endpoint->qlog, slice_of_cid(&opening->original));
    ngtcp2_ccerr_default(&conn->closing);
    int err = quic_id_make(&id, endpoint->mask, endpoint->seat);
    if (err == 0)
        err = new_ng(conn, opening, &id, now_ns);
    if (err == 0)
        err = quic_handshake_init(&conn->tls, ctx, conn->ng, &endpoint->algorithms,
                                  &endpoint->early);
    if (err == 0)
        err = session_ticket_accept_early(&conn->tls);
    if (err == 0)
        err = quic_ids_add(ids, slice_of_cid(&conn->initial), conn);
    if (err != 0)
        goto fail;
    err = quic_ids_add(ids, slice_of_cid(&id), conn);
    if (err == 0)
        err = expiry_add(&endpoint->expiries, &conn->expiry);
    if (err != 0)
        goto fail_ids;
    endpoint->nhandshakes++;
    conn->nids = 2;
    return 0;

fail_ids:
    quic_ids_remove(ids, slice_of_cid(&conn->initial));
    quic_ids_remove(ids, slice_of_cid(&id));
fail:
    quic_handshake_fini(&conn->tls);
    ngtcp2_conn_del(conn->ng);
    close_qlog(conn);
    return err;
}

/* Removes the IDs that ngtcp2 still holds, and those that it has dropped after on_new_id()
 * because there was no memory. */
static void
remove_ids(struct quic_conn *conn)
{
    ngtcp2_cid ids[32];
    const size_t n = ngtcp2_conn_get_scid(conn->ng, NULL);

    assert(n <= COUNT(ids));
    (void)ngtcp2_conn_get_scid(conn->ng, ids);
    for (size_t i = 0; i < n; i++)
        remove_id(conn, slice_of_cid(&ids[i]));
    remove_id(conn, slice_of_cid(&conn->initial));
    if (UNLIKELY(conn->nids > 0))
        quic_ids_remove_all(&conn->endpoint->ids, conn);
}

void
quic_conn_fini(struct quic_conn *conn)
{
    if (!conn->is_established) {
        assert(conn->endpoint->nhandshakes > 0);
        conn->endpoint->nhandshakes--;
    }
    remove_ids(conn);
    expiry_remove(&conn->endpoint->expiries, &conn->expiry);
    quic_handshake_fini(&conn->tls);
    ngtcp2_conn_del(conn->ng);
    conn->ng = NULL;
    close_qlog(conn);
}

/* Reading */

void
quic_conn_read(struct quic_conn *conn, const struct udp_path *from, struct slice bytes,
               udp_ecn ecn, uint64_t now_ns)
{
    struct udp_path copy = *from;
    const ngtcp2_path path = quic_conn_path_of(&copy);
    const ngtcp2_pkt_info info = {.ecn = ecn};

    assert(conn->http != NULL);
    if (conn->has_failed)
        return;
    conn->is_reading = true;
    int rv = ngtcp2_conn_read_pkt(conn->ng, &path, &info, (const uint8_t *)bytes.ptr,
                                  bytes.len, now_ns);
    conn->is_reading = false;
    if (rv != 0)
        quic_conn_fail_by(conn, rv);
    quic_conn_check_quota(conn);
}

void
quic_conn_expire(struct quic_conn *conn, uint64_t now_ns)
{
    if (conn->has_failed || ngtcp2_conn_get_expiry(conn->ng) > now_ns)
        return;
    int rv = ngtcp2_conn_handle_expiry(conn->ng, now_ns);
    if (rv != 0)
        quic_conn_fail_by(conn, rv);
    quic_conn_check_quota(conn);
}
