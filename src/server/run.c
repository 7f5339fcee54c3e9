/* SPDX-License-Identifier: MIT */
/* server/run.c — the turns of a server: what is processed, and in which order; see
 * server.h and server_internal.h for the contract. */
#include <assert.h> /* assert */
#include <unistd.h> /* write */

#include "base/narrow.h"
#include "server/input.h"
#include "server/server_internal.h"

#define FULL_LOOKS 256u /* polls that may find more than they take, before deadlines */

static void
look_whether_done(struct server *server)
{
    if (server->stage < SERVER_LAST_CALL || server->turn.nlinks > 0 ||
        server->gone_told)
        return;
    server->gone_told = true;
    if (server->access != NULL)
        access_log_write(server->access, clock_ms(&server->turn.service.clock));
    server->config.on_stage(server->config.owner);
}

static void
look_whether_full(struct server *server)
{
    uint64_t most = server->config.max_requests;

    if (most == 0 || server->full_told || server->turn.service.nrequests < most)
        return;
    server->full_told = true;
    server->config.on_full(server->config.owner);
}

/* Handles deadlines other than the connections' timers. */
static void
expire_own(struct server *server)
{
    uint64_t now = clock_ms(&server->turn.service.clock);

    if (server->stage_due_ms <= now)
        server_enter_stage(server, server->stage + 1);
    if (server->stage_due_ms != TIMER_NEVER)
        turn_note_due(&server->turn, server->stage_due_ms);
    if (server->accept_due_ms <= now || server->shake_due_ms <= now) {
        if (server->accept_due_ms <= now)
            server->accept_due_ms = TIMER_NEVER;
        if (server->shake_due_ms <= now)
            server->shake_due_ms = TIMER_NEVER;
        server_watch_listeners(server, server->accept_due_ms == TIMER_NEVER);
    }
    turn_note_due(&server->turn, server->accept_due_ms);
    turn_note_due(&server->turn, server->shake_due_ms);
#ifdef HAVE_HTTP3
    quic_sockets_expire(&server->quic);
#endif
    builtin_on_time(&server->builtin);
    if (server->cache.service != NULL)
        cache_on_time(&server->cache);
    if (server->access == NULL)
        return;
    if (access_log_due_ms(server->access) <= now)
        access_log_write(server->access, now);
    turn_note_due(&server->turn, access_log_due_ms(server->access));
}

/* The timer is off while nothing runs, so that an idle server does not wake up. */
static void
wake_watchdog(struct server *server)
{
    tally_set(server->tally, TALLY_WATCH_SLEEPS, 0);
    if (server->config.watch_fd >= 0)
        (void)!write(server->config.watch_fd, &(uint64_t){1}, sizeof(uint64_t));
}

void
server_begin_turn(struct server *server)
{
    assert(!server->turn.is_running);
    server->turn.is_running = true;
    server->turn.nhandshakes = 0;
    clock_begin(&server->turn.service.clock);
    tally_add(server->tally, TALLY_TURNS, 1);
    tally_set(server->tally, TALLY_TURN_BEGAN,
              clock_last_ns(&server->turn.service.clock));
    builtin_on_turn(&server->builtin, clock_ms(&server->turn.service.clock));
    if (UNLIKELY(tally_get(server->tally, TALLY_WATCH_SLEEPS) != 0))
        wake_watchdog(server);
}

/* A watchdog that could not run during the turn is notified afterwards. */
static void
note_turn(struct server *server)
{
    uint64_t began_ns = tally_get(server->tally, TALLY_TURN_BEGAN);

    if (began_ns == 0) /* a child that was forked in this turn has another tally */
        return;
    (void)clock_ms(&server->turn.service.clock); /* applications have run */
    assert(clock_last_ns(&server->turn.service.clock) >= began_ns);
    tally_max(server->tally, TALLY_TURN_MAX,
              clock_last_ns(&server->turn.service.clock) - began_ns);
    tally_set(server->tally, TALLY_TURN_BEGAN, 0);
}

void
server_end_turn(struct server *server)
{
    assert(server->turn.is_running);
    turn_end(&server->turn);
    server->turn.is_running = false;
    note_turn(server);
    clock_end(&server->turn.service.clock);
    balance_publish(&server->config.balance, server->stage < SERVER_LAST_CALL,
                    server->turn.nlinks, server->turn.service.nrequests);
#ifdef HAVE_HTTP3
    quic_sockets_publish(&server->quic);
#endif
    tally_set(server->tally, TALLY_CONNECTIONS, server->turn.nlinks);
    if (server->access != NULL)
        access_log_end_turn(server->access, &server->turn.service.clock);
    look_whether_done(server);
    look_whether_full(server);
}

