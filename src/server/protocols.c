/* SPDX-License-Identifier: MIT */
/* server/protocols.c — see protocols.h for the contract. */
#include "server/protocols.h"

#include "http1/session.h"
#include "http2/exchange.h"

void
init_streams(struct service *service, size_t nfree_max)
{
    size_t note = service->note_bytes;

    pool_init(&service->h1_streams, sizeof(struct h1_exchange) + note, nfree_max);
    pool_init(&service->h2_streams, sizeof(struct h2_exchange) + note, nfree_max);
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
