/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_quic_pair.c — a server and clients of QUIC in one process, on one
 * scripted clock (quic/network.h), connected by links that lose, delay, duplicate and
 * change datagrams and move clients to other addresses, as a generator with the seed of
 * the input decides. Every exchange ends with the right bytes. */
#include <stdlib.h> /* malloc */
#include <string.h> /* memcpy */

#include "base/compiler.h"
#include "quic/client.h"
#include "quic/network.h"
#include "quic/responder.h"
#include "session/memory.h"
#include "session/world.h"
#include "check.h"

#define MS UINT64_C(1000000)
#define CLIENTS_MAX 3u

/* A link loses or changes at most this number of datagrams in a row, so that no connection
 * has to wait for long: a lost datagram is repeated after twice the time. The token of a
 * Retry packet is valid for 10 s. */
#define LOST_IN_A_ROW 4u
#define LOST_WITH_RETRY 2u

/* The time within which some byte of a body arrives, and the events of one input. */
#define STALL_NS (UINT64_C(2000) * 1000 * MS)
#define EVENTS_MAX 1000000u

/* A datagram under way. */
struct packet {
    struct packet *next; /* owned */
    uint64_t due_ns;
    bool to_server;
    unsigned peer, client;
    uint8_t ecn;
    size_t len;
    char bytes[];
};

static struct {
    uint32_t seed;
    unsigned loss, damage, copies, jumps; /* in 256 */
    uint64_t delay_ns, jitter_ns;
    unsigned nlost[2], nlost_max;
    uint64_t calm_ns;       /* until when all datagrams arrive */
    struct packet *packets; /* in order of due_ns */
    struct client clients[CLIENTS_MAX];
    unsigned nclients;
    unsigned owner[NETWORK_PEERS]; /* the client that has an address now */
    unsigned moved[CLIENTS_MAX];   /* the address that a NAT gives to a client */
} pair;

static uint32_t
below(uint32_t n)
{
    pair.seed ^= pair.seed << 13;
    pair.seed ^= pair.seed >> 17;
    pair.seed ^= pair.seed << 5;
    return pair.seed % n;
}

/* The link */

static void
put(struct packet *packet)
{
    struct packet **at = &pair.packets;

    while (*at != NULL && (*at)->due_ns <= packet->due_ns)
        at = &(*at)->next;
    packet->next = *at;
    *at = packet;
}

/* Returns whether a datagram must arrive unchanged, since ngtcp2 (1.11) waits for ever in
 * two cases. It counts a lost probe of a path, which has this size (RFC 9000 8.2.1), as in
 * flight until something later is acknowledged, and two of them can fill the smallest
 * window. And it repeats no probe of a client's new address while the limit of
 * amplification does not allow it, even if the client has nothing to send. */
static bool
has_to_arrive(struct slice bytes)
{
    return (bytes.len == 1200 && (bytes.ptr[0] & 0x80) == 0) ||
           world_now_ns() < pair.calm_ns;
}

static void
post(bool to_server, unsigned peer, struct slice bytes, uint8_t ecn)
{
    struct packet *packet = malloc(sizeof *packet + bytes.len);

    CHECK(packet != NULL);
    *packet = (struct packet){
        .due_ns = world_now_ns() + pair.delay_ns +
                  (pair.jitter_ns > 0 ? below((uint32_t)pair.jitter_ns) : 0),
        .to_server = to_server,
        .peer = peer,
        .client = pair.owner[peer],
        .ecn = ecn,
        .len = bytes.len,
    };
    memcpy(packet->bytes, bytes.ptr, bytes.len);
    if (below(256) < pair.damage && pair.nlost[to_server] < pair.nlost_max &&
        !has_to_arrive(bytes)) {
        packet->bytes[below((uint32_t)bytes.len)] ^= (char)(1 << below(8));
        pair.nlost[to_server]++;
    }
    put(packet);
}

static void
transmit(bool to_server, unsigned peer, struct slice bytes, uint8_t ecn)
{
    if (below(256) < pair.loss && !has_to_arrive(bytes) &&
        pair.nlost[to_server]++ < pair.nlost_max)
        return;
    pair.nlost[to_server] = 0;
    post(to_server, peer, bytes, ecn);
    if (below(256) < pair.copies)
        post(to_server, peer, bytes, ecn);
}

static void
on_client_sent(struct client *client, unsigned peer, struct slice bytes, uint8_t ecn)
{
    const unsigned i = (unsigned)(client - pair.clients);

    if (peer == client->peer && pair.moved[i] < NETWORK_PEERS)
        peer = pair.moved[i];
    pair.owner[peer] = i;
    transmit(true, peer, bytes, ecn);
}

static void
on_server_sent(unsigned peer, struct slice bytes, uint8_t ecn)
{
    transmit(false, peer, bytes, ecn);
}

/* Passes on what has arrived. */
static void
arrive(void)
{
    while (pair.packets != NULL && pair.packets->due_ns <= world_now_ns()) {
        struct packet *packet = pair.packets;
        const struct slice bytes = slice_new(packet->bytes, packet->len);
        pair.packets = packet->next;
        if (packet->to_server)
            network_deliver(packet->peer, bytes, packet->ecn);
        else
            client_read(&pair.clients[packet->client], bytes, packet->ecn);
        free(packet);
    }
}

/* Clients */

static void
ask(struct client *client)
{
    static const uint32_t sizes[] = {0, 1, 300, 5000, 30000};

    for (uint32_t n = 1 + below(6); n > 0; n--)
        client_ask(client, below(3) == 0 ? sizes[below(COUNT(sizes))] : 0,
                   sizes[below(COUNT(sizes))] + below(1000));
}

