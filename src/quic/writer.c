/* SPDX-License-Identifier: MIT */
/* quic/writer.c — writes the packets that a connection sends; see connection.h for the
 * contract.
 *
 * Consecutive packets of the same size to the same address are sent as one message,
 * which the kernel divides. */
#include <assert.h> /* assert */
#include <string.h> /* memmove */

#include "base/narrow.h"
#include "quic/connection.h"

/* The bytes that are sent for one connection before others have their turn. */
#define WRITE_BYTES UDP_RUN_BYTES

_Static_assert(sizeof(ngtcp2_vec) == sizeof(struct iovec) &&
                   offsetof(ngtcp2_vec, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(ngtcp2_vec, len) == offsetof(struct iovec, iov_len),
               "ngtcp2's buffers are those of the system");

/* Packets that have been written and not passed to the socket yet. */
struct run {
    struct quic_conn *conn;
    uint8_t *first; /* in the memory of the socket */
    size_t len;     /* of all of them */
    size_t segment; /* of each except the last */
    struct udp_path path;
    udp_ecn ecn;
};

static struct udp_path
udp_path_of(const ngtcp2_path *path)
{
    struct udp_path out = {
        .local.len = path->local.addrlen,
        .peer.len = path->remote.addrlen,
    };

    memcpy(&out.local.data, path->local.addr, path->local.addrlen);
    memcpy(&out.peer.data, path->remote.addr, path->remote.addrlen);
    return out;
}

static bool
is_same_path(const struct udp_path *a, const struct udp_path *b)
{
    return udp_same_addr(&a->peer, &b->peer) && udp_same_addr(&a->local, &b->local);
}

static void
send_run(struct run *run)
{
    struct quic_endpoint *endpoint = run->conn->endpoint;

    if (run->len > 0)
        udp_send(&endpoint->socket, endpoint->buffers, &run->path, run->len,
                 run->segment, run->ecn);
    run->first += run->len;
    run->len = 0;
}

/* Adds a packet that was written right after the others. Returns whether another one
 * may follow in the same memory. */
static bool
add_to_run(struct run *run, size_t n, const struct udp_path *path, udp_ecn ecn)
{
    if (run->len > 0 &&
        (n > run->segment || ecn != run->ecn || !is_same_path(path, &run->path) ||
         !run->conn->endpoint->socket.has_gso))
        send_run(run);
    if (run->len == 0) {
        run->segment = n;
        run->path = *path;
        run->ecn = ecn;
    }
    run->len += n;
    if (n < run->segment || run->len / run->segment >= UDP_RUN ||
        run->len + run->segment > UDP_RUN_BYTES)
        send_run(run);
    return true;
}

/* What does not fit into a datagram with a DATAGRAM frame: the short header with the
 * longest connection ID and packet number, the authentication tag, and the frame's type
 * and length. */
#define DATAGRAM_OVERHEAD (1u + NGTCP2_MAX_CIDLEN + 4u + 16u + 1u + 4u)

/* Writes datagrams into a packet that may have been begun. Returns its length if it is
 * complete, 0 if nothing may be sent now, NGTCP2_ERR_WRITE_MORE if there is room, or an
 * error of ngtcp2. */
static ngtcp2_ssize
quic_write_datagrams(struct quic_conn *conn, uint8_t *at, size_t room,
                     ngtcp2_path *path, ngtcp2_pkt_info *info, uint64_t now_ns)
{
    struct slice bytes;

    while (conn->is_ready && (bytes = h3_next_datagram(conn->http)).len > 0) {
        const size_t most = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn->ng);
        ngtcp2_vec vec = {(uint8_t *)(uintptr_t)bytes.ptr, bytes.len};
        int is_sent = 0;
        ngtcp2_ssize n = NGTCP2_ERR_INVALID_ARGUMENT;
        if (bytes.len + DATAGRAM_OVERHEAD <= most)
            n = ngtcp2_conn_writev_datagram(conn->ng, path, info, at, room, &is_sent,
                                            NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, &vec, 1,
                                            now_ns);
        if (is_sent || n == NGTCP2_ERR_INVALID_ARGUMENT ||
            n == NGTCP2_ERR_INVALID_STATE)
            h3_remove_datagram(conn->http, is_sent != 0); /* or it cannot be */
        if (n != NGTCP2_ERR_WRITE_MORE && n != NGTCP2_ERR_INVALID_ARGUMENT &&
            n != NGTCP2_ERR_INVALID_STATE)
            return n;
    }
    return NGTCP2_ERR_WRITE_MORE;
}

/* Returns whether another stream may have its turn after a result of ngtcp2 for stream
 * `id`, which has advanced, or is skipped. */
static bool
may_write_more(struct quic_conn *conn, ngtcp2_ssize n, int64_t id)
{
    if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED)
        h3_blocked(conn->http, id);
    else if (n == NGTCP2_ERR_STREAM_SHUT_WR || n == NGTCP2_ERR_STREAM_NOT_FOUND)
        h3_shut(conn->http, id);
    else
        return n == NGTCP2_ERR_WRITE_MORE;
    return true;
}

