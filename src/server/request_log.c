/* SPDX-License-Identifier: MIT */
/* server/request_log.c — a server's access log; see server.h and server_internal.h for
 * the contract. */
#include "server/server_internal.h"

#include <assert.h> /* assert */

#include "base/narrow.h"

static void
on_begin(struct service *service, struct stream *s, const struct http_head *head)
{
    struct turn *turn = container_of(service, struct turn, service);
    struct server *server = container_of(turn, struct server, turn);

    assert(server->config.access.format != NULL && s->note != NULL);
    format_note(server->config.access.format, s, head);
}

static void
on_exchange(struct service *service, const struct stream *s)
{
    struct turn *turn = container_of(service, struct turn, service);
    struct server *server = container_of(turn, struct server, turn);

    assert(server->access != NULL);
    access_log_add(server->access, &service->clock, s);
    turn_note_due(turn, access_log_due_ms(server->access));
}

void
server_init_notes(struct server *server)
{
    struct service *service = &server->turn.service;

    service->on_begin = on_begin;
    service->on_exchange = on_exchange;
    if (server->config.access.format != NULL)
        service->note_bytes =
            narrow_u32(format_note_bytes(server->config.access.format));
}

int
server_open_access(struct server *server)
{
    if (server->config.access.format == NULL)
        return 0;
    return access_log_new(&server->config.access, &server->turn.service.log,
                          server->tally, &server->access);
}

void
server_settle_log(struct server *server)
{
    if (server->access != NULL)
        access_log_settle(server->access);
}

/* An idle server has to wake up to report the result. */
void
server_reopen_log(struct server *server)
{
    struct turn *turn = &server->turn;

    if (server->access == NULL)
        return;
    access_log_reopen(server->access);
    turn_note_due(turn, clock_due(&turn->service.clock, ACCESS_LOOK_MS));
    if (!turn->is_running && !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
}

uint64_t
server_log_dropped(const struct server *server)
{
    return server->access != NULL ? access_log_dropped(server->access) : 0;
}
