/* SPDX-License-Identifier: MIT */
/* server/protocols.c — see protocols.h for the contract. */
#include "server/protocols.h"

#include "http1/scan.h"
#include "http1/session.h"
#include "http1/state.h"
#include "http2/session.h"
#include "http2/state.h"
#ifdef HAVE_HTTP3
#include "http3/state.h"
#endif

void
init_streams(struct service *service, size_t nfree_max)
{
    size_t note = service->note_bytes;

    service->h1_scan = h1_scan_best();
    pool_init(&service->h1_streams, sizeof(struct h1_exchange) + note, nfree_max);
    pool_init(&service->h2_streams, sizeof(struct h2_exchange) + note, nfree_max);
#ifdef HAVE_HTTP3
    pool_init(&service->h3_streams, sizeof(struct h3_exchange) + note, nfree_max);
#endif
}

void
fini_streams(struct service *service)
{
    pool_fini(&service->h1_streams);
    pool_fini(&service->h2_streams);
#ifdef HAVE_HTTP3
    pool_fini(&service->h3_streams);
#endif
}

const struct protocol *
protocol_of_tls(const struct service *service, bool has_h2)
{
    return service->h2 != H2_OFF && has_h2 ? &h2_protocol : &h1_protocol;
}