/* Fills one packet with datagrams and data of streams. Returns its length, 0 if nothing
 * may be sent now, or an error of ngtcp2. HTTP/3 may end the connection meanwhile. */
static ngtcp2_ssize
write_packet(struct quic_conn *conn, uint8_t *at, size_t room, ngtcp2_path *path,
             ngtcp2_pkt_info *info, uint64_t now_ns)
{
    for (;;) {
        struct h3_output out = {.id = -1};
        ngtcp2_ssize taken = -1;
        ngtcp2_ssize done = quic_write_datagrams(conn, at, room, path, info, now_ns);
        if (done != NGTCP2_ERR_WRITE_MORE)
            return done;
        if (conn->is_ready && ngtcp2_conn_get_max_data_left(conn->ng) > 0) {
            int code = h3_next(conn->http, &out);
            if (code != 0) {
                quic_conn_fail(conn, (uint64_t)code, 0);
                return NGTCP2_ERR_CALLBACK_FAILURE;
            }
        }
        ngtcp2_ssize n = ngtcp2_conn_writev_stream(
            conn->ng, path, info, at, room, &taken,
            NGTCP2_WRITE_STREAM_FLAG_MORE |
                (out.last ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0u),
            out.id, (const ngtcp2_vec *)(const void *)out.iov, (size_t)out.n, now_ns);
        if (taken >= 0 && out.id >= 0)
            h3_wrote(conn->http, &out, (size_t)taken,
                     (size_t)taken == h3_output_size(&out));
        if (n >= 0)
            return n;
        if (!may_write_more(conn, n, out.id))
            return n;
        if (UNLIKELY(conn->has_failed)) /* HTTP/3 has ended the connection */
            return NGTCP2_ERR_CALLBACK_FAILURE;
        assert(out.id >= 0 && (n != NGTCP2_ERR_WRITE_MORE || taken >= 0));
    }
}

/* Writes packets until nothing may be sent, or `left` bytes were written. Returns
 * whether there may be more. */
static bool
write_packets(struct quic_conn *conn, size_t left, uint64_t now_ns)
{
    struct quic_endpoint *endpoint = conn->endpoint;
    const size_t most = ngtcp2_conn_get_max_tx_udp_payload_size(conn->ng);
    struct run run = {.conn = conn};
    ngtcp2_path_storage storage;
    ngtcp2_pkt_info info;

    ngtcp2_path_storage_zero(&storage);
    for (;;) {
        if (run.len == 0) {
            run.first = (uint8_t *)udp_send_room(&endpoint->socket, endpoint->buffers,
                                                 UDP_PACKET_BYTES);
            if (run.first == NULL)
                return true;
        }
        ngtcp2_ssize n =
            write_packet(conn, run.first + run.len, most, &storage.path, &info, now_ns);
        if (n < 0)
            quic_conn_fail_by(conn, narrow_int(n));
        if (n <= 0 || conn->has_failed)
            break;
        const struct udp_path path = udp_path_of(&storage.path);
        (void)add_to_run(&run, (size_t)n, &path, info.ecn);
        if ((size_t)n >= left) {
            send_run(&run);
            return true;
        }
        left -= (size_t)n;
    }
    send_run(&run);
    return false;
}

bool
quic_conn_write(struct quic_conn *conn, uint64_t now_ns)
{
    assert(!conn->is_reading && !conn->is_writing);
    if (conn->has_failed)
        return false;
    if (conn->endpoint->socket.is_blocked)
        return true;
    size_t quantum = ngtcp2_conn_get_send_quantum(conn->ng);
    conn->is_writing = true;
    bool has_more =
        write_packets(conn, quantum < WRITE_BYTES ? quantum : WRITE_BYTES, now_ns);
    conn->is_writing = false;

    if (conn->has_failed)
        return false;
    ngtcp2_conn_update_pkt_tx_time(conn->ng, now_ns);
    expiry_set(&conn->endpoint->expiries, &conn->expiry,
               ngtcp2_conn_get_expiry(conn->ng));
    return has_more;
}

void
quic_conn_write_close(struct quic_conn *conn, uint64_t now_ns)
{
    struct quic_endpoint *endpoint = conn->endpoint;
    ngtcp2_path_storage storage;
    ngtcp2_pkt_info info;

    assert(conn->has_failed && !conn->is_reading && !conn->is_writing);
    if (conn->is_silent || endpoint->socket.is_blocked)
        return;
    char *room = udp_send_room(&endpoint->socket, endpoint->buffers,
                               NGTCP2_MAX_UDP_PAYLOAD_SIZE);
    if (room == NULL)
        return;
    ngtcp2_path_storage_zero(&storage);
    ngtcp2_ssize n = ngtcp2_conn_write_connection_close(
        conn->ng, &storage.path, &info, (uint8_t *)room, NGTCP2_MAX_UDP_PAYLOAD_SIZE,
        &conn->closing, now_ns);
    if (n <= 0)
        return;
    const struct udp_path path = udp_path_of(&storage.path);
    udp_send(&endpoint->socket, endpoint->buffers, &path, (size_t)n, (size_t)n,
             info.ecn);
}
