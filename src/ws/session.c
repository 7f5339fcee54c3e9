/* SPDX-License-Identifier: MIT */
/* ws/session.c — see session.h for the contract. */
#include "ws/session.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "base/timer.h" /* TIMER_NEVER */
#include "ws/control.h"
#include "ws/deflation.h"
#include "ws/inflation.h"
#include "ws/receive.h"
#include "ws/send.h"

void
ws_shared_init(struct ws_shared *shared, const struct ws_config *config,
               const struct ws_handler *handler, struct clock *clock)
{
    *shared = (struct ws_shared){
        .config = *config,
        .handler = handler,
        .clock = clock,
        .mask = ws_mask_best(),
        .utf8 = ws_utf8_best(),
    };
    if (shared->config.message_bytes == UINT32_MAX)
        shared->config.message_bytes--;
    ws_deflate_pool_init(&shared->deflate, &shared->config.deflate, &shared->spares);
}

void
ws_shared_fini(struct ws_shared *shared)
{
    ws_deflate_pool_fini(&shared->deflate);
    ws_spares_fini(&shared->spares);
}

/* Returns the next time at which the peer must be checked. */
static void
set_ping_deadline(struct ws *ws)
{
    uint32_t interval_ms = ws->shared->config.ping_interval_ms;
    uint64_t now_ms = clock_ms(ws->shared->clock);
    uint64_t due_ms = ws->heard_ms + interval_ms;

    if (interval_ms == 0)
        due_ms = TIMER_NEVER;
    ws->ops->set_deadline(ws, due_ms > now_ms ? due_ms : now_ms);
}

void
ws_init(struct ws *ws, struct ws_shared *shared, const struct ws_ops *ops,
        const struct ws_deflate_params *params)
{
    *ws = (struct ws){
        .ops = ops,
        .shared = shared,
        .tunnel = ws->tunnel,
        .app = ws->app,
        .deflate.params = *params,
        .heard_ms = clock_ms(shared->clock),
    };
    set_ping_deadline(ws);
}

/* Frees what only an open WebSocket needs. */
static void
ws_release(struct ws *ws)
{
    ws_deflation_drop(ws);
    ws_inflate_drop(ws);
    ws_drop_message(ws);
    ws_deflate_fini(&ws->deflate, &ws->shared->deflate);
    ws_control_drop(ws);
}

void
ws_fini(struct ws *ws)
{
    ws_release(ws);
    mem_free(ws->frames);
    ws->frames = NULL;
    ws->state = WS_ENDED;
}

void
ws_leave(struct ws *ws, enum ws_state state, unsigned code, struct slice reason)
{
    assert(state != WS_OPEN && state >= ws->state);
    ws->state = narrow_u8(state);
    ws_release(ws);
    if (ws->is_told)
        return;
    ws->is_told = true;
    ws->shared->handler->on_close(ws, code, reason);
}

void
ws_end(struct ws *ws)
{
    const struct chunk nothing = {.bytes = {"", 0}};

    assert(ws->state != WS_ENDED); /* `last` is the last call to the tunnel */
    (void)!ws->ops->send(ws, &nothing, true);
    ws_leave(ws, WS_ENDED, WS_CODE_LOST, slice_new("", 0));
}

int
ws_close(struct ws *ws, unsigned code, struct slice reason)
{
    char payload[WS_CONTROL_BYTES];

    if (!ws_code_is_valid(code))
        return ERR_WS_CLOSE_CODE;
    if (ws->state != WS_OPEN || ws_deflation_finish(ws) != 0 || ws->state != WS_OPEN)
        return ERR_CLOSED;
    size_t n = ws_close_write(payload, code, reason);
    int err = ws_send_control(ws, WS_CLOSE, slice_new(payload, n), false);
    if (err != 0)
        return err;
    ws->ops->set_deadline(ws,
                          clock_due(ws->shared->clock, ws->shared->config.close_ms));
    ws_leave(ws, WS_CLOSING, code, reason);
    return 0;
}

void
ws_before_end(struct ws *ws)
{
    if (ws->state == WS_OPEN && ws->shared->handler->before_end != NULL)
        ws->shared->handler->before_end(ws);
}

