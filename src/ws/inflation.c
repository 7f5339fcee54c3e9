/* SPDX-License-Identifier: MIT */
/* ws/inflation.c — see inflation.h for the contract. */
#include "ws/inflation.h"

#include <assert.h> /* assert */

#include "base/err.h"

#define GROWTH 4u /* typical ratio of text to its compressed size */

/* From this size on, room is made for this multiple of it. That costs only address
 * space, while moving megabytes each time the room doubles would take longer than a
 * slice. */
#define AHEAD_FROM_BYTES (256u * 1024)
#define AHEAD_FACTOR 64u

/* The cost of a byte of payload that produces little output (base/budget.h): one
 * budget allows 64 KiB. */
#define POINTS_OF_IN 8u

/* The payload size from which time is measured. */
#define TIMED_BYTES 1024u

static size_t
ws_inflation_most_bytes(const struct ws *ws)
{
    return (size_t)ws->shared->config.message_bytes + 1;
}

/* Returns the size for which there must be room next. */
static size_t
next_need(const struct ws *ws, size_t nin)
{
    size_t len = ws->inflation.out.len, most = ws_inflation_most_bytes(ws),
           need = len + 1;

    if (len == 0)
        need = GROWTH * (nin < WS_UNPACK_IN_BYTES ? nin : WS_UNPACK_IN_BYTES) + 1;
    else if (len >= AHEAD_FROM_BYTES)
        need = len < most / AHEAD_FACTOR ? len * AHEAD_FACTOR : most;
    return need < most ? need : most;
}

/* A long binary message is continued in the object that the user receives. */
static int
move_to_user(struct ws *ws, size_t need, size_t wish)
{
    struct ws_inflation *inflation = &ws->inflation;
    struct ws_bytes moved = {0};

    int err = ws_bytes_reserve_lent(&moved, ws->shared->handler->resize, need, wish,
                                    ws_inflation_most_bytes(ws));
    if (err != 0)
        return err;
    memcpy(moved.ptr, inflation->out.ptr, inflation->out.len);
    moved.len = inflation->out.len;
    ws_bytes_give(&inflation->out, &ws->shared->spares);
    inflation->out = moved;
    inflation->is_lent = true;
    return 0;
}

static int
ws_inflation_make_room(struct ws *ws, size_t nin)
{
    struct ws_inflation *inflation = &ws->inflation;
    struct ws_bytes *out = &inflation->out;
    ws_resize *resize = ws->shared->handler->resize;
    size_t most = ws_inflation_most_bytes(ws);

    if (out->len < out->cap)
        return 0;
    size_t need = next_need(ws, nin), wish = out->len + GROWTH * nin;
    if (inflation->is_lent)
        return ws_bytes_reserve_lent(out, resize, need, wish, most);
    if (resize == NULL || ws->kind != WS_BINARY || out->len < WS_SPARE_BYTES / 2)
        return ws_bytes_reserve(out, &ws->shared->spares, need, wish, most);
    if (wish < AHEAD_FROM_BYTES)
        wish = AHEAD_FROM_BYTES;
    return move_to_user(ws, need, wish);
}

static bool
ws_inflation_is_text_good(struct ws *ws, struct slice fresh)
{
    return ws->kind != WS_TEXT || ws_utf8_check(ws->shared->utf8, &ws->utf8, fresh);
}

/* Returns 0 if the message is complete, ERR_AGAIN, or why the peer is rejected: the
 * error of its first invalid byte, even if there are others. */
static int
inflate_slice(struct ws *ws, struct slice *in)
{
    struct ws_bytes *out = &ws->inflation.out;
    size_t most = ws_inflation_most_bytes(ws), n;

    int err = ws_inflation_make_room(ws, in->len);
    if (err != 0)
        return err;
    char *at = out->ptr + out->len;
    size_t room = (out->cap < most ? out->cap : most) - out->len;
    if (room > WS_UNPACK_OUT_BYTES)
        room = WS_UNPACK_OUT_BYTES;
    err = ws_deflate_unpack(&ws->deflate, &ws->shared->deflate, in, at, room, &n);
    out->len += n;
    assert(out->len <= most && out->len <= out->cap);
    bool is_over = out->len == most;
    if (!ws_inflation_is_text_good(ws, slice_new(at, is_over ? n - 1 : n)))
        return ERR_WS_UTF8;
    if (is_over)
        return ERR_WS_TOO_BIG;
    if (err == 0 && ws->kind == WS_TEXT && !ws_utf8_is_whole(&ws->utf8))
        return ERR_WS_UTF8;
    return err;
}

