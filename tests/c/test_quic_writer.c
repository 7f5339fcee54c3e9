/* SPDX-License-Identifier: MIT */
/* tests/c/test_quic_writer.c — how packets are written: which streams and datagrams have
 * their turn, and which packets become one message. ngtcp2, HTTP/3 and the socket are the
 * functions below. */
#include "quic/connection.h"

#include <netinet/in.h> /* struct sockaddr_in */
#include <string.h>     /* memcpy */

static ngtcp2_ssize fake_stream(ngtcp2_path *path, ngtcp2_pkt_info *info,
                                ngtcp2_ssize *taken, int64_t id);
static ngtcp2_ssize fake_datagram(int *is_sent);
static ngtcp2_ssize fake_close(ngtcp2_path *path);
static struct slice fake_next_datagram(void);
static void fake_remove_datagram(bool is_sent);
static int fake_next(struct h3_output *out);
static void fake_wrote(size_t n);
static void fake_note(int64_t id, char what);
static void fake_fail(int rv);
static char *fake_room(size_t n);
static void fake_send(const struct udp_path *path, size_t n, size_t segment);

#undef ngtcp2_conn_writev_stream
#undef ngtcp2_conn_writev_datagram
#undef ngtcp2_conn_write_connection_close
#define ngtcp2_conn_writev_stream(ng, path, info, at, room, taken, flags, id, v, n, t) \
    ((void)(at), (void)(flags), (void)(now_ns), fake_stream(path, info, taken, id))
#define ngtcp2_conn_writev_datagram(ng, path, info, at, room, sent, flags, id, v, n,   \
                                    t)                                                 \
    ((void)(v), (info)->ecn = 0, fake_datagram(sent))
#define ngtcp2_conn_write_connection_close(ng, path, info, at, room, error, now)       \
    ((info)->ecn = 0, fake_close(path))
#define ngtcp2_conn_get_path_max_tx_udp_payload_size(ng) ((size_t)1200)
#define ngtcp2_conn_get_max_tx_udp_payload_size(ng) ((size_t)1200)
#define ngtcp2_conn_get_max_data_left(ng) (now.data_left)
#define ngtcp2_conn_get_send_quantum(ng) (now.quantum)
#define ngtcp2_conn_update_pkt_tx_time(ng, t) ((void)0)
#define ngtcp2_conn_get_expiry(ng) ((uint64_t)77)
#define h3_next_datagram(http) fake_next_datagram()
#define h3_remove_datagram(http, is_sent) fake_remove_datagram(is_sent)
#define h3_next(http, out) fake_next(out)
#define h3_wrote(http, out, n, all) fake_wrote(n)
#define h3_blocked(http, id) fake_note(id, 'b')
#define h3_shut(http, id) fake_note(id, 's')
#define quic_conn_fail(conn, code, why) fake_fail((int)(code))
#define quic_conn_fail_by(conn, rv) fake_fail(rv)
#define udp_send_room(socket, buffers, n) ((void)(socket), fake_room(n))
#define udp_send(socket, buffers, path, n, segment, ecn)                               \
    ((void)(socket), (void)(ecn), fake_send(path, n, segment))

/* What happens. */
static struct now {
    struct {
        ngtcp2_ssize n;
        uint8_t ecn;
        uint16_t port;
    } packets[128]; /* results of ngtcp2, in order */
    unsigned npackets, at;
    ngtcp2_ssize datagram_result; /* the next result for a datagram */
    bool datagram_is_sent;
    unsigned ndatagrams; /* that wait */
    size_t datagram_bytes;
    unsigned nremoved, nsent; /* datagrams; sent ones of them */
    uint64_t data_left, quantum;
    int64_t next; /* the stream that has something to send; -1: none */
    int code;     /* the result of h3_next() */
    size_t wrote;
    bool ends; /* HTTP/3 ends the connection when it has written */
    char notes[64];
    int failed;
    unsigned nrooms; /* calls of udp_send_room() that succeed */
    ngtcp2_ssize close_result;
    unsigned nmessages;
    struct {
        size_t n, segment;
    } messages[64];
} now;

