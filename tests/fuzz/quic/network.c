/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/network.c — see network.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method */
#include "quic/network.h"

#include <arpa/inet.h>   /* htonl */
#include <errno.h>       /* errno */
#include <netinet/ip.h>  /* IPTOS_ECN_MASK */
#include <netinet/udp.h> /* SOL_UDP */
#include <string.h>      /* memcpy */
#include <sys/socket.h>  /* struct mmsghdr */
#include <time.h>        /* time_t */
#include <unistd.h>      /* close */

#include <openssl/rand.h>

#include "base/err.h"
#include "quic/client_tls.h"
#include "quic/connection.h"
#include "quic/handshake.h"
#include "server/quic_link.h"
#include "server/server_internal.h"
#include "session/identity.h"
#include "session/memory.h"
#include "session/poller.h"
#include "session/world.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* Datagrams that wait in the socket. */
#define WAITING 64u

/* Turns in a row in which something is due and does not happen. */
#define LATE_TURNS 64u

/* How late the server may be: deadlines are rounded up to a millisecond, and timers to
 * their grain. */
#define LATE_NS 2000000u

/* The maximum of a connection's memory that its quota does not count: its session, and
 * requests with their unread bodies. */
#define CONN_BYTES (128u * 1024)
#define SERVER_BYTES ((size_t)8 << 20)

/* ... and of what a client can make the server keep before its handshake is complete. */
#define HANDSHAKE_BYTES (512u * 1024)

struct datagram {
    unsigned peer;
    uint8_t ecn;
    size_t len;
    char bytes[NETWORK_BYTES];
};

/* What was sent to and received from one address. */
struct balance_of {
    uint64_t received, sent;
    bool is_validated;
};

static struct {
    struct server *server;
    struct tls_context *tls;
    SSL_CTX *client_tls;
    network_on_sent *on_sent;
    int fd;
    struct datagram waiting[WAITING];
    size_t nwaiting;
    struct balance_of peers[NETWORK_PEERS];
    bool is_blocked, is_scheduled, is_stopping;
    struct datagram last; /* the only one of this turn */
    unsigned nread;       /* in this turn */
    unsigned nlate;
    size_t held_before;
    uint64_t random;
} network;

/* Calls of one input: many times what the corpus needs. */
#define STEPS_MAX 4000000u

void
world_step(void)
{
    CHECK(++world.nsteps <= STEPS_MAX);
}

/* Randomness is the same in every run. */

static int
random_bytes(unsigned char *out, int n)
{
    for (int i = 0; i < n; i++) {
        network.random ^= network.random << 13;
        network.random ^= network.random >> 7;
        network.random ^= network.random << 17;
        out[i] = (unsigned char)(network.random >> 32);
    }
    return 1;
}

static int
random_status(void)
{
    return 1;
}

static const RAND_METHOD random_method = {
    .bytes = random_bytes,
    .pseudorand = random_bytes,
    .status = random_status,
};

/* The clock of tokens */

time_t __wrap_time(time_t *out);

time_t
__wrap_time(time_t *out)
{
    time_t now = 1000000000 + (time_t)(world_now_ns() / 1000000000);

    if (out != NULL)
        *out = now;
    return now;
}

/* Addresses */

struct sockaddr_in
network_peer(unsigned peer)
{
    CHECK(peer < NETWORK_PEERS);
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(1000 + peer)),
        .sin_addr.s_addr = htonl(0x7f000002 + peer / 2),
    };
}

unsigned
network_number(const struct sockaddr_in *addr)
{
    unsigned peer = ntohs(addr->sin_port) - 1000u;

    CHECK(peer < NETWORK_PEERS);
    return peer;
}

struct sockaddr_in
network_server(void)
{
    struct sockaddr_in addr;

    memcpy(&addr, &network_endpoint()->socket.local.data, sizeof addr);
    return addr;
}

/* The socket */

int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags,
                    struct timespec *timeout);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags);

static void
receive(struct mmsghdr *message, const struct datagram *datagram)
{
    struct msghdr *header = &message->msg_hdr;
    const struct sockaddr_in from = network_peer(datagram->peer);
    const int ecn = datagram->ecn;

    CHECK(header->msg_iovlen == 1 && header->msg_iov->iov_len >= datagram->len);
    memcpy(header->msg_name, &from, sizeof from);
    header->msg_namelen = sizeof from;
    memcpy(header->msg_iov->iov_base, datagram->bytes, datagram->len);
    message->msg_len = (unsigned)datagram->len;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    control->cmsg_level = IPPROTO_IP;
    control->cmsg_type = IP_TOS;
    control->cmsg_len = CMSG_LEN(1);
    *(uint8_t *)CMSG_DATA(control) = (uint8_t)ecn;
    header->msg_controllen = CMSG_SPACE(1);
    network.peers[datagram->peer].received += datagram->len;
    network.last = *datagram;
    network.nread++;
}

