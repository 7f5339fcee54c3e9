/* SPDX-License-Identifier: MIT */
/* server/refusal.c — see refusal.h for the contract. */
#include "server/refusal.h"

#include <assert.h>   /* assert */
#include <inttypes.h> /* PRIu32 */
#include <stdio.h>    /* snprintf */

#include "base/err.h"
#include "base/narrow.h"
#include "http/limit_text.h"
#include "http/status.h"
#include "server/conn_state.h"
#include "server/turn.h"

void
refusal_log(struct link *link, int why, const char *detail)
{
    char host[PEER_HOST_BYTES], room[LIMIT_TEXT_BYTES], status[8] = "", more[32] = "";
    uint32_t dropped;
    struct service *service = &link->turn->service;

    assert(why <= 0 && why > -ERR_POSITIVE_END);
    if (why == 0 || why == ERR_EOF || why == ERR_RESET || why == ERR_CLOSED ||
        why == ERR_SHUTDOWN)
        return;
    tally_refused(service->tally, why);
    size_t n = peer_host(&link->wire.peer, host);
    if (!log_may_complain(&service->log, why, slice_new(host, n),
                          clock_ms(&service->clock), &dropped))
        return;
    struct slice text = limit_text(why, &service->limits, room);
    if (status_of_err(why) != 0)
        (void)snprintf(status, sizeof status, "%d, ", status_of_err(why));
    if (dropped > 0)
        (void)snprintf(more, sizeof more, " (%" PRIu32 " more since)", dropped);
    log_line(&service->log, LOG_WARNING, "%s:%u: %s%.*s%s%s%s", n > 0 ? host : "unix",
             link->wire.peer.addr.port, status, narrow_len(text.len), text.ptr,
             detail != NULL ? ": " : "", detail != NULL ? detail : "", more);
}

void
refusal_answer(struct conn *conn, const char *text, int why)
{
    char answer[256];
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 400 Bad Request\r\n"
                     "content-type: text/plain; charset=utf-8\r\n"
                     "content-length: %zu\r\n"
                     "connection: close\r\n\r\n%s",
                     strlen(text), text);

    assert(conn->link.state == LINK_OPEN && why < 0);
    assert(n > 0 && (size_t)n < sizeof answer); /* the text is short */
    if (outq_copy(&conn->link.wire.out, slice_new(answer, (size_t)n)) != 0) {
        conn_abort(conn, ERR_NOMEM);
        return;
    }
    conn->link.wire.lingers = true;
    conn->link.wire.ops->finish(&conn->link.wire, why);
}