#include "quic/writer.c"

#include "tap.h"

static char arena[1 << 18];
static struct quic_endpoint endpoint;
static struct quic_conn conn;
static struct expiry *entries[1] = {&conn.expiry};

static void
set_path(ngtcp2_path *path, uint16_t port)
{
    struct sockaddr_in *local = (struct sockaddr_in *)(void *)path->local.addr,
                       *peer = (struct sockaddr_in *)(void *)path->remote.addr;

    *local = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = 1};
    *peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    path->local.addrlen = path->remote.addrlen = sizeof *peer;
}

static ngtcp2_ssize
fake_stream(ngtcp2_path *path, ngtcp2_pkt_info *info, ngtcp2_ssize *taken, int64_t id)
{
    if (now.at == now.npackets)
        return 0;
    const ngtcp2_ssize n = now.packets[now.at].n;
    info->ecn = now.packets[now.at].ecn;
    set_path(path, now.packets[now.at++].port);
    if (n > 0 || n == NGTCP2_ERR_WRITE_MORE)
        *taken = id >= 0 ? 5 : -1;
    return n;
}

static ngtcp2_ssize
fake_datagram(int *is_sent)
{
    const ngtcp2_ssize n = now.datagram_result;

    *is_sent = now.datagram_is_sent;
    return n;
}

static ngtcp2_ssize
fake_close(ngtcp2_path *path)
{
    set_path(path, 1);
    return now.close_result;
}

static struct slice
fake_next_datagram(void)
{
    return slice_new(arena, now.ndatagrams > 0 ? now.datagram_bytes : 0);
}

static void
fake_remove_datagram(bool is_sent)
{
    now.ndatagrams--;
    now.nremoved++;
    now.nsent += is_sent;
}

static int
fake_next(struct h3_output *out)
{
    out->id = now.next;
    out->n = now.next >= 0;
    out->iov[0] = (struct iovec){arena, 5};
    return now.code;
}

static void
fake_wrote(size_t n)
{
    now.wrote += n;
    conn.has_failed = now.ends;
}

static void
fake_note(int64_t id, char what)
{
    const size_t n = strlen(now.notes);

    snprintf(now.notes + n, sizeof now.notes - n, "%c%d ", what, (int)id);
    now.next = -1;
}

static void
fake_fail(int rv)
{
    if (!conn.has_failed)
        now.failed = rv;
    conn.has_failed = true;
}

static char *
fake_room(size_t n)
{
    (void)n;
    return now.nrooms-- > 0 ? arena : NULL;
}

static void
fake_send(const struct udp_path *path, size_t n, size_t segment)
{
    (void)path;
    now.messages[now.nmessages].n = n;
    now.messages[now.nmessages++].segment = segment;
}

/* Begins a connection that has written nothing. */
static void
begin(void)
{
    now = (struct now){.next = -1, .data_left = 1000, .quantum = 100000, .nrooms = 100};
    endpoint =
        (struct quic_endpoint){.socket.has_gso = true, .expiries = {entries, 1, 1}};
    conn = (struct quic_conn){.endpoint = &endpoint, .is_ready = true};
}

static void
add(ngtcp2_ssize n, uint8_t ecn, uint16_t port)
{
    now.packets[now.npackets].n = n;
    now.packets[now.npackets].ecn = ecn;
    now.packets[now.npackets++].port = port;
}

static void
test_packets_of_one_size_become_one_message(void)
{
    begin();
    for (int i = 0; i < 3; i++)
        add(1200, 0, 1);
    add(700, 0, 1); /* the last one may be shorter */
    ok(!quic_conn_write(&conn, 1), "there is no more to write");
    is(now.nmessages, 1, "one message");
    is(now.messages[0].n, 4300, "with all packets");
    is(now.messages[0].segment, 1200, "which the kernel divides");
    is(conn.expiry.due_ns, 77, "it is due when ngtcp2 says so");
}

