/* SPDX-License-Identifier: MIT */
/* net/udp.h — datagrams in batches: several per system call, and several of one size in
 * one buffer if the kernel can divide (GSO) and join (GRO) them. */
#ifndef NET_UDP_H
#define NET_UDP_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint16_t */

#include <sys/socket.h> /* struct mmsghdr */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "net/addr.h"      /* struct addr */

/* Received messages of one call, and the size of each: what GRO joins at most. */
#define UDP_READS 16u
#define UDP_READ_BYTES 65536u

/* Messages that are sent by one call, and the memory for their payload. */
#define UDP_WRITES 64u
#define UDP_ARENA_BYTES (1024u * 1024)

/* The kernel divides at most so many datagrams from one message, of so many bytes. */
#define UDP_RUN 60u
#define UDP_RUN_BYTES 64000u

/* The most bytes that may be requested from udp_send_room(). */
#define UDP_PACKET_BYTES 65536u

/* The explicit congestion notification of a datagram (RFC 3168 5): two bits. */
typedef uint8_t udp_ecn;

/* Memory for what is received, and for what waits to be sent. Sockets may use it one
 * after the other, but what waits in it belongs to one of them, which sends it. */
struct udp_buffers;

/* The path of a datagram. */
struct udp_path {
    struct addr local; /* with the port of the socket */
    struct addr peer;
};

/* A socket, which is bound. */
struct udp_socket {
    int fd;            /* borrowed */
    struct addr local; /* its address; may be a wildcard */
    bool has_gso;      /* equal datagrams may be sent as one message */
    bool is_wildcard;  /* the address to answer from comes with each datagram */
    bool is_blocked;   /* the kernel took less than was offered: it is watched for
                            writability, and nothing is added until udp_flush() */
    int receive_bytes; /* what the kernel grants as receive buffer */
};

/* Called for each datagram: `bytes` and `path` are borrowed for the call. */
typedef void udp_on_datagram(void *arg, const struct udp_path *path, struct slice bytes,
                             udp_ecn ecn);

/* Creates the buffers. On success *out is owned by the caller, who frees it with
 * udp_buffers_free(). Returns 0 or ERR_NOMEM. */
MUST_USE int udp_buffers_new(struct udp_buffers **out);
void udp_buffers_free(struct udp_buffers *buffers);

/* Sets the options of a bound socket: no blocking, no fragmentation, GRO, ECN, the
 * local address of each datagram if it is bound to a wildcard, and `buffer_bytes` for
 * each of the kernel's buffers as far as it allows. What the kernel does not know is
 * left out, and GRO if other sockets share the port. Returns 0 or ERR_IO. */
MUST_USE int udp_open(struct udp_socket *socket, int fd, int buffer_bytes);

/* Receives what one call returns, at most `max` <= UDP_READS messages, and calls
 * `on_datagram` for each datagram. Returns whether there may be more, or ERR_IO. */
MUST_USE int udp_receive(struct udp_socket *socket, struct udp_buffers *buffers,
                         unsigned max, udp_on_datagram *on_datagram, void *arg);

/* Returns memory for a datagram, or a run of them, of at most `n` bytes, n <=
 * UDP_PACKET_BYTES; sends what waits if it needs that room. Valid until the next call
 * with these buffers; used by udp_send(). */
char *udp_send_room(struct udp_socket *socket, struct udp_buffers *buffers, size_t n);

/* Adds the first `n` bytes of that memory: datagrams of `segment` bytes, of which the
 * last may be shorter; more than one only if socket->has_gso. */
void udp_send(struct udp_socket *socket, struct udp_buffers *buffers,
              const struct udp_path *path, size_t n, size_t segment, udp_ecn ecn);

/* Sends what was added. Datagrams that the kernel rejects are lost, as any may be. If
 * it has no room, the rest waits and socket->is_blocked is set. */
void udp_flush(struct udp_socket *socket, struct udp_buffers *buffers);

/* Returns whether both are the same address and port. */
bool udp_same_addr(const struct addr *a, const struct addr *b);

#endif
