/* SPDX-License-Identifier: MIT */
/* tests/c/test_udp.c — datagrams in batches, over loopback. */
#include "net/udp.c"

#include <poll.h>   /* poll */
#include <unistd.h> /* close */

#include "failing.h"
#include "tap.h"

/* What has arrived, and the path of the last one. */
struct inbox {
    unsigned n;
    size_t bytes;
    bool is_good; /* each one is filled with its number */
    udp_ecn ecn;
    struct udp_path path;
};

static void
on_datagram(void *arg, const struct udp_path *path, struct slice bytes, udp_ecn ecn)
{
    struct inbox *inbox = arg;

    for (size_t i = 0; i < bytes.len; i++)
        inbox->is_good = inbox->is_good && (uint8_t)bytes.ptr[i] == (uint8_t)inbox->n;
    inbox->n++;
    inbox->bytes += bytes.len;
    inbox->ecn = ecn;
    inbox->path = *path;
}

static struct udp_socket
open_on(const char *host, int family)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct udp_socket out;
    int fd = socket(family, SOCK_DGRAM, 0);

    if (family == AF_INET) {
        if (host != NULL)
            v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ok(bind(fd, (struct sockaddr *)&v4, sizeof v4) == 0, "bound");
    } else {
        if (host != NULL)
            v6.sin6_addr = in6addr_loopback;
        ok(bind(fd, (struct sockaddr *)&v6, sizeof v6) == 0, "bound");
    }
    is(udp_open(&out, fd, 1 << 20), 0, "opened");
    return out;
}

/* Receives until `n` datagrams have arrived. */
static void
receive(struct udp_socket *at, struct udp_buffers *buffers, struct inbox *inbox,
        unsigned n)
{
    *inbox = (struct inbox){.is_good = true};
    while (inbox->n < n) {
        struct pollfd ready = {.fd = at->fd, .events = POLLIN};
        if (poll(&ready, 1, 5000) <= 0)
            break;
        (void)!udp_receive(at, buffers, UDP_READS, on_datagram, inbox);
    }
    is(inbox->n, n, "%u datagrams have arrived", n);
    ok(inbox->is_good, "in order, and whole");
}

static void
send_one(struct udp_socket *from, struct udp_buffers *buffers,
         const struct udp_path *path, uint8_t fill, size_t n, udp_ecn ecn)
{
    char *room = udp_send_room(from, buffers, n);

    memset(room, fill, n);
    udp_send(from, buffers, path, n, n, ecn);
}

static void
test_datagrams_arrive_as_they_were_sent(const char *host, int family)
{
    struct udp_socket server = open_on(host, family), client = open_on("one", family);
    struct udp_path path = {.local = client.local, .peer = server.local};
    struct udp_buffers *buffers;
    struct inbox inbox;

    if (host == NULL) { /* a wildcard: send to the loopback address */
        const uint16_t port = ((struct sockaddr_in *)&server.local.data)->sin_port;
        path.peer = client.local;
        ((struct sockaddr_in *)&path.peer.data)->sin_port = port;
    }
    is(udp_buffers_new(&buffers), 0, "buffers");
    for (unsigned i = 0; i < 100; i++)
        send_one(&client, buffers, &path, (uint8_t)i, 500 + i, 2);
    udp_flush(&client, buffers);
    ok(!client.is_blocked, "the kernel has taken them");
    receive(&server, buffers, &inbox, 100);
    is(inbox.bytes, 100 * 500 + 4950, "with all bytes");
    is(inbox.ecn, 2, "and their mark");
    ok(udp_same_addr(&inbox.path.peer, &client.local), "from the client");
    ok(udp_same_addr(&inbox.path.local, &path.peer), "to the address it had asked");
    /* What answers them comes from that address. */
    send_one(&server, buffers, &inbox.path, 0, 10, 0);
    udp_flush(&server, buffers);
    receive(&client, buffers, &inbox, 1);
    ok(udp_same_addr(&inbox.path.peer, &path.peer), "the response has that source");
    is(inbox.ecn, 0, "and no mark");
    udp_buffers_free(buffers);
    close(server.fd);
    close(client.fd);
}

