/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_quic.c — any datagrams for a real server of QUIC on a scripted clock
 * (quic/network.h): packets of real clients, lost, repeated, changed, or from other
 * addresses; packets with any header and frames, encrypted with the keys of a client; and
 * any bytes. What the server sends without a connection follows the rules of RFC 9000:
 * Version Negotiation (6.1), Retry (8.1.2, 17.2.5), stateless resets (10.3). */
#include <string.h> /* memcpy */

#include "base/compiler.h"
#include "quic/client.h"
#include "quic/endpoint.h"
#include "quic/forge.h"
#include "quic/network.h"
#include "quic/responder.h"
#include "session/memory.h"
#include "session/world.h"
#include "check.h"

#define CLIENTS_MAX 4u
#define SAVED 16u

/* Datagrams that open a connection have at least this size. */
#define INITIAL_BYTES 1200u

/* A stateless reset that could be a packet with an ID of the client. */
#define RESET_BYTES_MIN 21u

struct saved {
    unsigned peer;
    size_t len;
    uint8_t bytes[NETWORK_BYTES];
};

static struct {
    struct client clients[CLIENTS_MAX];
    bool
        has_reached[CLIENTS_MAX]; /* the client has received something at its address */
    uint32_t numbers[CLIENTS_MAX]; /* of the next forged packet */
    unsigned nclients;
    struct saved saved[SAVED]; /* what clients have sent */
    unsigned nsaved;
    struct saved trigger; /* len 0: several datagrams, or none, came in this turn */
    unsigned nsent;       /* in this turn */
    struct saved token;   /* of the last Retry packet, and for whom */
    ngtcp2_cid retry_id;  /* ... and its ID */
} quic;

static struct slice
slice_of_saved(const struct saved *saved)
{
    return slice_new((const char *)saved->bytes, saved->len);
}

/* What the server sends */

static bool
is_same(const uint8_t *a, size_t na, const uint8_t *b, size_t nb)
{
    return na == nb && memcmp(a, b, na) == 0;
}

static void
check_negotiation(const ngtcp2_version_cid *from, const ngtcp2_version_cid *to)
{
    CHECK(quic.trigger.len >= INITIAL_BYTES);
    CHECK(from->version != NGTCP2_PROTO_VER_V1 && from->version != NGTCP2_PROTO_VER_V2);
    CHECK(from->version != 0);
    CHECK(is_same(to->dcid, to->dcidlen, from->scid, from->scidlen));
    CHECK(is_same(to->scid, to->scidlen, from->dcid, from->dcidlen));
}

static void
check_retry(const ngtcp2_version_cid *from, const ngtcp2_version_cid *to,
            struct slice bytes)
{
    const size_t head = 7 + to->dcidlen + to->scidlen;

    CHECK(quic.trigger.len >= INITIAL_BYTES && quic.nsent == 0);
    CHECK(from->version == to->version);
    CHECK(is_same(to->dcid, to->dcidlen, from->scid, from->scidlen));
    CHECK(to->scidlen == QUIC_ID_BYTES);
    CHECK(!is_same(to->scid, to->scidlen, from->dcid, from->dcidlen));
    CHECK(bytes.len > head + QUIC_TAG_BYTES);
    quic.token.peer = quic.trigger.peer;
    quic.token.len = bytes.len - head - QUIC_TAG_BYTES;
    memcpy(quic.token.bytes, bytes.ptr + head, quic.token.len);
    ngtcp2_cid_init(&quic.retry_id, to->scid, to->scidlen);
}

/* Two servers that reset each other's packets come to an end, since each reset is
 * shorter than what has caused it. */
static void
check_reset(const ngtcp2_version_cid *from, struct slice bytes)
{
    const struct quic_endpoint *endpoint = network_endpoint();
    uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN];

    CHECK(quic_reset_token(token, &endpoint->algorithms, endpoint->reset_key,
                           slice_new((const char *)from->dcid, from->dcidlen)) == 0);
    if (bytes.len < sizeof token ||
        memcmp(bytes.ptr + bytes.len - sizeof token, token, sizeof token) != 0)
        return;
    CHECK(bytes.len >= RESET_BYTES_MIN && bytes.len < quic.trigger.len);
    CHECK((bytes.ptr[0] & 0xc0) == 0x40 && quic.nsent == 0);
}

