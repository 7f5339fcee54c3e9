/* SPDX-License-Identifier: MIT */
/* http/trust.h — which addresses are trusted proxies. */
#ifndef HTTP_TRUST_H
#define HTTP_TRUST_H

#include "base/compiler.h" /* MUST_USE */
#include "http/peer.h"     /* struct peer_addr */

/* Maximum number of networks in one list. */
#define TRUST_NETS_MAX 256u

/* Addresses whose first `bits` equal those of `bytes`; IPv4 as mapped into IPv6. */
struct trust_net {
    uint8_t bytes[16];
    uint8_t bits; /* 0 to 128 */
};

struct trust {
    struct trust_net *nets; /* owned; [0, nnets) */
    uint32_t nnets;
    bool everyone; /* "*": every peer, with any address */
    bool sockets;  /* "unix": peers over Unix sockets */
};

/* Reads `text`: comma-separated elements, each "*", "unix", an IPv4 or IPv6 address, or
 * a network ("10.0.0.0/8", whose other bits are ignored). An empty text trusts no peer.
 * Returns 0, ERR_ADDRESS with the element in *wrong (which may be NULL), or ERR_NOMEM;
 * after an error trust_fini() must still be called. */
MUST_USE int trust_init(struct trust *trust, struct slice text, struct slice *wrong);

/* Frees its memory; may be called twice, and on zeroed memory. */
void trust_fini(struct trust *trust);

/* Returns whether a list names `addr`, by itself or by its network. "*" names no
 * address: it says that every peer is a proxy, not that every client that a proxy
 * reports is one. */
bool trust_names(const struct trust *trust, const struct peer_addr *addr);

/* Returns whether a peer at `addr` is a trusted proxy. */
bool trust_peer(const struct trust *trust, const struct peer_addr *addr);

#endif