static void
test_other_packets_begin_another_message(void)
{
    begin();
    add(1000, 0, 1);
    add(1200, 0, 1); /* longer */
    add(1200, 1, 1); /* with ECN */
    add(1200, 1, 2); /* to another address */
    ok(!quic_conn_write(&conn, 1), "there is no more to write");
    is(now.nmessages, 4, "four messages");
    begin();
    endpoint.socket.has_gso = false;
    add(1200, 0, 1);
    add(1200, 0, 1);
    ok(!quic_conn_write(&conn, 1), "there is no more to write");
    is(now.nmessages, 2, "each packet is a message if the kernel divides none");
}

static void
test_nothing_is_written_after_http_has_ended_the_connection(void)
{
    static const ngtcp2_ssize results[] = {1200, NGTCP2_ERR_WRITE_MORE};

    for (unsigned i = 0; i < COUNT(results); i++) {
        begin();
        now.next = 4;
        now.ends = true;
        add(results[i], 0, 1);
        add(1200, 0, 1);
        ok(!quic_conn_write(&conn, 1), "there is no more to write");
        is(now.at, 1, "ngtcp2 is called once");
        is(now.nmessages, 0, "nothing is sent");
        ok(!conn.is_writing, "a CONNECTION_CLOSE may follow");
    }
}

static void
test_a_message_has_a_largest_size(void)
{
    begin();
    for (unsigned i = 0; i < UDP_RUN + 1; i++)
        add(100, 0, 1);
    ok(!quic_conn_write(&conn, 1), "there is no more to write");
    is(now.nmessages, 2, "two messages");
    ok(now.messages[0].n / 100 <= UDP_RUN, "of so many packets");
}

static void
test_others_have_their_turn(void)
{
    begin();
    now.quantum = 2400;
    for (int i = 0; i < 4; i++)
        add(1200, 0, 1);
    ok(quic_conn_write(&conn, 1), "there may be more to write");
    is(now.messages[0].n, 2400, "after the quantum of ngtcp2");
    begin();
    endpoint.socket.is_blocked = true;
    ok(quic_conn_write(&conn, 1), "there may be more if the socket is blocked");
    begin();
    now.nrooms = 0;
    ok(quic_conn_write(&conn, 1), "or there is no room");
    is(now.nmessages, 0, "nothing was written");
    conn.has_failed = true;
    ok(!quic_conn_write(&conn, 1), "a connection that has failed writes nothing");
}

static void
test_streams_that_cannot_send_are_skipped(void)
{
    static const struct {
        ngtcp2_ssize result;
        const char *note;
    } cases[] = {
        {NGTCP2_ERR_STREAM_DATA_BLOCKED, "b4 "},
        {NGTCP2_ERR_STREAM_SHUT_WR, "s4 "},
        {NGTCP2_ERR_STREAM_NOT_FOUND, "s4 "},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        now.next = 4;
        add(cases[i].result, 0, 1);
        add(100, 0, 1);
        ok(!quic_conn_write(&conn, 1), "there is no more to write");
        is_text(now.notes, cases[i].note, "HTTP/3 is notified");
        is(now.messages[0].n, 100, "the packet is completed");
    }
}

static void
test_a_packet_takes_several_parts(void)
{
    begin();
    now.next = 4;
    add(NGTCP2_ERR_WRITE_MORE, 0, 1);
    add(1200, 0, 1);
    now.data_left = 1000;
    ok(!quic_conn_write(&conn, 1), "there is no more to write");
    is(now.wrote, 10, "two parts of a stream");
    begin();
    now.next = 4;
    now.data_left = 0;
    add(50, 0, 1);
    ok(!quic_conn_write(&conn, 1), "the window of the connection is full");
    is(now.wrote, 0, "no part of a stream is written");
    is(now.nmessages, 1, "but acknowledgements are");
    begin();
    conn.is_ready = false;
    now.next = 4;
    now.ndatagrams = 1;
    add(50, 0, 1);
    ok(!quic_conn_write(&conn, 1), "during the handshake");
    is(now.wrote + now.nremoved, 0, "neither streams nor datagrams are written");
}

