/* SPDX-License-Identifier: MIT */
/* server/refusal.c — see refusal.h for the contract. */
#include "server/refusal.h"

#include <stdio.h> /* snprintf */

#include "base/err.h"
#include "http/status.h"
#include "server/conn.h"
#include "server/turn.h"

/* The option that sets the limit which `why` is about, or NULL. */
static const char *
option_of(int why)
{
    switch (why) {
    case ERR_WS_TOO_BIG:
        return "--ws-max-size";
    case ERR_WS_FRAME_TOO_BIG:
        return "--ws-max-frame";
    case ERR_WS_FRAGMENTS:
        return "--ws-max-fragments";
    case ERR_WS_CONTROLS:
        return "--ws-max-controls";
    case ERR_WS_PING_TIMEOUT:
        return "--ws-ping-timeout";
    default:
        return NULL;
    }
}

/* "(status 414; --limit-x; 2 more since)", of which each part may be missing. */
static void
write_extra(char *out, size_t room, int why, uint32_t dropped)
{
    const char *option = option_of(why);
    int status = status_of_err(why);
    char answer[32] = "";

    if (status != 0)
        (void)snprintf(answer, sizeof answer, "status %d; ", status);
    (void)snprintf(out, room, "(%s%s%s%u more since)", answer,
                   option != NULL ? option : "", option != NULL ? "; " : "",
                   (unsigned)dropped);
}

void
refusal_complain(struct conn *conn, int why)
{
    char host[PEER_HOST_BYTES];
    uint32_t dropped;
    struct service *service = &conn->turn->service;

    if (why == 0 || why == ERR_EOF || why == ERR_RESET || why == ERR_CLOSED ||
        why == ERR_SHUTDOWN)
        return;
    tally_refused(service->tally, why);
    size_t n = peer_host(&conn->wire.peer, host);
    if (!log_may_complain(&service->log, why, slice_new(host, n),
                          clock_ms(&service->clock), &dropped))
        return;
    const char *detail = why == ERR_TLS ? conn->io->detail : NULL;
    char extra[96];
    write_extra(extra, sizeof extra, why, dropped);
    log_line(&service->log, LOG_WARNING, "%s:%u: %s%s%s %s", n > 0 ? host : "unix",
             conn->wire.peer.addr.port, err_text(why), detail != NULL ? ": " : "",
             detail != NULL ? detail : "", extra);
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

    if (outq_copy(&conn->wire.out, slice_new(answer, (size_t)n)) != 0) {
        conn_abort(conn, ERR_NOMEM);
        return;
    }
    conn->wire.lingers = true;
    conn->wire.ops->finish(&conn->wire, why);
}
