/* SPDX-License-Identifier: MIT */
/* ws/control.c — see control.h for the contract. */
#include "ws/control.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "ws/send.h"

#define SECOND_MS 1000u

int
ws_control_count(struct ws *ws)
{
    uint64_t now_ms = clock_ms(ws->shared->clock);

    if (now_ms - ws->controls_ms >= SECOND_MS) {
        ws->controls_ms = now_ms;
        ws->ncontrols = 0;
    }
    ws->ncontrols++;
    uint32_t most = ws->shared->config.controls;
    return most != 0 && ws->ncontrols > most ? ERR_WS_CONTROLS : 0;
}

static struct ws_controls *
controls_of(struct ws *ws)
{
    if (ws->frames == NULL)
        ws->frames = mem_calloc(1, sizeof *ws->frames);
    return ws->frames;
}

static void
free_if_unused(struct ws *ws)
{
    if (ws->frames != NULL && ws->frames->nin == 0 && !ws->frames->pong_waits) {
        mem_free(ws->frames);
        ws->frames = NULL;
    }
}

int
ws_control_keep(struct ws *ws, struct slice piece)
{
    struct ws_controls *frames = controls_of(ws);

    if (frames == NULL)
        return ERR_NOMEM;
    assert(frames->nin + piece.len <= sizeof frames->in);
    ws->shared->mask->apply(frames->in + frames->nin, piece.ptr, piece.len, ws->key);
    frames->nin = narrow_u8(frames->nin + piece.len);
    return 0;
}

/* While output is blocked, only the last ping is answered (5.5.3), so that a peer
 * that does not read costs one payload. */
static void
answer_ping(struct ws *ws, struct slice payload)
{
    if (!ws->waits_for_writable) {
        (void)!ws_send_control(ws, WS_PONG, payload, false);
        return;
    }
    struct ws_controls *frames = controls_of(ws);
    if (frames == NULL) {
        ws_fail(ws, ERR_NOMEM);
        return;
    }
    frames->pong_waits = true;
    frames->npong = narrow_u8(payload.len);
    if (payload.len > 0)
        memcpy(frames->pong, payload.ptr, payload.len);
}

/* The peer closes first: its code is echoed, then the tunnel ends (5.5.1, 7.1.1). */
static void
answer_close(struct ws *ws, struct slice payload)
{
    char echo[2];
    unsigned code;
    struct slice reason;

    int err = ws_close_parse(ws->shared->utf8, payload, &code, &reason);
    if (err != 0) {
        ws_fail(ws, err);
        return;
    }
    size_t n = ws_close_write(echo, code, slice_new("", 0));
    (void)!ws_send_control(ws, WS_CLOSE, slice_new(echo, n), true);
    ws_leave(ws, WS_ENDED, code, reason);
}

void
ws_control_take(struct ws *ws, enum ws_opcode opcode, struct slice payload)
{
    if (opcode == WS_CLOSE)
        ws_before_end(ws);
    if (opcode == WS_CLOSE && ws->state == WS_CLOSING)
        ws_end(ws);
    else if (opcode == WS_CLOSE && ws->state == WS_OPEN)
        answer_close(ws, payload);
    else if (opcode == WS_PING && ws->state == WS_OPEN)
        answer_ping(ws, payload);
}

void
ws_control_take_kept(struct ws *ws, enum ws_opcode opcode)
{
    char payload[WS_CONTROL_BYTES];
    assert(ws->frames != NULL && ws->left == 0);
    size_t n = ws->frames->nin;

    memcpy(payload, ws->frames->in, n);
    ws->frames->nin = 0;
    free_if_unused(ws);
    ws_control_take(ws, opcode, slice_new(payload, n));
}

void
ws_control_on_writable(struct ws *ws)
{
    char payload[WS_CONTROL_BYTES];

    if (ws->frames == NULL || !ws->frames->pong_waits)
        return;
    size_t n = ws->frames->npong;
    memcpy(payload, ws->frames->pong, n);
    ws->frames->pong_waits = false;
    free_if_unused(ws);
    (void)!ws_send_control(ws, WS_PONG, slice_new(payload, n), false);
}

void
ws_control_drop(struct ws *ws)
{
    if (ws->frames != NULL) {
        ws->frames->pong_waits = false;
        if (ws->state == WS_ENDED)
            ws->frames->nin = 0;
    }
    free_if_unused(ws);
}
