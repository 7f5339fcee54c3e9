/* SPDX-License-Identifier: MIT */
/* http/peer.h — the two ends of one connection, small enough to keep ten thousand of. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint16_t */

#include "base/slice.h" /* struct slice */
#include "net/addr.h"   /* struct addr */

/* Room for a formatted address and its NUL. */
#define PEER_HOST_BYTES 64

struct stream_handler;

enum peer_kind {
    PEER_NONE = 0, /* a Unix socket: no address */
    PEER_IPV4,
    PEER_IPV6,
};

/* Where a peer is: 20 bytes, all zero for nobody.  An IPv4 address that was mapped into
 * IPv6 is of kind PEER_IPV4. */
struct peer_addr {
    uint8_t bytes[16]; /* network order; the first 4 for IPv4, the others zero */
    uint16_t port;     /* host order */
    uint8_t kind;      /* enum peer_kind */
};

/* Our end: one per listener, shared by its connections, which it outlives. */
struct endpoint {
    char host[128]; /* with a NUL: an address without brackets, or a Unix path */
    int port;       /* -1 for a Unix socket */
    bool secure;    /* TLS: the scheme is https */
    uint8_t proxy;  /* versions of the PROXY protocol that come first, as bits
                       (net/proxy_protocol.h); 0: none does */
    /* Answers all its requests; NULL: whom the service says. */
    const struct stream_handler *handler;
    int secure_port; /* where its TLS sibling listens, for a handler; -1: unknown */
    bool is_inside;  /* the engine alone answers here, not the application */
    void *app;       /* the handler's own (an object for the scope); may be NULL */
};

struct peer;

/* What TLS has agreed on, as the ASGI tls extension asks for it (ASGI G29). */
struct peer_tls {
    uint16_t version;        /* 0x0304 for TLS 1.3 */
    uint16_t cipher_suite;   /* IANA's number */
    uint64_t server_id;      /* equal where server_cert is */
    const char *server_cert; /* PEM, NUL-terminated; borrowed for the call's turn */
    bool has_client_cert;
};

/* A client's certificate, checked. */
struct peer_client {
    char *chain; /* PEM of each certificate with a NUL, the client's own first, and an
                    empty one at the end */
    char *name;  /* its subject (RFC 4514), NUL-terminated UTF-8 */
};

/* Asks the transport. */
struct peer_tls_ops {
    void (*facts)(const struct peer *peer, struct peer_tls *out);
    /* Fills *out, whose members the caller gives to mem_free; fine only with
     * has_client_cert.  Returns 0 or ERR_NOMEM. */
    int (*client)(const struct peer *peer, struct peer_client *out);
};

/* The other end: one per connection, in its memory. */
struct peer {
    struct endpoint *endpoint; /* borrowed; outlives the connection */
    void *app;       /* the handler's own, e.g. a cached object; NULL at first;
                                  handed back by stream_handler.on_peer_gone */
    void *app_tls;   /* likewise, of what `tls` says */
    void *app_named; /* likewise, of `named`: a cached object */
    const struct peer_tls_ops *tls; /* NULL: not over TLS */
    struct peer_addr addr;          /* who it is; whom a PROXY header has named */
    struct peer_addr via;   /* the proxy that has sent one; PEER_NONE: none has */
    struct peer_addr named; /* the handler's own: the client of app_named */
    bool is_trusted;        /* as a proxy: what it says of clients is believed */
};

/* Whether both are the same address and port. */
static inline bool
peer_addr_equal(const struct peer_addr *a, const struct peer_addr *b)
{
    return a->kind == b->kind && a->port == b->port &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Fills *out with the address of the socket at the other end (net/addr.h); with nothing for
 * that of a Unix socket. */
void peer_addr_set(struct peer_addr *out, const struct addr *from);

/* Fills *out with an IPv6 address in network order, and `port`; one that is mapped becomes
 * IPv4. */
void peer_addr_set_ipv6(struct peer_addr *out, const uint8_t bytes[16], uint16_t port);

/* Writes an address ("127.0.0.1", "::1", "" for none) with a NUL and returns its length. */
size_t peer_addr_text(const struct peer_addr *addr, char out[PEER_HOST_BYTES]);

/* The same of peer->addr. */
size_t peer_host(const struct peer *peer, char out[PEER_HOST_BYTES]);

#endif
