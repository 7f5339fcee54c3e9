/* SPDX-License-Identifier: MIT */
/* server/protocols.c — see protocols.h for the contract. */
#include "server/protocols.h"

#include "http1/session.h"
#include "http2/exchange.h"

size_t
exchange_bytes(bool logs)
{
    size_t h1 = logs ? sizeof(struct h1_exchange) : offsetof(struct h1_exchange, line);
    size_t h2 = logs ? sizeof(struct h2_exchange) : offsetof(struct h2_exchange, line);

    return h1 > h2 ? h1 : h2;
}

const struct protocol *
protocol_by_alpn(const struct service *service, const char *alpn)
{
    return service->h2 != H2_OFF && strcmp(alpn, "h2") == 0 ? &h2_protocol
                                                            : &h1_protocol;
}
