/* SPDX-License-Identifier: MIT */
/* tests/c/test_quic_torture.c — a server of QUIC and its clients in one process
 * (tests/fuzz/quic), repeated with one call of the server failing after another: an
 * allocation, a function of ngtcp2, nghttp3 or OpenSSL, or a system call. network.c and
 * responder.c check that each exchange ends once, that no deadline is missed, and that
 * nothing is left of any connection. */
#include <errno.h>  /* ENOBUFS */
#include <string.h> /* memcpy */

#include "../faults/faults.h"
#include "base/compiler.h"
#include "quic/client.h"
#include "quic/endpoint.h"
#include "quic/network.h"
#include "quic/responder.h"
#include "session/memory.h"
#include "session/world.h"
#include "tap.h"

#define MS UINT64_C(1000000)
#define FLYING 256u
#define CLIENTS 3u

/* How long a part of the conversation may take if its connection is broken. */
#define PART_NS (3000 * MS)

/* A datagram under way. */
struct flying {
    bool to_server;
    unsigned peer;
    uint8_t ecn;
    size_t len;
    char bytes[NETWORK_BYTES];
};

static struct {
    struct flying flying[FLYING];
    unsigned nflying;
    struct client clients[CLIENTS];
    unsigned nclients;
    bool fails; /* calls of the server are counted */
} all;

/* The functions whose calls fail. */
static const char *const names[] = {
#define FAULT(kind, name) #name,
#include "../faults/system.def"
#include "../faults/quic.def"
#undef FAULT
};

static void
fly(bool to_server, unsigned peer, struct slice bytes, uint8_t ecn)
{
    if (all.nflying == FLYING || bytes.len > NETWORK_BYTES)
        return; /* it is lost */
    struct flying *flying = &all.flying[all.nflying++];
    *flying = (struct flying){to_server, peer, ecn, bytes.len, ""};
    memcpy(flying->bytes, bytes.ptr, bytes.len);
}

static void
on_client_sent(struct client *client, unsigned peer, struct slice bytes, uint8_t ecn)
{
    (void)client;
    fly(true, peer, bytes, ecn);
}

static void
on_server_sent(unsigned peer, struct slice bytes, uint8_t ecn)
{
    fly(false, peer, bytes, ecn);
}

static void
arrive(void)
{
    for (unsigned i = 0; i < all.nflying; i++) {
        const struct flying *flying = &all.flying[i];
        const struct slice bytes = slice_new(flying->bytes, flying->len);
        if (flying->to_server)
            network_deliver(flying->peer, bytes, flying->ecn);
        for (unsigned c = 0; !flying->to_server && c < all.nclients; c++) {
            if (all.clients[c].ng != NULL && all.clients[c].peer == flying->peer)
                client_read(&all.clients[c], bytes, flying->ecn);
        }
    }
    all.nflying = 0;
}

static void
serve(void)
{
    if (all.fails)
        fault_resume();
    network_turn();
    fault_pause();
}

static uint64_t
next_event(void)
{
    uint64_t due_ns = network_due_ns();

    for (unsigned i = 0; i < all.nclients; i++) {
        if (all.clients[i].ng != NULL && client_due_ns(&all.clients[i]) < due_ns)
            due_ns = client_due_ns(&all.clients[i]);
    }
    return due_ns;
}

/* Returns whether each request of the client has ended. */
static bool
has_ended(const struct client *client)
{
    for (unsigned i = 0; i < client->nrequests; i++) {
        if (!client->requests[i].is_closed)
            return client_is_done(client);
    }
    return true;
}

/* Continues until the client has its responses. Returns whether it gets them. */
static bool
run(struct client *client)
{
    const uint64_t end_ns = world_now_ns() + PART_NS;

    while (client->error == 0 && !has_ended(client)) {
        for (unsigned i = 0; i < all.nclients; i++) {
            if (all.clients[i].ng != NULL)
                client_write(&all.clients[i], on_client_sent);
        }
        if (all.nflying == 0 && next_event() > end_ns)
            return false;
        if (all.nflying == 0)
            world_wait_until(next_event());
        world_wait_until(world_now_ns() + MS);
        arrive();
        serve();
        arrive();
    }
    return client->error == 0 && client_is_done(client);
}

static struct client *
begin(unsigned peer, uint32_t version)
{
    struct client *client = &all.clients[all.nclients++];

    network_validate(peer);
    network_validate(peer + 1);
    client_begin(client, peer, version);
    return client;
}

static bool
ask(struct client *client, uint64_t posted, uint64_t wanted)
{
    client_ask(client, posted, wanted);
    return run(client);
}