static void
check_sent(struct slice bytes)
{
    ngtcp2_version_cid from, to;
    const uint8_t first = (uint8_t)bytes.ptr[0];

    if (quic.trigger.len == 0)
        return;
    int rv = ngtcp2_pkt_decode_version_cid(&from, quic.trigger.bytes, quic.trigger.len,
                                           QUIC_ID_BYTES);
    if (rv != 0 && rv != NGTCP2_ERR_VERSION_NEGOTIATION) {
        CHECK(network_connections() > 0); /* it is not a response */
        return;
    }
    if ((first & 0x80) == 0) {
        check_reset(&from, bytes);
        return;
    }
    CHECK(ngtcp2_pkt_decode_version_cid(&to, (const uint8_t *)bytes.ptr, bytes.len,
                                        QUIC_ID_BYTES) == 0);
    const unsigned kind = (first >> 4) + (to.version == NGTCP2_PROTO_VER_V2 ? 3u : 0u);
    if (to.version == 0)
        check_negotiation(&from, &to);
    else if (kind % 4 == 3)
        check_retry(&from, &to, bytes);
}

static void
on_server_sent(unsigned peer, struct slice bytes, uint8_t ecn)
{
    check_sent(bytes);
    quic.nsent++;
    for (unsigned i = 0; i < quic.nclients; i++) {
        if (quic.clients[i].ng == NULL || quic.clients[i].peer != peer ||
            script_choice(&world.script, 8) == 7)
            continue;
        quic.has_reached[i] = true;
        client_read(&quic.clients[i], bytes, ecn);
    }
}

/* Datagrams */

static void
turn(void)
{
    quic.nsent = 0;
    network_turn();
    quic.trigger.len = 0;
}

/* Lets the server read all datagrams. It opens few connections in one turn, and leaves the
 * rest. Returns false if it reads no more. */
static bool
settle(void)
{
    turn();
    for (size_t before; (before = network_waiting()) > 0;) {
        turn();
        if (network_waiting() == before)
            return false;
    }
    return true;
}

/* A datagram arrives, alone or together with others. */
static void
deliver(unsigned peer, struct slice bytes)
{
    const unsigned choice = script_byte(&world.script);

    if (choice % 8 == 7 || !settle()) {
        network_deliver(peer, bytes, (uint8_t)(choice >> 6));
        return;
    }
    network_deliver(peer, bytes, (uint8_t)(choice >> 6));
    quic.trigger.peer = peer;
    quic.trigger.len = bytes.len;
    memcpy(quic.trigger.bytes, bytes.ptr, bytes.len);
    turn();
}

static void
save(unsigned peer, struct slice bytes)
{
    struct saved *saved = &quic.saved[quic.nsaved++ % SAVED];

    saved->peer = peer;
    saved->len = bytes.len;
    memcpy(saved->bytes, bytes.ptr, bytes.len);
}

static unsigned
choose_peer(void)
{
    return script_choice(&world.script, NETWORK_PEERS);
}

static void
on_client_sent(struct client *client, unsigned peer, struct slice bytes, uint8_t ecn)
{
    (void)ecn;
    save(peer, bytes);
    if (peer == client->peer && quic.has_reached[client - quic.clients])
        network_validate(peer);
    if (script_choice(&world.script, 8) != 7)
        network_deliver(peer, bytes, ecn);
}

/* Something that a client has sent arrives again, changed, or from another address. */
static void
send_again(void)
{
    struct saved *saved = &quic.saved[script_byte(&world.script) % SAVED];
    uint8_t bytes[NETWORK_BYTES];
    size_t len = saved->len;
    unsigned peer = saved->peer;

    if (len == 0)
        return;
    memcpy(bytes, saved->bytes, len);
    switch (script_choice(&world.script, 8)) {
    case 0:
        bytes[script_byte(&world.script) % len] ^= script_byte(&world.script);
        break;
    case 1:
        len = 1 + script_byte(&world.script) * 6u % len;
        break;
    case 2:
        peer = choose_peer();
        break;
    case 3: /* coalesced */
        if (len < NETWORK_BYTES)
            memset(bytes + len, script_byte(&world.script), NETWORK_BYTES - len);
        len = NETWORK_BYTES;
        break;
    default:
        break;
    }
    deliver(peer, slice_new((char *)bytes, len));
}

static size_t
choose_size(void)
{
    static const uint16_t sizes[] = {1, 5, 20, 21, 42, 43, 44, 100, 1199, 1200, 1500};

    return sizes[script_choice(&world.script, COUNT(sizes))];
}