void
ws_fail(struct ws *ws, int err)
{
    char payload[WS_CONTROL_BYTES];
    unsigned code = ws_code_of_err(err);
    struct slice reason = slice_of(err_text(err));

    assert(code != WS_CODE_LOST);
    ws_before_end(ws);
    if (ws->state == WS_ENDED)
        return;
    ws->ops->complain(ws, err);
    if (ws->state == WS_CLOSING) {
        ws_end(ws);
        return;
    }
    ws->why = err;
    size_t n = ws_close_write(payload, code, reason);
    (void)!ws_send_control(ws, WS_CLOSE, slice_new(payload, n), true);
    ws_leave(ws, WS_ENDED, code, reason);
}

void
ws_on_eof(struct ws *ws)
{
    if (ws->state == WS_ENDED)
        return;
    if (!ws->is_told)
        ws->why = ERR_EOF;
    ws_end(ws);
}

void
ws_lost(struct ws *ws, int why)
{
    if (!ws->is_told)
        ws->why = why;
    ws_leave(ws, WS_ENDED, WS_CODE_LOST, slice_new("", 0));
}

void
ws_on_writable(struct ws *ws)
{
    if (!ws->waits_for_writable)
        return;
    ws->waits_for_writable = false;
    if (ws->state != WS_OPEN)
        return;
    ws_control_on_writable(ws);
    if (ws->state == WS_OPEN && !ws->waits_for_writable)
        ws_deflation_go_on(ws);
    if (ws->state == WS_OPEN && !ws->waits_for_writable)
        ws->shared->handler->on_writable(ws);
}

static void
send_ping(struct ws *ws)
{
    uint64_t now_ms = clock_ms(ws->shared->clock);
    uint32_t timeout_ms = ws->shared->config.ping_timeout_ms;

    if (ws_send_control(ws, WS_PING, slice_new("", 0), false) != 0)
        return;
    ws->heard_ms = now_ms;
    if (timeout_ms == 0) {
        set_ping_deadline(ws);
        return;
    }
    ws->waits_for_pong = true;
    ws->ops->set_deadline(ws, clock_due(ws->shared->clock, timeout_ms));
}

/* No pong has arrived. If the deadline itself is late, the application has blocked
 * the loop, or thousands of other connections were served first. What the peer has
 * sent since may be unread, so it gets a little more time until the loop is on time
 * again. */
static void
miss_pong(struct ws *ws, uint64_t now_ms)
{
    uint64_t due_ms = ws->heard_ms + ws->shared->config.ping_timeout_ms;

    assert(ws->waits_for_pong && now_ms >= due_ms);
    if (now_ms - due_ms < WS_LATE_MS) {
        ws_fail(ws, ERR_WS_PING_TIMEOUT);
        return;
    }
    ws->heard_ms = now_ms + WS_LATE_MS - ws->shared->config.ping_timeout_ms;
    ws->ops->set_deadline(ws, now_ms + WS_LATE_MS);
}

void
ws_on_deadline(struct ws *ws)
{
    uint64_t now_ms = clock_ms(ws->shared->clock);

    if (ws->state == WS_CLOSING)
        ws_end(ws);
    if (ws->state != WS_OPEN || ws->shared->config.ping_interval_ms == 0)
        return;
    if (ws->is_paused || ws->is_spent || ws->waits_for_writable) {
        ws->heard_ms = now_ms;
        ws->waits_for_pong = false;
        /* Its end may follow bytes that we do not read; sending to a closed peer
         * causes a reset. */
        if (!ws->waits_for_writable &&
            ws_send_control(ws, WS_PONG, slice_new("", 0), false) != 0)
            return;
    }
    if (ws->waits_for_pong)
        miss_pong(ws, now_ms);
    else if (now_ms < ws->heard_ms + ws->shared->config.ping_interval_ms)
        set_ping_deadline(ws);
    else
        send_ping(ws);
}

void
ws_hear(struct ws *ws)
{
    ws->heard_ms = clock_ms(ws->shared->clock);
    if (!ws->waits_for_pong)
        return;
    ws->waits_for_pong = false;
    if (ws->state == WS_OPEN) /* a closing WebSocket has another deadline */
        set_ping_deadline(ws);
}

void
ws_on_budget(struct ws *ws)
{
    ws->is_spent = false;
    ws_hear(ws);
}

void
ws_pause(struct ws *ws)
{
    ws->is_paused = true;
}

void
ws_resume(struct ws *ws)
{
    ws->is_paused = false;
    ws_hear(ws);
}
