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
    void *app;     /* the handler's own, e.g. a cached object; NULL at first;
                                  handed back by stream_handler.on_peer_gone */
    void *app_tls; /* likewise, of what `tls` says */
    const struct peer_tls_ops *tls; /* NULL: not over TLS */
    uint8_t address[16];            /* network order; the first 4 bytes for IPv4 */
    uint16_t port;                  /* host order */
    uint8_t kind;                   /* enum peer_kind */
};

/* Writes the address ("127.0.0.1", "::1", "" for none; IPv4-mapped IPv6 as IPv4) with a
 * NUL and returns its length. */
size_t peer_host(const struct peer *peer, char out[PEER_HOST_BYTES]);

/* Gives `peer` what `addr` says; that of a Unix socket, or none, says nothing. */
void peer_set_address(struct peer *peer, const struct addr *addr);

#endif
