/* SPDX-License-Identifier: MIT */
/* http/peer.h — the two ends of one connection, small enough for ten thousand
 * connections. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint16_t */

#include "base/slice.h" /* struct slice */
#include "net/addr.h"   /* struct addr */

/* Size of a formatted address with its NUL. */
#define PEER_HOST_BYTES 64

struct stream_handler;

enum peer_kind {
    PEER_NONE = 0, /* a Unix socket: no address */
    PEER_IPV4,
    PEER_IPV6,
};

/* The address of a peer: 20 bytes, all zero for none. An IPv4 address that was mapped
 * into IPv6 has the kind PEER_IPV4. */
struct peer_addr {
    uint8_t bytes[16]; /* network order; the first 4 for IPv4, the others zero */
    uint16_t port;     /* host order */
    uint8_t kind;      /* enum peer_kind */
};

/* The local end: one per listener, shared by its connections, which it outlives. */
struct endpoint {
    char host[128];  /* with a NUL: an address without brackets, or a Unix path */
    int port;        /* -1 for a Unix socket */
    bool secure;     /* TLS: the scheme is https */
    uint8_t proxy;   /* versions of the PROXY protocol that connections begin with, as
                        bits (net/proxy_protocol.h); 0: none */
    bool redirects;  /* every request is redirected to https */
    int secure_port; /* ... at the port on which its TLS sibling listens; -1: unknown */
    bool is_builtin; /* only the engine serves requests here, not the application */
    void *app;       /* owned by the handler (an object for the scope); may be NULL */
};

struct peer;

/* What TLS has negotiated, as required by the ASGI tls extension (ASGI G29). */
struct peer_tls {
    uint16_t version;        /* 0x0304 for TLS 1.3 */
    uint16_t cipher_suite;   /* IANA's number */
    uint64_t server_id;      /* equal if server_cert is equal */
    const char *server_cert; /* PEM, NUL-terminated; borrowed until the end of the
                                turn */
    bool has_client_cert;
};

/* A client's verified certificate. */
struct peer_client {
    char *chain; /* PEM of each certificate, each with a NUL, the client's first, and an
                    empty one at the end */
    char *name;  /* its subject (RFC 4514), NUL-terminated UTF-8 */
};

/* Asks the transport. */
struct peer_tls_ops {
    void (*facts)(const struct peer *peer, struct peer_tls *out);
    /* Fills *out, whose members the caller frees with mem_free(); may only be called if
     * has_client_cert. Returns 0 or ERR_NOMEM. */
    int (*client)(const struct peer *peer, struct peer_client *out);
};

/* The remote end: one per connection, in its memory. */
struct peer {
    struct endpoint *endpoint; /* borrowed; outlives the connection */
    void *app;     /* owned by the handler, e.g. a cached object; NULL at first;
                      released in stream_handler.on_peer_gone */
    void *app_tls; /* the same, for the data of `tls` */
    const struct peer_tls_ops *tls; /* NULL: the connection does not use TLS */
    struct peer_addr addr;          /* the peer, or the client that a PROXY header
                                       names */
    struct peer_addr via; /* the proxy that sent the PROXY header; PEER_NONE: none */
    bool is_trusted;      /* as a proxy: what it reports about clients is believed */
};

/* Returns whether both are the same address and port. */
static inline bool
peer_addr_equal(const struct peer_addr *a, const struct peer_addr *b)
{
    return a->kind == b->kind && a->port == b->port &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Fills *out with the address of the socket at the remote end (net/addr.h); with zeros
 * for a Unix socket. */
void peer_addr_set(struct peer_addr *out, const struct addr *from);

/* Fills *out with an IPv6 address in network order, and `port`; a mapped address
 * becomes IPv4. */
void peer_addr_set_ipv6(struct peer_addr *out, const uint8_t bytes[16], uint16_t port);

/* Writes an address ("127.0.0.1", "::1", "" for none) with a NUL and returns its
 * length. */
size_t peer_addr_text(const struct peer_addr *addr, char out[PEER_HOST_BYTES]);

/* Writes the address of peer->addr in the same way. */
size_t peer_host(const struct peer *peer, char out[PEER_HOST_BYTES]);

#endif
