/* SPDX-License-Identifier: MIT */
/* http/peer.c — see peer.h for the contract. */
#include "http/peer.h"

#include <arpa/inet.h> /* inet_ntop */

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