static void
test_errors_end_the_connection(void)
{
    begin();
    now.code = 0x102;
    ok(!quic_conn_write(&conn, 1), "nothing is written");
    is(now.failed, 0x102, "after an error of HTTP/3");
    begin();
    add(NGTCP2_ERR_NOMEM, 0, 1);
    ok(!quic_conn_write(&conn, 1), "nothing is written");
    is(now.failed, NGTCP2_ERR_NOMEM, "after one of ngtcp2");
}

/* Datagrams */

static void
test_datagrams_that_cannot_be_sent_are_dropped(void)
{
    static const ngtcp2_ssize results[] = {NGTCP2_ERR_INVALID_ARGUMENT,
                                           NGTCP2_ERR_INVALID_STATE};

    for (size_t i = 0; i < COUNT(results); i++) {
        begin();
        now.ndatagrams = 2;
        now.datagram_bytes = 100;
        now.datagram_result = results[i];
        ok(!quic_conn_write(&conn, 1), "there is no more to write");
        is(now.nremoved, 2, "the peer wants none");
        is(now.nsent, 0, "none is sent");
        is(now.failed, 0, "the connection continues");
    }
    begin();
    now.ndatagrams = 1;
    now.datagram_bytes = 1200;
    ok(!quic_conn_write(&conn, 1), "there is no more to write");
    is(now.nremoved, 1, "one is too long for a packet");
}

static void
test_datagrams_share_packets_with_streams(void)
{
    begin();
    now.ndatagrams = 3;
    now.datagram_bytes = 100;
    now.datagram_is_sent = true;
    now.datagram_result = NGTCP2_ERR_WRITE_MORE;
    now.next = 4;
    add(900, 0, 1);
    ok(!quic_conn_write(&conn, 1), "there is no more to write");
    is(now.nsent, 3, "all datagrams");
    is(now.wrote, 5, "and a part of a stream");
    begin();
    now.ndatagrams = 1;
    now.datagram_bytes = 100;
    ok(!quic_conn_write(&conn, 1), "nothing may be sent now");
    is(now.nremoved, 0, "the datagram waits");
    now.datagram_result = NGTCP2_ERR_NOMEM;
    ok(!quic_conn_write(&conn, 1), "nothing is written");
    is(now.failed, NGTCP2_ERR_NOMEM, "after an error of ngtcp2");
}

/* CONNECTION_CLOSE */

static void
test_the_close_is_sent_unless_the_peer_knows(void)
{
    begin();
    conn.has_failed = true;
    now.close_result = 40;
    quic_conn_write_close(&conn, 1);
    is(now.nmessages, 1, "it is sent");
    conn.is_silent = true;
    quic_conn_write_close(&conn, 1);
    is(now.nmessages, 1, "not if the peer has closed the connection");
    conn.is_silent = false;
    endpoint.socket.is_blocked = true;
    quic_conn_write_close(&conn, 1);
    is(now.nmessages, 1, "not while the socket is blocked");
    endpoint.socket.is_blocked = false;
    now.nrooms = 0;
    quic_conn_write_close(&conn, 1);
    is(now.nmessages, 1, "not without room");
    now.nrooms = 1;
    now.close_result = NGTCP2_ERR_NOMEM;
    quic_conn_write_close(&conn, 1);
    is(now.nmessages, 1, "not if ngtcp2 fails");
}

int
main(void)
{
    test_packets_of_one_size_become_one_message();
    test_other_packets_begin_another_message();
    test_nothing_is_written_after_http_has_ended_the_connection();
    test_a_message_has_a_largest_size();
    test_others_have_their_turn();
    test_streams_that_cannot_send_are_skipped();
    test_a_packet_takes_several_parts();
    test_errors_end_the_connection();
    test_datagrams_that_cannot_be_sent_are_dropped();
    test_datagrams_share_packets_with_streams();
    test_the_close_is_sent_unless_the_peer_knows();
    return tap_done();
}