/* Any bytes, or a packet of an unknown version, or of an unknown connection. */
static void
send_noise(void)
{
    uint8_t bytes[NETWORK_BYTES];
    const size_t len = choose_size();
    const unsigned choice = script_choice(&world.script, 4);

    for (size_t i = 0; i < len; i++)
        bytes[i] = i < 32 ? script_byte(&world.script) : (uint8_t)(i * 7);
    bytes[0] |= choice == 0 ? 0 : choice == 1 ? 0x40 : 0xc0;
    if (choice == 1)
        bytes[0] &= 0x7f;
    if (choice == 2 && len > 5)
        memcpy(bytes + 1, "\0\0\0\1", 4);
    deliver(choose_peer(), slice_new((char *)bytes, len));
}

/* Clients */

static void
begin_client(void)
{
    const unsigned i = quic.nclients;
    const unsigned choice = script_byte(&world.script);

    if (i == CLIENTS_MAX)
        return;
    struct client *client = &quic.clients[quic.nclients++];
    if (i > 0 && choice % 4 == 3) { /* with the token of an earlier connection */
        client->ntoken = quic.clients[i - 1].ntoken;
        memcpy(client->token, quic.clients[i - 1].token, client->ntoken);
    }
    const unsigned peer = choice / 4 % NETWORK_PEERS;
    if (client->ntoken > 0)
        network_validate(peer);
    quic.numbers[i] = 1000;
    client_begin(client, peer,
                 (choice & 0x80) != 0 ? NGTCP2_PROTO_VER_V2 : NGTCP2_PROTO_VER_V1);
    client_ask(client, script_choice(&world.script, 2) * 3000u, 30000);
    client_write(client, on_client_sent);
}

static struct client *
choose_client(void)
{
    return quic.nclients == 0
               ? NULL
               : &quic.clients[script_byte(&world.script) % quic.nclients];
}

static void
act_as_client(void)
{
    struct client *client = choose_client();

    if (client == NULL)
        return;
    const unsigned before = client->peer;
    switch (script_choice(&world.script, 16)) {
    case 0:
        client_update_keys(client);
        break;
    case 1:
        client_move(client, choose_peer());
        quic.has_reached[client - quic.clients] &= client->peer == before;
        break;
    case 2:
        client_close(client, on_client_sent);
        break;
    case 3:
        client_ask(client, 0, 100);
        break;
    default:
        break;
    }
    client_write(client, on_client_sent);
    turn();
}

/* Forged packets */

static ngtcp2_cid
choose_id(void)
{
    ngtcp2_cid id = {.datalen = 8};
    struct client *client = choose_client();

    switch (script_choice(&world.script, 8)) {
    case 0:
        id.datalen = script_byte(&world.script) % (NGTCP2_MAX_CIDLEN + 1);
        break;
    case 1:
        return quic.retry_id;
    case 2:
    case 3:
        if (client != NULL)
            return *ngtcp2_conn_get_dcid(client->ng);
        break;
    case 4:
        if (client != NULL)
            return *ngtcp2_conn_get_client_initial_dcid(client->ng);
        break;
    default:
        break;
    }
    memset(id.data, (int)script_choice(&world.script, 4), id.datalen);
    return id;
}

static struct slice
choose_token(unsigned peer)
{
    switch (script_choice(&world.script, 8)) {
    case 0:
        return slice_of("not a token of this server, and too short or too long");
    case 1: /* changed */
        quic.token.bytes[script_byte(&world.script)] ^= 1;
        return slice_of_saved(&quic.token);
    case 2:
    case 3:
        if (quic.token.peer == peer)
            network_validate(peer);
        return slice_of_saved(&quic.token);
    default:
        return slice_of("");
    }
}

/* The first packet of a client that does not exist, or another one of a connection that
 * has begun. */
static void
send_initial(void)
{
    static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V1,
                                        NGTCP2_PROTO_VER_V2, 0x1a2a3a4a};
    const unsigned peer = choose_peer();
    const ngtcp2_cid dcid = choose_id(),
                     key_id = script_choice(&world.script, 8) == 0 ? choose_id() : dcid;
    const struct client *client = choose_client();
    struct slice hello = slice_of("a ClientHello that is none");
    uint8_t frames[1000], bytes[NETWORK_BYTES];
    struct forge_keys keys;
    struct forge_packet packet = {
        .kind = script_choice(&world.script, 16) == 0 ? FORGE_0RTT : FORGE_INITIAL,
        .version = versions[script_choice(&world.script, COUNT(versions))],
        .dcid = dcid,
        .scid = {.datalen = script_choice(&world.script, 9)},
        .token = choose_token(peer),
        .number = script_choice(&world.script, 4),
    };

    if (client != NULL)
        hello = slice_new((const char *)client->tls.hello, client->tls.nhello);
    packet.frames =
        slice_new((char *)frames, forge_frames(&world.script, frames, sizeof frames,
                                               packet.kind, hello));
    forge_initial_keys(&keys, packet.version, &key_id);
    size_t n = forge_write(bytes, sizeof bytes, &packet, &keys);
    quic_keys_clear(&keys.keys);
    if (n == 0)
        return;
    if (n < INITIAL_BYTES && script_choice(&world.script, 16) != 0) {
        memset(bytes + n, 0, INITIAL_BYTES - n);
        n = INITIAL_BYTES;
    }
    deliver(peer, slice_new((char *)bytes, n));
}

