/* SPDX-License-Identifier: MIT */
/* http/peer.c — see peer.h for the contract. */
#include "http/peer.h"

#include <arpa/inet.h>  /* inet_ntop */
#include <netinet/in.h> /* struct sockaddr_in, struct sockaddr_in6 */

void
peer_addr_set_ipv6(struct peer_addr *out, const uint8_t bytes[16], uint16_t port)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    *out = (struct peer_addr){.port = port};
    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        out->kind = PEER_IPV4;
        memcpy(out->bytes, bytes + sizeof mapped, 4);
    } else {
        out->kind = PEER_IPV6;
        memcpy(out->bytes, bytes, 16);
    }
}

void
peer_addr_set(struct peer_addr *out, const struct addr *from)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&from->data;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&from->data;

    *out = (struct peer_addr){0};
    if (from->len == 0)
        return;
    if (from->data.ss_family == AF_INET) {
        out->kind = PEER_IPV4;
        out->port = ntohs(in->sin_port);
        memcpy(out->bytes, &in->sin_addr, 4);
    } else if (from->data.ss_family == AF_INET6) {
        peer_addr_set_ipv6(out, in6->sin6_addr.s6_addr, ntohs(in6->sin6_port));
    }
}

size_t
peer_addr_text(const struct peer_addr *addr, char out[PEER_HOST_BYTES])
{
    out[0] = '\0';
    if (addr->kind == PEER_IPV4)
        inet_ntop(AF_INET, addr->bytes, out, PEER_HOST_BYTES);
    else if (addr->kind == PEER_IPV6)
        inet_ntop(AF_INET6, addr->bytes, out, PEER_HOST_BYTES);
    return strlen(out);
}

size_t
peer_host(const struct peer *peer, char out[PEER_HOST_BYTES])
{
    return peer_addr_text(&peer->addr, out);
}
