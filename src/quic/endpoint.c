/* SPDX-License-Identifier: MIT */
/* quic/endpoint.c — see endpoint.h for the contract. */
#include "quic/endpoint.h"

#include <assert.h> /* assert */
#include <time.h>   /* time */

#include <openssl/rand.h>

#include "base/err.h"
#include "base/narrow.h"
#include "quic/protection.h"

/* The size of the socket's buffers in the kernel, which may grant less. */
#define SOCKET_BUFFER_BYTES (4 * 1024 * 1024)

/* A server drops packets that open a connection in smaller datagrams (RFC 9000
 * 14.1). */
#define INITIAL_BYTES_MIN 1200u

/* A stateless reset is as long as a short packet of a real connection, and shorter
 * than the packet that caused it, so that two servers do not reset each other
 * forever (RFC 9000 10.3.3). */
#define RESET_BYTES_MIN 43u
#define RESET_RANDOM_BYTES 22u

/* The maximum length of a response without state. */
#define ANSWER_BYTES 1200u

static uint64_t
now_s(void)
{
    return (uint64_t)time(NULL);
}

int
quic_endpoint_init(struct quic_endpoint *endpoint, int fd, struct quic_owner *owner,
                   struct slice secret)
{
    assert(endpoint->buffers != NULL && endpoint->limits.streams > 0);
    assert(endpoint->ids.n == 0 && endpoint->expiries.n == 0);
    endpoint->owner = owner;
    if (quic_algorithms_init(&endpoint->algorithms) != 0 ||
        quic_seat_mask(&endpoint->mask, secret) != 0 ||
        quic_expand(endpoint->token_key, sizeof endpoint->token_key, secret,
                    "bolide quic token") != 0 ||
        quic_expand(endpoint->reset_key, sizeof endpoint->reset_key, secret,
                    "bolide quic reset") != 0)
        return ERR_NOMEM;
    return udp_open(&endpoint->socket, fd, SOCKET_BUFFER_BYTES);
}

void
quic_endpoint_fini(struct quic_endpoint *endpoint)
{
    expiry_fini(&endpoint->expiries);
    assert(endpoint->ids.n == 0);
    quic_ids_fini(&endpoint->ids);
    quic_algorithms_fini(&endpoint->algorithms);
}

/* Responses without state */

static void
quic_endpoint_answer(struct quic_endpoint *endpoint, const struct udp_path *path,
                     size_t n)
{
    udp_send(&endpoint->socket, endpoint->buffers, path, n, n, 0);
}

/* Returns room for a response. Returns NULL if there is none: the response is not
 * sent, as if it had been lost. */
static uint8_t *
answer_room(struct quic_endpoint *endpoint)
{
    if (endpoint->socket.is_blocked)
        return NULL;
    return (uint8_t *)udp_send_room(&endpoint->socket, endpoint->buffers, ANSWER_BYTES);
}

static void
negotiate_version(struct quic_endpoint *endpoint, const struct udp_path *path,
                  const ngtcp2_version_cid *ids, size_t received)
{
    static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
    uint8_t *room = answer_room(endpoint), random;

    if (room == NULL || received < INITIAL_BYTES_MIN || RAND_bytes(&random, 1) != 1)
        return;
    ngtcp2_ssize n = ngtcp2_pkt_write_version_negotiation(
        room, ANSWER_BYTES, random, ids->scid, ids->scidlen, ids->dcid, ids->dcidlen,
        versions, COUNT(versions));
    if (n > 0)
        quic_endpoint_answer(endpoint, path, (size_t)n);
}

/* Handles a packet of a connection that no longer exists, or belongs to a worker
 * that has ended. */
static void
reset_unknown(struct quic_endpoint *endpoint, const struct udp_path *path,
              const ngtcp2_version_cid *ids, size_t received)
{
    uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN], random[RESET_RANDOM_BYTES];
    uint8_t *room = answer_room(endpoint);

    if (room == NULL || received < RESET_BYTES_MIN ||
        quic_reset_token(token, &endpoint->algorithms, endpoint->reset_key,
                         slice_new((const char *)ids->dcid, ids->dcidlen)) != 0 ||
        RAND_bytes(random, sizeof random) != 1)
        return;
    ngtcp2_ssize n = ngtcp2_pkt_write_stateless_reset(room, ANSWER_BYTES, token, random,
                                                      sizeof random);
    if (n <= 0 || (size_t)n >= received)
        return;
    quic_endpoint_answer(endpoint, path, (size_t)n);
    endpoint->nresets++;
}

/* The connection ID of the Retry, to which the client sends its next packets, names the
 * worker in `seat`, which can read the token of this one. */
static void
ask_again(struct quic_endpoint *endpoint, const struct udp_path *path,
          const ngtcp2_pkt_hd *packet, uint16_t seat)
{
    uint8_t token[QUIC_TOKEN_BYTES], *room = answer_room(endpoint);
    ngtcp2_cid id;

    if (room == NULL || quic_id_make(&id, endpoint->mask, seat) != 0)
        return;
    int ntoken = quic_token_make(token, endpoint->token_key, &path->peer, &packet->dcid,
                                 now_s());
    if (ntoken < 0)
        return;
    int n = quic_write_retry(room, ANSWER_BYTES, &endpoint->algorithms, packet, &id,
                             slice_new((const char *)token, (size_t)ntoken));
    if (n <= 0)
        return;
    quic_endpoint_answer(endpoint, path, (size_t)n);
    endpoint->nretries++;
}