int
__wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags,
                struct timespec *timeout)
{
    unsigned got = 0;

    (void)flags, (void)timeout;
    CHECK(fd == network.fd);
    while (got < n && got < network.nwaiting) {
        receive(&messages[got], &network.waiting[got]);
        got++;
    }
    memmove(network.waiting, network.waiting + got,
            (network.nwaiting - got) * sizeof *network.waiting);
    network.nwaiting -= got;
    if (got > 0)
        return (int)got;
    errno = EAGAIN;
    return -1;
}

/* Before a client has proved its address, it is sent at most three times as many bytes as
 * it has sent (RFC 9000 8.1). */
static void
sent(unsigned peer, struct slice bytes, uint8_t ecn)
{
    struct balance_of *balance = &network.peers[peer];

    CHECK(bytes.len > 0 && bytes.len <= NETWORK_BYTES);
    balance->sent += bytes.len;
    CHECK(balance->is_validated || balance->sent <= 3 * balance->received);
    network.on_sent(peer, bytes, ecn);
}

static void
send_message(const struct msghdr *header)
{
    struct slice bytes = slice_new(header->msg_iov->iov_base, header->msg_iov->iov_len);
    const unsigned peer = network_number(header->msg_name);
    size_t segment = bytes.len;
    uint16_t value;
    uint8_t ecn = 0;

    CHECK(header->msg_iovlen == 1);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL;
         c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)header, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            segment = value;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            ecn = *CMSG_DATA(c);
        }
    }
    CHECK(segment > 0);
    while (bytes.len > 0) {
        size_t n = bytes.len < segment ? bytes.len : segment;
        sent(peer, slice_new(bytes.ptr, n), ecn);
        bytes = slice_skip(bytes, n);
    }
}

int
__wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    (void)flags;
    CHECK(fd == network.fd && n > 0);
    if (network.is_blocked) {
        errno = EAGAIN;
        return -1;
    }
    for (unsigned i = 0; i < n; i++)
        send_message(&messages[i].msg_hdr);
    return (int)n;
}

void
network_deliver(unsigned peer, struct slice bytes, uint8_t ecn)
{
    CHECK(bytes.len <= NETWORK_BYTES);
    if (network.nwaiting == WAITING || bytes.len == 0)
        return;
    struct datagram *datagram = &network.waiting[network.nwaiting++];
    datagram->peer = peer;
    datagram->ecn = ecn & IPTOS_ECN_MASK;
    datagram->len = bytes.len;
    memcpy(datagram->bytes, bytes.ptr, bytes.len);
}

size_t
network_waiting(void)
{
    return network.nwaiting;
}

void
network_validate(unsigned peer)
{
    network.peers[peer].is_validated = true;
}

void
network_block(bool is_blocked)
{
    network.is_blocked = is_blocked;
}

/* What the poller asks */

int
world_fd(void)
{
    return network.fd;
}

unsigned
world_events(unsigned watched)
{
    unsigned events = 0;

    if (network.nwaiting > 0)
        events |= watched & POLLER_READ;
    if (!network.is_blocked)
        events |= watched & POLLER_WRITE;
    return events;
}

/* The server */

static void
on_schedule(void *owner)
{
    (void)owner;
    CHECK(!network.is_scheduled);
    network.is_scheduled = true;
}

static void
on_event(void *owner)
{
    (void)owner;
}

SSL_CTX *
network_client_tls(void)
{
    return network.client_tls;
}

const struct quic_endpoint *
network_endpoint(void)
{
    return &network.server->quic.slots[0]->quic;
}

unsigned
network_connections(void)
{
    return network.server->turn.nlinks;
}

static int
bound_socket(void)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    CHECK(fd != -1 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0);
    return fd;
}

void
network_prepare(void)
{
    network.random = 88172645463325252u;
    if (network.tls != NULL)
        return;
    CHECK(RAND_set_rand_method(&random_method) == 1);
    identity_new(quic_handshake_prepare, &network.tls, &network.client_tls);
    client_tls_prepare(network.client_tls);
}

void
network_begin(const struct http_limits *limits, const struct stream_handler *handler,
              network_on_sent *on_sent)
{
    struct server_config config = {
        .limits = *limits,
        .graceful_ms = 5000,
        .watch_fd = -1,
        .handler = handler,
        .schedule = on_schedule,
        .on_stage = on_event,
        .on_full = on_event,
        .quic_secret = slice_of("a secret of thirty-two bytes ..."),
    };

    network.nwaiting = 0;
    network.nlate = 0;
    network.is_blocked = network.is_scheduled = network.is_stopping = false;
    memset(network.peers, 0, sizeof network.peers);
    network.on_sent = on_sent;
    config.tls = network.tls;
    CHECK(server_new(&config, &network.server) == 0);
    network.fd = bound_socket();
    CHECK(server_listen(network.server, network.fd, LISTEN_QUIC) == 0);
    network.held_before = memory_held();
}

