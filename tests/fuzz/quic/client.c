/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/client.c — see client.h. */
#include "quic/client.h"

#include <nghttp3/nghttp3.h>
#include <stdio.h>  /* snprintf */
#include <string.h> /* memcpy */

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/compiler.h"
#include "quic/handshake.h"
#include "quic/network.h"
#include "quic/responder.h"
#include "session/world.h"

#define ID_BYTES 8u
#define WINDOW (256u * 1024)

/* Bodies */

static struct client_request *
request_of(struct client *client, int64_t id)
{
    for (unsigned i = 0; i < client->nrequests; i++) {
        if (client->requests[i].id == id)
            return &client->requests[i];
    }
    return NULL;
}

static nghttp3_ssize
on_more_body(nghttp3_conn *http, int64_t id, nghttp3_vec *vec, size_t n,
             uint32_t *flags, void *arg, void *stream)
{
    struct client_request *request = request_of(arg, id);

    (void)http, (void)stream;
    CHECK(n > 0 && request != NULL);
    struct slice part =
        responder_body(request->wanted, request->posted - request->left, request->left);
    vec[0] = (nghttp3_vec){(uint8_t *)(uintptr_t)part.ptr, part.len};
    request->left -= part.len;
    if (request->left == 0)
        *flags |= NGHTTP3_DATA_FLAG_EOF;
    return part.len > 0;
}

static void
send_request(struct client *client, struct client_request *request)
{
    const nghttp3_data_reader reader = {.read_data = on_more_body};
    char path[32];
    const struct {
        const char *name, *value;
    } fields[] = {
        {":method", request->posted > 0 ? "POST" : "GET"},
        {":scheme", "https"},
        {":authority", "a"},
        {":path", path},
    };
    nghttp3_nv nv[COUNT(fields)];

    snprintf(path, sizeof path, "/%llu", (unsigned long long)request->wanted);
    for (size_t i = 0; i < COUNT(fields); i++)
        nv[i] = (nghttp3_nv){(uint8_t *)(uintptr_t)fields[i].name,
                             (uint8_t *)(uintptr_t)fields[i].value,
                             strlen(fields[i].name), strlen(fields[i].value), 0};
    if (nghttp3_conn_submit_request(client->http, request->id, nv, COUNT(nv),
                                    request->posted > 0 ? &reader : NULL, NULL) != 0)
        request->is_closed = true; /* after a GOAWAY */
}

static void
send_requests(struct client *client)
{
    for (unsigned i = 0; client->http != NULL && i < client->nrequests; i++) {
        struct client_request *request = &client->requests[i];
        if (request->id >= 0)
            continue;
        if (ngtcp2_conn_open_bidi_stream(client->ng, &request->id, NULL) != 0)
            return;
        send_request(client, request);
    }
}

void
client_ask(struct client *client, uint64_t posted, uint64_t wanted)
{
    if (client->nrequests == CLIENT_REQUESTS)
        return;
    client->requests[client->nrequests++] = (struct client_request){
        .id = -1, .posted = posted, .left = posted, .wanted = wanted};
}

bool
client_is_done(const struct client *client)
{
    for (unsigned i = 0; i < client->nrequests; i++) {
        if (!client->requests[i].is_complete)
            return false;
    }
    return true;
}

/* nghttp3's callbacks */

static void
extend(struct client *client, int64_t id, size_t n)
{
    (void)ngtcp2_conn_extend_max_stream_offset(client->ng, id, n);
    ngtcp2_conn_extend_max_offset(client->ng, n);
}

static int
on_field(nghttp3_conn *http, int64_t id, int32_t token, nghttp3_rcbuf *name,
         nghttp3_rcbuf *value, uint8_t flags, void *arg, void *stream)
{
    struct client_request *request = request_of(arg, id);
    const nghttp3_vec text = nghttp3_rcbuf_get_buf(value);

    (void)http, (void)name, (void)flags, (void)stream;
    CHECK(request != NULL);
    if (token == NGHTTP3_QPACK_TOKEN__STATUS)
        request->is_other = text.len != 3 || memcmp(text.base, "200", 3) != 0;
    return 0;
}

static int
on_data(nghttp3_conn *http, int64_t id, const uint8_t *bytes, size_t n, void *arg,
        void *stream)
{
    struct client_request *request = request_of(arg, id);

    (void)http, (void)stream;
    CHECK(request != NULL);
    CHECK(request->is_other || request->got + n <= request->wanted);
    CHECK(request->is_other || responder_is_body(request->wanted, request->got,
                                                 slice_new((const char *)bytes, n)));
    request->got += n;
    extend(arg, id, n);
    return 0;
}

static int
on_consumed(nghttp3_conn *http, int64_t id, size_t n, void *arg, void *stream)
{
    (void)http, (void)stream;
    extend(arg, id, n);
    return 0;
}

