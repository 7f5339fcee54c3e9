/* SPDX-License-Identifier: MIT */
/* http/trust.h — which addresses are proxies whose word is taken. */
#ifndef HTTP_TRUST_H
#define HTTP_TRUST_H

#include "base/compiler.h" /* MUST_USE */
#include "http/peer.h"     /* struct peer_addr */

/* Networks that one list may name. */
#define TRUST_NETS_MAX 256u

/* Addresses that agree with `bytes` in their first `bits`; IPv4 as mapped into IPv6. */
struct trust_net {
    uint8_t bytes[16];
    uint8_t bits; /* 0 to 128 */
};

struct trust {
    struct trust_net *nets; /* owned; [0, nnets) */
    uint32_t nnets;
    bool everyone; /* "*": every peer, of whatever address */
    bool sockets;  /* "unix": peers over Unix sockets */
};

/* Reads `text`: elements between commas, each "*", "unix", an IPv4 or IPv6 address, or a
 * network ("10.0.0.0/8", whose other bits are not looked at).  Nothing is trusted by an
 * empty one.  Returns 0, ERR_ADDRESS with the element in *wrong (which may be NULL), or
 * ERR_NOMEM; trust_fini accepts what there is. */
MUST_USE int trust_init(struct trust *trust, struct slice text, struct slice *wrong);

/* Frees; fine twice, and on zeroed memory. */
void trust_fini(struct trust *trust);

/* Whether a list names `addr`, by itself or by its network.  "*" names nobody: it says
 * that whoever connects is a proxy, not that whoever it speaks of is one. */
bool trust_names(const struct trust *trust, const struct peer_addr *addr);

/* Whether a peer at `addr` is a proxy whose word is taken. */
bool trust_peer(const struct trust *trust, const struct peer_addr *addr);

#endif
