/* SPDX-License-Identifier: MIT */
/* http/peer.c — see peer.h for the contract. */
#include "http/peer.h"

#include <arpa/inet.h>  /* inet_ntop */
#include <netinet/in.h> /* struct sockaddr_in, struct sockaddr_in6 */

size_t
peer_host(const struct peer *peer, char out[PEER_HOST_BYTES])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    out[0] = '\0';
    if (peer->kind == PEER_IPV4) {
        inet_ntop(AF_INET, peer->address, out, PEER_HOST_BYTES);
    } else if (peer->kind == PEER_IPV6) {
        if (memcmp(peer->address, mapped, sizeof mapped) == 0)
            inet_ntop(AF_INET, peer->address + sizeof mapped, out, PEER_HOST_BYTES);
        else
            inet_ntop(AF_INET6, peer->address, out, PEER_HOST_BYTES);
    }
    return strlen(out);
}

void
peer_set_address(struct peer *peer, const struct addr *addr)
{
    const struct sockaddr *any = (const struct sockaddr *)&addr->data;

    if (addr->len == 0 || (any->sa_family != AF_INET && any->sa_family != AF_INET6))
        return;
    if (any->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)any;
        peer->kind = PEER_IPV4;
        memcpy(peer->address, &in->sin_addr, sizeof in->sin_addr);
        peer->port = ntohs(in->sin_port);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)any;
        peer->kind = PEER_IPV6;
        memcpy(peer->address, &in6->sin6_addr, sizeof in6->sin6_addr);
        peer->port = ntohs(in6->sin6_port);
    }
}