/* Invariants */

static const struct quic_link *
link_at(const struct list_node *node)
{
    return quic_link_of(container_of(node, struct link, node));
}

/* What the server keeps for each connection is bounded. */
static void
check_memory(void)
{
    const struct turn *turn = &network.server->turn;
    const struct list_node *node;
    size_t most = SERVER_BYTES;

    for (node = turn->links.next; node != &turn->links; node = node->next) {
        const struct quic_conn *conn = &link_at(node)->quic;
        const struct mem_quota *quota = &conn->carrier.quota;
        CHECK(quota->used <= quota->most);
        CHECK(conn->is_established || quota->used <= HANDSHAKE_BYTES);
        most += quota->used + CONN_BYTES + turn->service.limits.h3_send_bytes +
                turn->service.limits.h3_connection_window_bytes;
    }
    CHECK(memory_held() - network.held_before <= most);
}

static void
check_counters(void)
{
    const struct turn *turn = &network.server->turn;
    const struct quic_endpoint *endpoint = network_endpoint();
    const struct list_node *node;
    unsigned n = 0, nhandshakes = 0;

    for (node = turn->links.next; node != &turn->links; node = node->next) {
        n++;
        nhandshakes += !link_at(node)->quic.is_established;
    }
    CHECK(n == turn->nlinks && nhandshakes == endpoint->nhandshakes);
    CHECK(endpoint->expiries.n == n);
    CHECK(endpoint->ids.n >= n);
}

/* The alarm is set in time for what is due next, and what is due happens. */
static void
check_deadlines(void)
{
    const struct expiry *first = expiry_first(&network_endpoint()->expiries);
    const uint64_t now_ns = world_now_ns();

    if (first == NULL || first->due_ns == EXPIRY_NEVER || network.is_blocked) {
        network.nlate = 0;
        return;
    }
    network.nlate = first->due_ns + LATE_NS < now_ns ? network.nlate + 1 : 0;
    CHECK(network.nlate < LATE_TURNS);
    if (first->due_ns > now_ns)
        CHECK(the_poller.alarm_ns != 0 &&
              the_poller.alarm_ns <= first->due_ns + LATE_NS);
}

/* Requests wait for a bounded number of handshakes: the first read of a flood may begin
 * UDP_READS, and with one of before it. */
#define OPENED_MAX (1 + UDP_READS)

void
network_turn(void)
{
    const uint64_t before = tally_get(network.server->tally, TALLY_ACCEPTED);

    network.nread = 0;
    server_turn(network.server);
    CHECK(tally_get(network.server->tally, TALLY_ACCEPTED) - before <= OPENED_MAX);
    if (network.is_scheduled) {
        network.is_scheduled = false;
        server_flush(network.server);
    }
    check_memory();
    check_counters();
    check_deadlines();
    world.nturns++;
}

uint64_t
network_due_ns(void)
{
    if (network.nwaiting > 0 || network.is_scheduled ||
        !list_is_empty(&network.server->turn.dirty))
        return world_now_ns();
    return the_poller.alarm_ns != 0 ? the_poller.alarm_ns : UINT64_MAX;
}

/* The end */

void
network_stop(void)
{
    network.is_stopping = true;
    server_stop(network.server);
}

void
network_end(void)
{
    const struct turn *turn = &network.server->turn;
    const struct quic_endpoint *endpoint = network_endpoint();

    network_block(false);
    network_stop();
    for (unsigned i = 0; i < 5000 && turn->nlinks > 0; i++) {
        network_turn();
        world_wait_until(network_due_ns() == UINT64_MAX ? world_now_ns() + 1000000000
                                                        : network_due_ns());
    }
    CHECK(turn->nlinks == 0 && list_is_empty(&turn->dead));
    CHECK(turn->quic_pool.ntaken == 0 && turn->service.h3_streams.ntaken == 0);
    CHECK(turn->out_pools.blocks.ntaken == 0 && turn->out_pools.lent.ntaken == 0);
    CHECK(tally_get(network.server->tally, TALLY_RUNNING) == 0);
    CHECK(tally_get(network.server->tally, TALLY_CONNECTIONS) == 0);
    CHECK(endpoint->nhandshakes == 0 && endpoint->ids.n == 0);
    CHECK(endpoint->expiries.n == 0);
    server_free(network.server);
    network.server = NULL;
}
