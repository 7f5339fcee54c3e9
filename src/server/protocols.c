/* SPDX-License-Identifier: MIT */
/* server/protocols.c — see protocols.h for the contract. */
#include "server/protocols.h"

#include "http1/session.h"
#include "http2/exchange.h"

/* The request line, which comes last, is kept for the access log alone. */
void
init_streams(struct service *service, size_t nfree_max)
{
    bool logs = service->logs_access;
    size_t h1 = logs ? sizeof(struct h1_exchange) : offsetof(struct h1_exchange, line);
    size_t h2 = logs ? sizeof(struct h2_exchange) : offsetof(struct h2_exchange, line);

    pool_init(&service->h1_streams, h1, nfree_max);
    pool_init(&service->h2_streams, h2, nfree_max);
}

void
fini_streams(struct service *service)
{
    pool_fini(&service->h1_streams);
    pool_fini(&service->h2_streams);
}

const struct protocol *
protocol_by_alpn(const struct service *service, const char *alpn)
{
    return service->h2 != H2_OFF && strcmp(alpn, "h2") == 0 ? &h2_protocol
                                                            : &h1_protocol;
}