/* A response that looks complete is complete. */
static int
on_end(nghttp3_conn *http, int64_t id, void *arg, void *stream)
{
    struct client_request *request = request_of(arg, id);

    (void)http, (void)stream;
    CHECK(request != NULL && (request->is_other || request->got == request->wanted));
    request->is_complete = !request->is_other;
    return 0;
}

static void
begin_http(struct client *client)
{
    static const nghttp3_callbacks callbacks = {
        .recv_header = on_field,
        .recv_data = on_data,
        .deferred_consume = on_consumed,
        .end_stream = on_end,
    };
    nghttp3_settings settings;
    int64_t control, encoder, decoder;

    nghttp3_settings_default(&settings);
    CHECK(nghttp3_conn_client_new(&client->http, &callbacks, &settings, NULL, client) ==
          0);
    CHECK(ngtcp2_conn_open_uni_stream(client->ng, &control, NULL) == 0);
    CHECK(ngtcp2_conn_open_uni_stream(client->ng, &encoder, NULL) == 0);
    CHECK(ngtcp2_conn_open_uni_stream(client->ng, &decoder, NULL) == 0);
    CHECK(nghttp3_conn_bind_control_stream(client->http, control) == 0);
    CHECK(nghttp3_conn_bind_qpack_streams(client->http, encoder, decoder) == 0);
}

/* ngtcp2's callbacks */

static int
install_initial(ngtcp2_conn *ng, const ngtcp2_cid *id)
{
    const ngtcp2_crypto_ctx suite = quic_suite(client_algorithms(), AES_128_GCM_SHA256);
    struct quic_keys client, server;

    CHECK(quic_keys_initial(client_algorithms(),
                            ngtcp2_conn_get_client_chosen_version(ng), id, &client,
                            &server) == 0);
    ngtcp2_conn_set_initial_crypto_ctx(ng, &suite);
    CHECK(ngtcp2_conn_install_initial_key(ng, &server.aead, server.iv, &server.header,
                                          &client.aead, client.iv, &client.header,
                                          sizeof client.iv) == 0);
    return 0;
}

/* Sets the key with which the integrity of Retry packets is checked. */
static void
set_retry_key(struct client *client)
{
    const ngtcp2_crypto_ctx suite = quic_suite(client_algorithms(), AES_128_GCM_SHA256);
    const char *key = client->version == NGTCP2_PROTO_VER_V2 ? NGTCP2_RETRY_KEY_V2
                                                             : NGTCP2_RETRY_KEY_V1;
    const ngtcp2_crypto_aead_ctx ctx = {EVP_CIPHER_CTX_new()};

    CHECK(EVP_EncryptInit_ex(ctx.native_handle, EVP_aes_128_gcm(), NULL,
                             (const uint8_t *)key, NULL) == 1);
    ngtcp2_conn_set_retry_aead(client->ng, &suite.aead, &ctx);
}

static int
on_start(ngtcp2_conn *ng, void *arg)
{
    struct client *client = arg;

    set_retry_key(client);
    (void)install_initial(ng, ngtcp2_conn_get_dcid(ng));
    return client_tls_start(&client->tls);
}

static int
on_retry(ngtcp2_conn *ng, const ngtcp2_pkt_hd *packet, void *arg)
{
    (void)arg;
    return install_initial(ng, &packet->scid);
}

static int
on_crypto(ngtcp2_conn *ng, ngtcp2_encryption_level level, uint64_t offset,
          const uint8_t *bytes, size_t n, void *arg)
{
    struct client *client = arg;

    (void)ng, (void)offset;
    return client_tls_continue(&client->tls, level, slice_new((const char *)bytes, n));
}

static int
on_send_key(ngtcp2_conn *ng, ngtcp2_encryption_level level, void *arg)
{
    (void)ng;
    if (level == NGTCP2_ENCRYPTION_LEVEL_1RTT)
        begin_http(arg);
    return 0;
}

static int
on_confirmed(ngtcp2_conn *ng, void *arg)
{
    (void)ng;
    ((struct client *)arg)->is_confirmed = true;
    return 0;
}

static int
on_stream_data(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t offset,
               const uint8_t *bytes, size_t n, void *arg, void *stream)
{
    struct client *client = arg;

    (void)ng, (void)offset, (void)stream;
    nghttp3_ssize used = nghttp3_conn_read_stream(
        client->http, id, bytes, n, (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
    CHECK(used >= 0);
    extend(client, id, (size_t)used);
    return 0;
}

static int
on_acked(ngtcp2_conn *ng, int64_t id, uint64_t offset, uint64_t n, void *arg,
         void *stream)
{
    struct client *client = arg;

    (void)ng, (void)offset, (void)stream;
    CHECK(nghttp3_conn_add_ack_offset(client->http, id, n) == 0);
    return 0;
}

static int
on_stream_close(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t code, void *arg,
                void *stream)
{
    struct client *client = arg;
    struct client_request *request = request_of(client, id);

    (void)ng, (void)stream;
    if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) == 0)
        code = NGHTTP3_H3_NO_ERROR;
    if (request != NULL)
        request->is_closed = true;
    int rv = nghttp3_conn_close_stream(client->http, id, code);
    CHECK(rv == 0 || rv == NGHTTP3_ERR_STREAM_NOT_FOUND);
    return 0;
}