static uint64_t
points_of(size_t nin, size_t nout, uint64_t ns)
{
    uint64_t points = budget_of_bytes(nout);

    if (points < (uint64_t)nin * POINTS_OF_IN)
        points = (uint64_t)nin * POINTS_OF_IN;
    return points < ns ? ns : points;
}

/* Inflates while the budget lasts.  Returns as inflate_slice does. */
static int
inflate_some(struct ws *ws, struct slice *in)
{
    bool is_timed = in->len > TIMED_BYTES || ws->inflation.is_on;
    uint64_t now_ns = is_timed ? clock_now_ns() : 0, began_ns;
    int err;

    assert(ws->state == WS_OPEN && ws->is_compressed && !ws->is_spent);
    do {
        size_t nin = in->len, nout = ws->inflation.out.len;
        began_ns = now_ns;
        err = inflate_slice(ws, in);
        if (is_timed)
            now_ns = clock_now_ns();
        ws_spend(ws, points_of(nin - in->len, ws->inflation.out.len - nout,
                               now_ns - began_ns) +
                         (err == ERR_AGAIN ? 0 : BUDGET_MESSAGE));
    } while (err == ERR_AGAIN && !ws->is_spent);
    return err;
}

void
ws_inflate_drop(struct ws *ws)
{
    struct ws_inflation *inflation = &ws->inflation;

    if (inflation->is_lent && inflation->out.ptr != NULL)
        (void)ws->shared->handler->resize(inflation->out.ptr, 0);
    else if (!inflation->is_lent)
        ws_bytes_give(&inflation->out, &ws->shared->spares);
    ws_deflate_drop(&ws->deflate, &ws->shared->deflate);
    *inflation = (struct ws_inflation){0};
}

/* Passes the message to the user, or rejects the peer. The state is ready for the
 * next message before that, because the user may call anything but ws_feed. */
static void
end_message(struct ws *ws, int err)
{
    const struct ws_handler *handler = ws->shared->handler;

    ws_drop_message(ws);
    if (err != 0) {
        ws_inflate_drop(ws);
        ws_fail(ws, err);
        return;
    }
    struct ws_inflation whole = ws->inflation;
    assert(ws->deflate.unpacking == NULL && !ws->is_paused);
    ws->inflation = (struct ws_inflation){0};
    if (whole.is_lent) {
        handler->on_long_message(ws, whole.out.ptr, whole.out.len);
        return;
    }
    handler->on_message(ws, ws->kind, ws_bytes_slice(&whole.out));
    ws_bytes_give(&whole.out, &ws->shared->spares);
}

void
ws_inflate_in_place(struct ws *ws, struct slice payload)
{
    struct ws_bytes *message = &ws->message;

    assert(message->cap == 0 && !ws->inflation.is_on);
    ws->nframes = 0;
    int err = inflate_some(ws, &payload);
    if (err == ERR_AGAIN) {
        ws->inflation.is_on = true;
        size_t n = payload.len;
        if (n == 0)
            return;
        err = ws_bytes_reserve(message, &ws->shared->spares, n, n, n);
        if (err == 0) {
            memcpy(message->ptr, payload.ptr, n);
            message->len = n;
            return;
        }
    }
    end_message(ws, err);
}

void
ws_inflate_gathered(struct ws *ws)
{
    assert(!ws->is_lent && !ws->inflation.is_on);
    ws->nframes = 0;
    ws->inflation.is_on = true;
    ws_inflate_more(ws);
}

void
ws_inflate_more(struct ws *ws)
{
    struct ws_inflation *inflation = &ws->inflation;
    struct slice in = slice_skip(ws_bytes_slice(&ws->message), inflation->at);

    assert(inflation->is_on && ws->nframes == 0);
    int err = inflate_some(ws, &in);
    inflation->at = ws->message.len - in.len;
    if (err != ERR_AGAIN)
        end_message(ws, err);
}