/* Datagrams that get a response without a connection. */
static void
send_strays(void)
{
    static char bytes[1200];
    static const struct {
        const char *head;
        size_t nhead, len;
    } strays[] = {
        {"\xc0\x1a\x2a\x3a\x4a\x08"
         "12345678\x08"
         "87654321",
         23, 1200}, /* of an unknown version */
        {"\x40"
         "abcdefghijklmnop",
         17, 100}, /* of an unknown connection */
        {"\xc0\0\0\0\1\x08"
         "12345678\x02"
         "ab\x02"
         "cd",
         19, 1200}, /* an Initial packet that cannot be decrypted */
    };

    for (size_t i = 0; i < COUNT(strays); i++) {
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes, strays[i].head, strays[i].nhead);
        network_deliver(NETWORK_PEERS - 1, slice_new(bytes, strays[i].len), 0);
        serve();
    }
    all.nflying = 0;
}

/* What fails from here on are calls of the server. Returns whether every request got its
 * response. */
static bool
converse(void)
{
    send_strays();
    struct client *first = begin(0, NGTCP2_PROTO_VER_V1);
    bool good = ask(first, 0, 40000);

    good = ask(first, 5000, 300) && good;
    client_update_keys(first);
    good = ask(first, 0, 1000) && good;
    client_move(first, 1);
    good = ask(first, 10, 20) && good;
    struct client *second = &all.clients[all.nclients];
    second->ntoken = first->ntoken;
    memcpy(second->token, first->token, first->ntoken);
    second = begin(2, NGTCP2_PROTO_VER_V2);
    good = ask(second, 0, 70000) && good;
    client_close(first, on_client_sent);
    arrive();
    serve();
    return good;
}

/* The client of a connection that has begun after all of that. */
static bool
comes_later(void)
{
    struct client *later = begin(4, NGTCP2_PROTO_VER_V1);

    return ask(later, 500, 20000);
}

/* Has the n-th call of `name` fail. Returns whether there was one. */
static bool
play(const char *name, unsigned long n, const struct http_limits *limits)
{
    network_prepare();
    const size_t held = memory_held();

    memset(&all, 0, sizeof all);
    world_reset(NULL, 0);
    responder_begin(true);
    network_begin(limits, &responder, on_server_sent);
    network_validate(NETWORK_PEERS - 1);
    all.fails = true;
    printf("# call %lu of %s fails\n", n, name);
    fault_of(name, n, ENOBUFS);
    fault_pause();
    const bool good = converse();
    if (fault_name()[0] == '\0' && !good)
        ok(false, "every request gets its response if no call of %s fails", name);
    all.fails = false;
    if (!comes_later())
        ok(false, "a later client is served, after call %lu of %s", n, name);
    all.fails = true;
    fault_resume();
    network_stop();
    serve();
    const bool has_failed = fault_name()[0] != '\0';
    (void)fault_stop();
    all.fails = false;
    arrive();
    for (unsigned i = 0; i < all.nclients; i++)
        client_end(&all.clients[i]);
    network_end();
    responder_end();
    CHECK(memory_held() == held);
    return has_failed;
}

/* Has calls of each function fail: the first ones, and some of the later ones. */
static void
torture(const char *about, const struct http_limits *limits)
{
    unsigned nfailed = 0;

    for (size_t i = 0; i < COUNT(names); i++) {
        unsigned long n = 1;
        while (play(names[i], n, limits)) {
            n += 1 + n / 3;
            nfailed++;
        }
    }
    ok(nfailed > 300, "%s: the server survives each of %u failures", about, nfailed);
}

/* Responses without a connection are lost while the socket takes none, as packets are. */
static void
test_a_blocked_socket_sends_no_responses(void)
{
    struct http_limits limits = HTTP_LIMITS_DEFAULT;

    network_prepare();
    memset(&all, 0, sizeof all);
    world_reset(NULL, 0);
    responder_begin(true);
    network_begin(&limits, &responder, on_server_sent);
    network_validate(NETWORK_PEERS - 1);
    fault_of("none", 0, 0);
    network_block(true);
    for (int i = 0; i < 3; i++)
        send_strays();
    is(network_endpoint()->socket.is_blocked, true, "the socket is blocked");
    is(network_endpoint()->nreceived, 9, "packets are still read");
    network_block(false);
    serve();
    ok(all.nflying <= 3, "only the first ones are sent later");
    all.nflying = 0;
    ok(comes_later(), "a client is served then");
    (void)fault_stop();
    client_end(&all.clients[0]);
    network_end();
    responder_end();
}

int
main(void)
{
    struct http_limits limits = HTTP_LIMITS_DEFAULT;

    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    limits.h3_idle_ms = limits.keep_alive_ms = 60000;
    test_a_blocked_socket_sends_no_responses();
    torture("two clients", &limits);
    limits.h3_retry_from = 0;
    torture("two clients that prove their addresses", &limits);
    return tap_done();
}