static int
on_window(ngtcp2_conn *ng, int64_t id, uint64_t most, void *arg, void *stream)
{
    struct client *client = arg;

    (void)ng, (void)most, (void)stream;
    CHECK(nghttp3_conn_unblock_stream(client->http, id) == 0);
    return 0;
}

static int
on_token(ngtcp2_conn *ng, const uint8_t *token, size_t n, void *arg)
{
    struct client *client = arg;

    (void)ng;
    CHECK(n <= sizeof client->token);
    memcpy(client->token, token, n);
    client->ntoken = n;
    return 0;
}

static void
on_random(uint8_t *out, size_t n, const ngtcp2_rand_ctx *ctx)
{
    (void)ctx;
    (void)RAND_bytes(out, (int)n);
}

static void
make_id(ngtcp2_cid *id, size_t n)
{
    id->datalen = n;
    (void)RAND_bytes(id->data, (int)n);
}

static int
on_new_id(ngtcp2_conn *ng, ngtcp2_cid *id, uint8_t *token, size_t n, void *arg)
{
    (void)ng, (void)arg;
    make_id(id, n);
    (void)RAND_bytes(token, NGTCP2_STATELESS_RESET_TOKENLEN);
    return 0;
}

static ngtcp2_callbacks
client_callbacks(void)
{
    ngtcp2_callbacks callbacks = {
        .client_initial = on_start,
        .recv_retry = on_retry,
        .recv_crypto_data = on_crypto,
        .handshake_confirmed = on_confirmed,
        .recv_stream_data = on_stream_data,
        .acked_stream_data_offset = on_acked,
        .stream_close = on_stream_close,
        .extend_max_stream_data = on_window,
        .recv_tx_key = on_send_key,
        .recv_new_token = on_token,
        .rand = on_random,
        .get_new_connection_id = on_new_id,
    };

    quic_set_protection(&callbacks);
    quic_set_key_callbacks(&callbacks);
    callbacks.recv_client_initial = NULL;
    return callbacks;
}

/* Beginning and end */

void
client_begin(struct client *client, unsigned peer, uint32_t version)
{
    struct sockaddr_in from = network_peer(peer), to = network_server();
    const ngtcp2_path path = {
        .local = {(ngtcp2_sockaddr *)&from, sizeof from},
        .remote = {(ngtcp2_sockaddr *)&to, sizeof to},
    };
    const ngtcp2_callbacks callbacks = client_callbacks();
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    ngtcp2_cid ours, theirs;

    client->peer = peer;
    client->version = version;
    client->error = 0;
    client->nrequests = 0;
    client->http = NULL;
    client->is_confirmed = false;
    ngtcp2_ccerr_default(&client->closing);
    ngtcp2_settings_default(&settings);
    settings.initial_ts = world_now_ns();
    settings.token = client->ntoken > 0 ? client->token : NULL;
    settings.tokenlen = client->ntoken;
    ngtcp2_transport_params_default(&params);
    params.initial_max_stream_data_bidi_local = WINDOW;
    params.initial_max_stream_data_uni = WINDOW;
    params.initial_max_data = WINDOW;
    params.initial_max_streams_uni = 3;
    params.active_connection_id_limit = 4;
    make_id(&ours, ID_BYTES);
    make_id(&theirs, 18);
    CHECK(ngtcp2_conn_client_new(&client->ng, &theirs, &ours, &path, version,
                                 &callbacks, &settings, &params, NULL, client) == 0);
    client_tls_begin(&client->tls, network_client_tls(), client->ng);
    ngtcp2_conn_set_tls_native_handle(client->ng, client->tls.ssl);
}

void
client_end(struct client *client)
{
    if (client->ng == NULL)
        return;
    if (client->http != NULL)
        nghttp3_conn_del(client->http);
    client->http = NULL;
    client_tls_end(&client->tls);
    ngtcp2_conn_del(client->ng);
    client->ng = NULL;
}

/* Packets */

static ngtcp2_path
path_between(struct sockaddr_in *from, struct sockaddr_in *to)
{
    return (ngtcp2_path){
        .local = {(ngtcp2_sockaddr *)from, sizeof *from},
        .remote = {(ngtcp2_sockaddr *)to, sizeof *to},
    };
}

