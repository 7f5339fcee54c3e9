/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/network.h — a real server with one UDP socket, whose datagrams are those
 * of a scripted network, on a scripted clock (session/time.c). network.c replaces
 * net/poller.c, and the calls of the socket (--wrap). It checks what a QUIC server
 * promises of every datagram that it sends. */
#ifndef FUZZ_QUIC_NETWORK_H
#define FUZZ_QUIC_NETWORK_H

#include <netinet/in.h>    /* struct sockaddr_in */
#include <openssl/types.h> /* SSL_CTX */

#include "base/slice.h"  /* struct slice */
#include "http/limits.h" /* struct http_limits */
#include "http/stream.h" /* struct stream_handler */
#include "session/script.h"

struct server;
struct quic_endpoint;

/* Addresses of clients, by number. */
#define NETWORK_PEERS 8u

/* The longest datagram. */
#define NETWORK_BYTES 1500u

/* Called with each datagram that the server sends. */
typedef void network_on_sent(unsigned peer, struct slice bytes, uint8_t ecn);

/* Called first for each input: creates what all of them share. */
void network_prepare(void);

/* Starts the server, after world_reset(). */
void network_begin(const struct http_limits *limits,
                   const struct stream_handler *handler, network_on_sent *on_sent);

/* Returns the TLS configuration of clients. */
SSL_CTX *network_client_tls(void);

/* Returns the address of a peer, and of the server. */
struct sockaddr_in network_peer(unsigned peer);
struct sockaddr_in network_server(void);

/* Returns the number of the peer with an address. */
unsigned network_number(const struct sockaddr_in *addr);

/* A datagram of `peer` arrives. Does nothing if the socket's queue is full. */
void network_deliver(unsigned peer, struct slice bytes, uint8_t ecn);

/* Returns how many datagrams the server has not read. */
size_t network_waiting(void);

/* The peer has proved that it receives what is sent to its address: the limit of
 * amplification does not apply any more. */
void network_validate(unsigned peer);

/* The socket takes no datagrams until it is called again with false. */
void network_block(bool is_blocked);

/* The server has its turn, and its invariants are checked. */
void network_turn(void);

/* Returns when the server has something to do next, in nanoseconds. */
uint64_t network_due_ns(void);

/* Returns how many connections the server has. */
unsigned network_connections(void);

/* Returns the endpoint of the server, to read its counters. */
const struct quic_endpoint *network_endpoint(void);

/* The server begins to stop. */
void network_stop(void);

/* Ends the server; nothing may be left of any connection. */
void network_end(void);

#endif