/* Ends an attempt to open a connection (RFC 9000 8.1.2, 10.2.3). */
static void
quic_endpoint_refuse(struct quic_endpoint *endpoint, const struct udp_path *path,
                     const ngtcp2_pkt_hd *packet, uint64_t code)
{
    uint8_t *room = answer_room(endpoint);

    if (room == NULL)
        return;
    int n = quic_write_close(room, ANSWER_BYTES, &endpoint->algorithms, packet, code);
    if (n > 0)
        quic_endpoint_answer(endpoint, path, (size_t)n);
}

/* New connections */

static bool
has_to_retry(const struct quic_endpoint *endpoint)
{
    return endpoint->limits.retry == QUIC_RETRY_ALWAYS ||
           (endpoint->limits.retry == QUIC_RETRY_AUTO &&
            endpoint->nhandshakes >= endpoint->limits.retry_from);
}

/* Returns the seat of the worker that shall serve a new client. */
static uint16_t
best_seat(const struct quic_endpoint *endpoint)
{
    int seat = endpoint->owner->elsewhere(endpoint->owner);

    return seat < 0 ? endpoint->seat : narrow_u16((uint64_t)seat);
}

/* Rejects a client for which there is no connection: another worker serves it if one
 * can. A client accepts only one Retry. */
static void
pass_on(struct quic_endpoint *endpoint, const struct quic_opening *opening)
{
    const uint16_t seat = best_seat(endpoint);

    if (seat == endpoint->seat || opening->has_retried)
        quic_endpoint_refuse(endpoint, opening->path, opening->packet,
                             NGTCP2_CONNECTION_REFUSED);
    else
        ask_again(endpoint, opening->path, opening->packet, seat);
}

/* Returns whether the client may open a connection now. If not, a response has been
 * sent. */
static bool
read_token(struct quic_endpoint *endpoint, struct quic_opening *opening)
{
    const ngtcp2_pkt_hd *packet = opening->packet;
    const struct udp_path *path = opening->path;
    struct slice token = slice_new((const char *)packet->token, packet->tokenlen);

    opening->original = packet->dcid;
    switch (quic_token_read(token, endpoint->token_key, &path->peer, now_s(),
                            &opening->original)) {
    case QUIC_TOKEN_RETRY:
        opening->has_retried = true;
        return true;
    case QUIC_TOKEN_EXPIRED:
        quic_endpoint_refuse(endpoint, path, packet, NGTCP2_INVALID_TOKEN);
        return false;
    case QUIC_TOKEN_NEW:
        opening->is_validated = true;
        return true;
    default:
        if (!has_to_retry(endpoint))
            return true;
        ask_again(endpoint, path, packet, best_seat(endpoint));
        return false;
    }
}

static struct quic_conn *
quic_endpoint_open_conn(struct quic_endpoint *endpoint, const struct udp_path *path,
                        struct slice bytes)
{
    ngtcp2_pkt_hd packet;
    struct quic_opening opening = {.packet = &packet, .path = path};

    if (bytes.len < INITIAL_BYTES_MIN ||
        ngtcp2_accept(&packet, (const uint8_t *)bytes.ptr, bytes.len) != 0 ||
        packet.type != NGTCP2_PKT_INITIAL || !read_token(endpoint, &opening))
        return NULL;
    struct quic_conn *conn = endpoint->owner->open(endpoint->owner, endpoint, &opening);
    if (conn == NULL)
        pass_on(endpoint, &opening);
    return conn;
}

/* Packets */

static void
on_datagram(void *arg, const struct udp_path *path, struct slice bytes, udp_ecn ecn)
{
    struct quic_endpoint *endpoint = arg;
    ngtcp2_version_cid ids;

    endpoint->nreceived++;
    int rv = ngtcp2_pkt_decode_version_cid(&ids, (const uint8_t *)bytes.ptr, bytes.len,
                                           QUIC_ID_BYTES);
    if (rv == NGTCP2_ERR_VERSION_NEGOTIATION) {
        negotiate_version(endpoint, path, &ids, bytes.len);
        return;
    }
    if (rv != 0) {
        endpoint->ndropped++;
        return;
    }
    struct quic_conn *conn =
        quic_ids_find(&endpoint->ids, slice_new((const char *)ids.dcid, ids.dcidlen));
    if (conn == NULL && ids.version == 0)
        reset_unknown(endpoint, path, &ids, bytes.len);
    else if (conn == NULL)
        conn = quic_endpoint_open_conn(endpoint, path, bytes);
    if (conn != NULL)
        endpoint->owner->packet(endpoint->owner, conn, path, bytes, ecn);
}

bool
quic_endpoint_read(struct quic_endpoint *endpoint, unsigned max)
{
    return udp_receive(&endpoint->socket, endpoint->buffers, max, on_datagram,
                       endpoint) > 0;
}

uint64_t
quic_endpoint_expire(struct quic_endpoint *endpoint, uint64_t now_ns, unsigned max)
{
    struct expiry *first;

    while ((first = expiry_first(&endpoint->expiries)) != NULL &&
           first->due_ns <= now_ns && max-- > 0) {
        expiry_set(&endpoint->expiries, first, EXPIRY_NEVER); /* until it has written */
        endpoint->owner->expired(endpoint->owner, first);
    }
    return first != NULL ? first->due_ns : EXPIRY_NEVER;
}