/* A run of datagrams leaves as one message, and arrives as several. */
static void
test_a_run_is_divided(void)
{
    struct udp_socket server = open_on("one", AF_INET),
                      client = open_on("one", AF_INET);
    const struct udp_path path = {.local = client.local, .peer = server.local};
    struct udp_buffers *buffers;
    struct inbox inbox;

    is(udp_buffers_new(&buffers), 0, "buffers");
    if (client.has_gso) {
        char *room = udp_send_room(&client, buffers, UDP_PACKET_BYTES);
        for (unsigned i = 0; i < 40; i++)
            memset(room + i * 1200, (int)i, i < 39 ? 1200 : 7);
        udp_send(&client, buffers, &path, 39 * 1200 + 7, 1200, 0);
        is(buffers->nwrites, 1, "one message");
        udp_flush(&client, buffers);
        receive(&server, buffers, &inbox, 40);
        is(inbox.bytes, 39 * 1200 + 7, "the last one is shorter");
    }
    udp_buffers_free(buffers);
    close(server.fd);
    close(client.fd);
}

/* Memory and messages of one batch are bounded: what does not fit is sent before. */
static void
test_a_batch_is_bounded(void)
{
    struct udp_socket server = open_on("one", AF_INET),
                      client = open_on("one", AF_INET);
    const struct udp_path path = {.local = client.local, .peer = server.local};
    struct udp_buffers *buffers;

    is(udp_buffers_new(&buffers), 0, "buffers");
    for (unsigned i = 0; i < 3 * UDP_WRITES; i++)
        send_one(&client, buffers, &path, 0, 1000, 0);
    ok(buffers->nwrites <= UDP_WRITES, "messages");
    for (unsigned i = 0; i < 40; i++)
        send_one(&client, buffers, &path, 0, 60000, 0);
    ok(buffers->used <= UDP_ARENA_BYTES, "memory");
    udp_flush(&client, buffers);
    is(buffers->nwrites, 0, "all were sent or lost");
    udp_buffers_free(buffers);
    close(server.fd);
    close(client.fd);
}

/* An error of one datagram does not hold the others back. */
static void
test_a_datagram_that_cannot_be_sent_is_lost(void)
{
    struct udp_socket server = open_on("one", AF_INET),
                      client = open_on("one", AF_INET);
    struct udp_path path = {.local = client.local, .peer = server.local};
    struct udp_path nowhere = path;
    struct udp_buffers *buffers;
    struct inbox inbox;

    ((struct sockaddr_in *)&nowhere.peer.data)->sin_port = 0;
    is(udp_buffers_new(&buffers), 0, "buffers");
    send_one(&client, buffers, &nowhere, 9, 10, 0);
    send_one(&client, buffers, &path, 0, 10, 0);
    udp_flush(&client, buffers);
    receive(&server, buffers, &inbox, 1);
    udp_buffers_free(buffers);
    close(server.fd);
    is(udp_open(&server, client.fd, 0), 0, "small buffers are the kernel's choice");
    ok(server.receive_bytes > 0, "it grants %d bytes", server.receive_bytes);
    close(client.fd);
    is(udp_open(&server, client.fd, 1 << 20), ERR_IO, "a closed socket is not opened");
}

/* Options that the kernel does not know are not needed. */
static void
test_a_socket_is_opened_or_reports_why(void)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_in6 v6 = {.sin6_family = (sa_family_t)families[i]};
        const socklen_t len = i == 0 ? sizeof(struct sockaddr_in) : sizeof v6;
        int fd = socket(families[i], SOCK_DGRAM, 0);
        unsigned nrefused = 0;
        ok(bind(fd, (struct sockaddr *)&v6, len) == 0, "bound to any address");
        for (unsigned n = 1, more = 1; more; n++) {
            struct udp_socket out;
            fault_at(n, EINVAL);
            int err = udp_open(&out, fd, 1 << 20);
            more = fault_name()[0] != '\0';
            nrefused += err != 0;
            ok(err == 0 || (err == ERR_IO && more), "call %u: %s", n, fault_name());
            (void)fault_stop();
        }
        ok(nrefused <= 4, "%u of them are needed", nrefused);
        close(fd);
    }
}

static void
test_there_may_be_no_memory(void)
{
    struct udp_buffers *buffers = NULL;

    mem_fail_at(1);
    is(udp_buffers_new(&buffers), ERR_NOMEM, "none for the buffers");
    mem_fail_at(0);
}

int
main(void)
{
    test_datagrams_arrive_as_they_were_sent(NULL, AF_INET6);
    test_a_socket_is_opened_or_reports_why();
    test_there_may_be_no_memory();
    test_datagrams_arrive_as_they_were_sent("one", AF_INET);
    test_datagrams_arrive_as_they_were_sent("one", AF_INET6);
    test_datagrams_arrive_as_they_were_sent(NULL, AF_INET);
    test_a_run_is_divided();
    test_a_batch_is_bounded();
    test_a_datagram_that_cannot_be_sent_is_lost();
    return tap_done();
}