/* The delay with which the alarm is handled is the time that the loop was busy with
 * other work. */
static void
note_lag(struct server *server)
{
    uint64_t due_ns = server->turn.armed_ms * 1000000;
    uint64_t now_ns = clock_last_ns(&server->turn.service.clock);

    if (server->turn.armed_ms == TIMER_NEVER || now_ns < due_ns)
        return;
    tally_add(server->tally, TALLY_LAGS, 1);
    tally_add(server->tally, TALLY_LAG_NS, now_ns - due_ns);
    tally_max(server->tally, TALLY_LAG_MAX, now_ns - due_ns);
}

void
server_wake(struct server *server)
{
    server->turn.is_scheduled = false;
    server->turn.armed_ms = clock_due(&server->turn.service.clock, 1);
    poller_alarm(server->turn.poller, 1);
}

/* Accepts a bounded number of what is ready. */
static void
look_around(struct server *server)
{
    struct poller_ready ready[TURN_EVENTS];
    bool alarm = false;
    struct overload *overload = &server->turn.overload;
    assert(overload->take >= 1 && overload->take <= TURN_EVENTS);
    int max = narrow_int(overload->take);
    int n = poller_poll(server->turn.poller, ready, max, &alarm);

    server->turn.nfound = n > 0 ? narrow_u32(narrow_size(n)) : 0;
    overload_looked(overload, clock_last_ns(&server->turn.service.clock), n);

    for (int i = 0; i < n; i++)
        poller_tell(&ready[i]);
    input_feed_all(&server->turn);
    if (alarm) {
        note_lag(server);
        server->turn.armed_ms = TIMER_NEVER;
        server->expire_due = true;
    }
    /* A peer's bytes may have arrived although its deadline has passed: they are read
     * first. */
    if (UNLIKELY(server->expire_due) && (n < max || ++server->nfull >= FULL_LOOKS)) {
        server->expire_due = false;
        server->nfull = 0;
        turn_expire(&server->turn);
        expire_own(server);
    }
}

/* Returns whether queued connections get another budget in this turn, which
 * `began_ns` and found `running` exchanges. If others have arrived, or as many
 * exchanges as a budget allows wait for their applications, the event loop continues
 * with those first. */
static bool
may_go_on(struct server *server, uint64_t began_ns, uint64_t running)
{
    uint64_t most = running + BUDGET_POINTS / BUDGET_MESSAGE;

    if (list_is_empty(&server->turn.queued) || server->turn.ntaken > 0 ||
        tally_get(server->tally, TALLY_RUNNING) >= most)
        return false;
    clock_read(&server->turn.service.clock);
    return clock_last_ns(&server->turn.service.clock) - began_ns < TURN_NS;
}

/* Queued connections get at least one budget per turn, one if others arrive in it, and
 * none if others arrived in the last: the event loop may call both a flush and a turn
 * before it runs their Tasks. Others are polled for before each budget, and pending
 * responses are sent before the first. */
static void
look_and_go_on(struct server *server)
{
    struct turn *turn = &server->turn;
    uint64_t began_ns = clock_last_ns(&turn->service.clock);
    uint64_t running = tally_get(server->tally, TALLY_RUNNING);

    if (UNLIKELY(!list_is_empty(&turn->queued)))
        turn_serve(turn);
    turn->ntaken = 0;
    look_around(server);
    bool had_others = server->has_others;
    server->has_others = turn->ntaken > 0;
    if (LIKELY(list_is_empty(&turn->queued)))
        return;
    if (turn->ntaken > 0)
        turn_serve(turn);
    else if (had_others)
        return;
    do {
        turn_go_on(turn);
        look_around(server);
    } while (may_go_on(server, began_ns, running));
    server->has_others = turn->ntaken > 0;
}

void
server_turn(struct server *server)
{
    if (server->turn.is_running)
        return;
    server_begin_turn(server);
    overload_begin(&server->turn.overload, clock_last_ns(&server->turn.service.clock));
    look_and_go_on(server);
    server->has_looked = true;
    server_end_turn(server);
}

void
server_flush(struct server *server)
{
    server->turn.is_scheduled = false;
    if (server->turn.is_running)
        return;
    server_begin_turn(server);
    if (!list_is_empty(&server->turn.queued) && !server->has_looked)
        look_and_go_on(server);
    server->has_looked = false;
    server_end_turn(server);
}