void
client_read(struct client *client, struct slice bytes, uint8_t ecn)
{
    struct sockaddr_in from = network_peer(client->peer), to = network_server();
    const ngtcp2_path path = path_between(&from, &to);
    const ngtcp2_pkt_info info = {.ecn = ecn};

    if (client->error != 0)
        return;
    client->error =
        ngtcp2_conn_read_pkt(client->ng, &path, &info, (const uint8_t *)bytes.ptr,
                             bytes.len, world_now_ns());
}

static void
skip_stream(struct client *client, int64_t id, ngtcp2_ssize why)
{
    if (why == NGTCP2_ERR_STREAM_DATA_BLOCKED)
        nghttp3_conn_block_stream(client->http, id);
    else
        nghttp3_conn_shutdown_stream_write(client->http, id);
}

/* Returns the length of one packet, 0, or an error. */
static ngtcp2_ssize
write_packet(struct client *client, uint8_t *out, ngtcp2_path *path,
             ngtcp2_pkt_info *info)
{
    for (;;) {
        nghttp3_vec vec[8];
        nghttp3_ssize n = 0;
        ngtcp2_ssize taken = -1;
        int64_t id = -1;
        int last = 0;
        if (client->http != NULL && ngtcp2_conn_get_max_data_left(client->ng) > 0)
            n = nghttp3_conn_writev_stream(client->http, &id, &last, vec, COUNT(vec));
        CHECK(n >= 0);
        ngtcp2_ssize len = ngtcp2_conn_writev_stream(
            client->ng, path, info, out, NETWORK_BYTES, &taken,
            NGTCP2_WRITE_STREAM_FLAG_MORE |
                (last != 0 ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0u),
            id, (const ngtcp2_vec *)(const void *)vec, (size_t)n, world_now_ns());
        if (taken >= 0 && id >= 0)
            CHECK(nghttp3_conn_add_write_offset(client->http, id, (size_t)taken) == 0);
        if (len == NGTCP2_ERR_STREAM_DATA_BLOCKED || len == NGTCP2_ERR_STREAM_SHUT_WR ||
            len == NGTCP2_ERR_STREAM_NOT_FOUND)
            skip_stream(client, id, len);
        else if (len != NGTCP2_ERR_WRITE_MORE)
            return len;
    }
}

void
client_write(struct client *client, client_on_sent *on_sent)
{
    uint8_t bytes[NETWORK_BYTES];
    ngtcp2_path_storage storage;
    ngtcp2_pkt_info info;

    if (client->error == 0 && ngtcp2_conn_get_expiry(client->ng) <= world_now_ns())
        client->error = ngtcp2_conn_handle_expiry(client->ng, world_now_ns());
    if (client->error == 0)
        send_requests(client);
    ngtcp2_path_storage_zero(&storage);
    while (client->error == 0) {
        ngtcp2_ssize n = write_packet(client, bytes, &storage.path, &info);
        if (n < 0)
            client->error = (int)n;
        if (n <= 0)
            break;
        on_sent(client,
                network_number((const struct sockaddr_in *)storage.path.local.addr),
                slice_new((char *)bytes, (size_t)n), info.ecn);
    }
    if (client->error == 0)
        ngtcp2_conn_update_pkt_tx_time(client->ng, world_now_ns());
}

uint64_t
client_due_ns(const struct client *client)
{
    return client->error == 0 ? ngtcp2_conn_get_expiry(client->ng) : UINT64_MAX;
}

void
client_update_keys(struct client *client)
{
    if (client->error == 0 && client->is_confirmed)
        (void)ngtcp2_conn_initiate_key_update(client->ng, world_now_ns());
}

void
client_move(struct client *client, unsigned peer)
{
    struct sockaddr_in from = network_peer(peer), to = network_server();
    const ngtcp2_path path = path_between(&from, &to);

    if (client->error == 0 && client->is_confirmed && peer != client->peer &&
        ngtcp2_conn_initiate_immediate_migration(client->ng, &path, world_now_ns()) ==
            0)
        client->peer = peer;
}

void
client_close(struct client *client, client_on_sent *on_sent)
{
    uint8_t bytes[NETWORK_BYTES];
    ngtcp2_path_storage storage;
    ngtcp2_pkt_info info;

    if (client->error != 0)
        return;
    ngtcp2_path_storage_zero(&storage);
    ngtcp2_ccerr_set_application_error(&client->closing, NGHTTP3_H3_NO_ERROR, NULL, 0);
    ngtcp2_ssize n = ngtcp2_conn_write_connection_close(
        client->ng, &storage.path, &info, bytes, sizeof bytes, &client->closing,
        world_now_ns());
    client->error = NGTCP2_ERR_CLOSING;
    if (n > 0)
        on_sent(client, client->peer, slice_new((char *)bytes, (size_t)n), info.ecn);
}
