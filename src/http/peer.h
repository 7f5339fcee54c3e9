/* SPDX-License-Identifier: MIT */
/* http/peer.h — the two ends of one connection, small enough to keep ten thousand of. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint16_t */

#include "base/slice.h" /* struct slice */

/* Room for a formatted address and its NUL. */
#define PEER_HOST_BYTES 64

enum peer_kind {
    PEER_NONE = 0, /* a Unix socket: no address */
    PEER_IPV4,
    PEER_IPV6,
};

/* Our end: one per listener, shared by its connections, which it outlives. */
struct endpoint {
    char host[128]; /* with a NUL: an address without brackets, or a Unix path */
    int port;       /* -1 for a Unix socket */
    bool secure;    /* TLS: the scheme is https */
    void *app;      /* the handler's own (an object for the scope); may be NULL */
};

/* The other end: one per connection, in its memory. */
struct peer {
    struct endpoint *endpoint; /* borrowed; outlives the connection */
    void *app;           /* the handler's own, e.g. a cached object; NULL at first;
                                  handed back by stream_handler.on_peer_gone */
    uint8_t address[16]; /* network order; the first 4 bytes for IPv4 */
    uint16_t port;       /* host order */
    uint8_t kind;        /* enum peer_kind */
};

/* Writes the address ("127.0.0.1", "::1", "" for none; IPv4-mapped IPv6 as IPv4) with a
 * NUL and returns its length. */
size_t peer_host(const struct peer *peer, char out[PEER_HOST_BYTES]);

#endif
