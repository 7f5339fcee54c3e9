/* SPDX-License-Identifier: MIT */
/* server/stages.c — the stages of a stop; see server.h and server_internal.h for the
 * contract. */
#include "base/err.h"

#include <assert.h> /* assert */
#include "server/link_state.h"
#include "server/protocols.h"
#include "server/server_internal.h"

void
server_abort_all(struct server *server, int why)
{
    struct list_node *node, *next;

    for (node = server->turn.links.next; node != &server->turn.links; node = next) {
        next = node->next;
        link_abort(container_of(node, struct link, node), why);
    }
}

static void
notify_all(struct server *server, bool only_streaming)
{
    struct list_node *node, *next;

    for (node = server->turn.links.next; node != &server->turn.links; node = next) {
        next = node->next;
        struct link *link = container_of(node, struct link, node);
        if (link->state == LINK_OPEN)
            link->protocol->ops->notify(&link->wire, link->session, only_streaming);
    }
}

/* One that was opened just now may have its first request on its way: it is waited for, as
 * long as it takes until a silent connection counts as idle. */
static void
drain_one(struct link *link, uint64_t now_ms)
{
    const struct session_ops *ops = link->protocol->ops;
    uint64_t due_ms = link->opened_ms + SILENT_MS;

    assert(link->state == LINK_OPEN);
    if (link->protocol != &h1_protocol || due_ms <= now_ms ||
        ops->idle(&link->wire, link->session) != SESSION_UNUSED) {
        ops->drain(&link->wire, link->session);
        return;
    }
    if (due_ms < link->wire.read_due_ms)
        link->wire.read_due_ms = due_ms;
    link->wire.ops->touch(&link->wire);
}

static void
drain_all(struct server *server)
{
    struct list_node *node, *next;

    for (node = server->turn.links.next; node != &server->turn.links; node = next) {
        next = node->next;
        struct link *link = container_of(node, struct link, node);
        if (link->state == LINK_OPEN)
            drain_one(link, turn_now_ms(&server->turn));
    }
}

/* Returns when `stage` begins, counted from the start of the stop. */
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
#ifdef HAVE_HTTP3
        server->quic.is_closing = true;
#endif
        drain_all(server);
        notify_all(server, true);
    } else if (stage == SERVER_NOTIFIED) {
        notify_all(server, false);
    } else if (stage == SERVER_CLOSED) {
        server_abort_all(server, ERR_SHUTDOWN);
    }
    if (server->stage != stage)
        return; /* a callback for this stage has begun a later one */
    server->stage_due_ms = TIMER_NEVER;
    if (stage != SERVER_LEAVING && stage != SERVER_CLOSED) {
        server->stage_due_ms =
            server->stop_began_ms + stage_begins_ms(server, stage + 1);
        turn_note_due(&server->turn, server->stage_due_ms);
    }
    server->config.on_stage(server->config.owner);
}

static void
stages_begin_stop(struct server *server, enum server_stage stage)
{
    bool nested = server->turn.is_running;

    if (!nested)
        server_begin_turn(server);
    for (int i = 0; i < server->nlisteners; i++)
        server_close_listener(server, &server->listeners[i]);
    builtin_end_watchers(&server->builtin);
    cache_stop(&server->cache);
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
    server_watch_listeners(server, true);
}

void
server_retire(struct server *server)
{
    if (server->stage < SERVER_LAST_CALL)
        stages_begin_stop(server, SERVER_LAST_CALL);
}

void
server_stop(struct server *server)
{
    if (server->stage < SERVER_DRAINING)
        stages_begin_stop(server, SERVER_DRAINING);
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