/* A packet with the keys that a client has agreed on. Its library does not know of it,
 * and is not used any more. */
static void
send_forged(ngtcp2_encryption_level level)
{
    struct client *client = choose_client();
    uint8_t frames[1000], bytes[NETWORK_BYTES];
    struct forge_keys keys;

    if (client == NULL || client->tls.secrets[level].len == 0)
        return;
    const struct client_secret *secret = &client->tls.secrets[level];
    const unsigned i = (unsigned)(client - quic.clients);
    const unsigned choice = script_byte(&world.script);
    uint32_t version = ngtcp2_conn_get_negotiated_version(client->ng);
    struct forge_packet packet = {
        .kind = level == NGTCP2_ENCRYPTION_LEVEL_1RTT ? FORGE_SHORT : FORGE_HANDSHAKE,
        .version = version != 0 ? version : client->version,
        .dcid = *ngtcp2_conn_get_dcid(client->ng),
        .scid = {.datalen = 8},
        .number = quic.numbers[i],
        .key_phase = choice % 32 == 31,
    };
    packet.frames = slice_new((char *)frames, forge_frames(&world.script, frames,
                                                           sizeof frames, packet.kind,
                                                           slice_of("\x04\0\0\x0a"
                                                                    "abcdefghij")));
    quic.numbers[i] += choice % 4 == 3 ? choice : 1;
    client->error = NGTCP2_ERR_CLOSING;
    keys.suite = client->tls.suite;
    CHECK(quic_keys_derive(&keys.keys, &keys.suite, packet.version,
                           slice_new((const char *)secret->bytes, secret->len), true,
                           true) == 0);
    size_t n = forge_write(bytes, sizeof bytes, &packet, &keys);
    quic_keys_clear(&keys.keys);
    if (n > 0)
        deliver(choice % 16 == 15 ? choose_peer() : client->peer,
                slice_new((char *)bytes, n));
}

/* The script */

static void
step(void)
{
    static const uint32_t waits[] = {1, 10, 30, 100, 400, 1100, 6000, 31000};

    switch (script_choice(&world.script, 16)) {
    case 0:
        begin_client();
        break;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        act_as_client();
        break;
    case 6:
        send_again();
        break;
    case 7:
        send_noise();
        break;
    case 8:
        send_initial();
        break;
    case 9:
        send_forged(NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE);
        break;
    case 10:
    case 11:
    case 12:
        send_forged(NGTCP2_ENCRYPTION_LEVEL_1RTT);
        break;
    case 13:
        world_wait(waits[script_choice(&world.script, COUNT(waits))]);
        turn();
        break;
    case 14:
        switch (script_choice(&world.script, 32)) {
        case 0:
            network_stop();
            break;
        case 1:
        case 2:
            network_block(true);
            break;
        default:
            network_block(false);
        }
        break;
    default:
        turn();
    }
}

static struct http_limits
choose_limits(void)
{
    struct http_limits limits = HTTP_LIMITS_DEFAULT;

    switch (script_choice(&world.script, 4)) {
    case 0:
        limits.h3_retry_from = 0;
        break;
    case 1:
        limits.h3_retry_from = 2;
        limits.connections = 3;
        break;
    case 2:
        limits.h3_memory_bytes = 100000;
        limits.h3_send_bytes = 20000;
        limits.h3_window_bytes = 2000;
        limits.h3_connection_window_bytes = 4000;
        limits.h3_streams = 4;
        break;
    default:
        break;
    }
    return limits;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    network_prepare();
    const size_t held = memory_held();

    memset(&quic, 0, sizeof quic);
    world_reset(data, size);
    responder_begin(false);
    const struct http_limits limits = choose_limits();
    network_begin(&limits, &responder, on_server_sent);
    while (!script_is_over(&world.script))
        step();
    quic.trigger.len = 0;
    for (unsigned i = 0; i < quic.nclients; i++)
        quic.clients[i].error = NGTCP2_ERR_CLOSING;
    network_end();
    for (unsigned i = 0; i < quic.nclients; i++)
        client_end(&quic.clients[i]);
    responder_end();
    CHECK(memory_held() == held);
    return 0;
}
