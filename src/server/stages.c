/* SPDX-License-Identifier: MIT */
/* server/stages.c — the stages of a stop; see server.h and parts.h for the contract. */
#include "base/err.h"

#include <assert.h> /* assert */
#include "server/conn.h"
#include "server/parts.h"

void
server_abort_all(struct server *server, int why)
{
    struct list_node *node, *next;

    for (node = server->turn.conns.next; node != &server->turn.conns; node = next) {
        next = node->next;
        conn_abort(container_of(node, struct conn, link), why);
    }
}

static void
notify_all(struct server *server, bool only_streaming)
{
    struct list_node *node, *next;

    for (node = server->turn.conns.next; node != &server->turn.conns; node = next) {
        next = node->next;
        struct conn *conn = container_of(node, struct conn, link);
        if (conn->state == CONN_OPEN)
            conn->protocol->ops->notify(&conn->wire, conn->session, only_streaming);
    }
}

static void
drain_all(struct server *server)
{
    struct list_node *node, *next;

    for (node = server->turn.conns.next; node != &server->turn.conns; node = next) {
        next = node->next;
        struct conn *conn = container_of(node, struct conn, link);
        if (conn->state == CONN_OPEN)
            conn->protocol->ops->drain(&conn->wire, conn->session);
    }
}

/* When `stage` begins, counted from the start of the stop. */
static uint64_t
stage_begins_ms(const struct server *server, enum server_stage stage)
{
    uint64_t grace = server->config.graceful_ms;
    uint64_t last_call = server->has_retired ? server->config.last_call_ms : 0;

    switch (stage) {
    case SERVER_DRAINING:
        return last_call;
    case SERVER_NOTIFIED:
        return last_call + grace * 2 / 3;
    case SERVER_CANCELLED:
        return last_call + grace * 5 / 6;
    default:
        return last_call + grace;
    }
}

void
server_enter_stage(struct server *server, enum server_stage stage)
{
    assert(stage > server->stage && stage <= SERVER_CLOSED);
    assert(server->turn.is_running || stage == SERVER_LEAVING);
    server->stage = stage;
    if (stage == SERVER_LEAVING || stage == SERVER_LAST_CALL) {
        server->turn.service.is_leaving = stage == SERVER_LEAVING;
        server->turn.service.is_draining = true;
        server->turn.service.takes_last_call = true;
    } else if (stage == SERVER_DRAINING) {
        server->turn.service.is_leaving = !server->has_retired;
        server->turn.service.is_draining = true;
        server->turn.service.takes_last_call = false;
        drain_all(server);
        notify_all(server, true);
    } else if (stage == SERVER_NOTIFIED) {
        notify_all(server, false);
    } else if (stage == SERVER_CLOSED) {
        server_abort_all(server, ERR_SHUTDOWN);
    }
    if (server->stage != stage)
        return; /* what has heard of this stage has begun a later one */
    server->stage_due_ms = TIMER_NEVER;
    if (stage != SERVER_LEAVING && stage != SERVER_CLOSED) {
        server->stage_due_ms =
            server->stop_began_ms + stage_begins_ms(server, stage + 1);
        turn_note_due(&server->turn, server->stage_due_ms);
    }
    server->config.on_stage(server->config.owner);
}

static void
begin_stop(struct server *server, enum server_stage stage)
{
    bool nested = server->turn.is_running;

    if (!nested)
        server_begin_turn(server);
    for (int i = 0; i < server->ndoors; i++)
        server_close_door(server, &server->doors[i]);
    inside_end_watchers(server);
    server->has_retired = stage == SERVER_LAST_CALL;
    tally_set(server->tally, TALLY_STOPPING, 1);
    server->stop_began_ms = clock_ms(&server->turn.service.clock);
    server_enter_stage(server, stage);
    if (!nested)
        server_end_turn(server);
}

void
server_leave(struct server *server)
{
    if (server->stage != SERVER_SERVING)
        return;
    tally_set(server->tally, TALLY_STOPPING, 1);
    server_enter_stage(server, SERVER_LEAVING);
    server_watch_doors(server, true);
}

void
server_retire(struct server *server)
{
    if (server->stage < SERVER_LAST_CALL)
        begin_stop(server, SERVER_LAST_CALL);
}

void
server_stop(struct server *server)
{
    if (server->stage < SERVER_DRAINING)
        begin_stop(server, SERVER_DRAINING);
}

void
server_close(struct server *server)
{
    server_stop(server);
    if (server->stage == SERVER_CLOSED)
        return;
    bool nested = server->turn.is_running;
    if (!nested)
        server_begin_turn(server);
    server_enter_stage(server, SERVER_CLOSED);
    if (!nested)
        server_end_turn(server);
}