/* A client gets an address that no other client has had: two for each. */
static void
move(struct client *client)
{
    const unsigned i = (unsigned)(client - pair.clients);

    if (!client->is_confirmed)
        return;
    const unsigned choice = below(4);
    if (choice < 2)
        pair.calm_ns =
            world_now_ns() + 1000 * MS + 8 * (pair.delay_ns + pair.jitter_ns);
    switch (choice) {
    case 0: /* a NAT drops its binding */
        pair.moved[i] = i * 2 + below(2);
        network_validate(pair.moved[i]);
        break;
    case 1:
        pair.moved[i] = NETWORK_PEERS;
        pair.owner[i * 2 + 1] = i;
        network_validate(i * 2 + 1);
        client_move(client, i * 2 + 1);
        break;
    default:
        client_update_keys(client);
    }
}

static bool
is_done(void)
{
    for (unsigned i = 0; i < pair.nclients; i++) {
        CHECK(pair.clients[i].error == 0);
        if (!client_is_done(&pair.clients[i]))
            return false;
    }
    return true;
}

static uint64_t
next_event(void)
{
    uint64_t due_ns = network_due_ns();

    if (pair.packets != NULL && pair.packets->due_ns < due_ns)
        due_ns = pair.packets->due_ns;
    for (unsigned i = 0; i < pair.nclients; i++) {
        if (client_due_ns(&pair.clients[i]) < due_ns)
            due_ns = client_due_ns(&pair.clients[i]);
    }
    return due_ns;
}

/* Returns a number that grows with each byte of a body that has arrived. */
static uint64_t
progress(void)
{
    uint64_t bytes = responder_received();

    for (unsigned i = 0; i < pair.nclients; i++) {
        for (unsigned r = 0; r < pair.clients[i].nrequests; r++)
            bytes += pair.clients[i].requests[r].got +
                     pair.clients[i].requests[r].is_complete;
    }
    return bytes;
}

static void
run(void)
{
    uint64_t last = 0, last_ns = world_now_ns();

    for (unsigned i = 0; !is_done(); i++) {
        if (progress() > last)
            last_ns = world_now_ns();
        last = progress();
        CHECK(i < EVENTS_MAX && world_now_ns() < last_ns + STALL_NS);
        for (unsigned c = 0; c < pair.nclients; c++) {
            if (below(65536) < pair.jumps)
                move(&pair.clients[c]);
            client_write(&pair.clients[c], on_client_sent);
        }
        uint64_t due_ns = next_event();
        CHECK(due_ns != UINT64_MAX);
        world_wait_until(due_ns);
        arrive();
        network_turn();
    }
}

/* Beginning and end */

static struct http_limits
choose_limits(void)
{
    struct http_limits limits = HTTP_LIMITS_DEFAULT;

    /* Lost datagrams may delay anything. */
    limits.handshake_ms = limits.h3_idle_ms = limits.keep_alive_ms = 100000000;
    limits.head_ms = limits.body_stall_ms = limits.send_stall_ms = 100000000;
    limits.body_rate = 0;
    switch (script_choice(&world.script, 4)) {
    case 0:
        limits.h3_retry_from = 0;
        break;
    case 1:
        limits.h3_streams = 4;
        limits.h3_window_bytes = 2000;
        limits.h3_connection_window_bytes = 5000;
        break;
    case 2:
        limits.h3_send_bytes = 20000;
        break;
    default:
        break;
    }
    return limits;
}

static void
choose_link(bool retries)
{
    static const uint64_t delays[] = {MS / 10, MS, 20 * MS, 300 * MS};

    pair.loss = script_choice(&world.script, 40);
    pair.damage = script_choice(&world.script, 32);
    pair.copies = script_choice(&world.script, 64);
    pair.jumps = script_byte(&world.script);
    pair.delay_ns = delays[script_choice(&world.script, COUNT(delays) - retries)];
    pair.jitter_ns = script_choice(&world.script, 8) * pair.delay_ns;
    pair.nlost_max = retries ? LOST_WITH_RETRY : LOST_IN_A_ROW;
    for (unsigned i = 0; i < 4; i++)
        pair.seed = pair.seed << 8 | script_byte(&world.script);
    pair.seed |= 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    network_prepare();
    const size_t held = memory_held();

    memset(&pair, 0, sizeof pair);
    world_reset(data, size);
    responder_begin(true);
    const struct http_limits limits = choose_limits();
    choose_link(limits.h3_retry_from == 0);
    network_begin(&limits, &responder, on_server_sent);
    pair.nclients = 1 + below(CLIENTS_MAX);
    for (unsigned i = 0; i < pair.nclients; i++) {
        pair.moved[i] = NETWORK_PEERS;
        pair.owner[i * 2] = i;
        network_validate(i * 2);
        client_begin(&pair.clients[i], i * 2,
                     below(2) == 0 ? NGTCP2_PROTO_VER_V1 : NGTCP2_PROTO_VER_V2);
        ask(&pair.clients[i]);
    }
    run();
    for (unsigned i = 0; i < pair.nclients; i++) {
        if (below(2) == 0)
            client_close(&pair.clients[i], on_client_sent);
    }
    pair.delay_ns = pair.jitter_ns = 0;
    arrive();
    network_end();
    for (unsigned i = 0; i < pair.nclients; i++)
        client_end(&pair.clients[i]);
    for (struct packet *packet = pair.packets, *next; packet != NULL; packet = next) {
        next = packet->next;
        free(packet);
    }
    responder_end();
    CHECK(memory_held() == held);
    return 0;
}
