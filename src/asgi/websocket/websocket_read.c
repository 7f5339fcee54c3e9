/* SPDX-License-Identifier: MIT */
/* asgi/websocket/websocket_read.c — how a WebSocket reads from its tunnel; see
 * websocket.h for the contract. */
#include <assert.h> /* assert */

#include "asgi/websocket/websocket.h"
#include "base/err.h"
#include "ws/receive.h"

/* Feeds `in`, and keeps what is left of it. */
static void
websocket_feed(WebSocketObject *self, struct slice in)
{
    struct ws_spares *spares = &self->bridge->ws->shared.spares;
    struct ws_bytes *rest = &self->rest;
    bool was_pumping = self->is_pumping;

    self->is_pumping = true; /* calls by the application in here must not feed again */
    ws_feed(&self->ws, &in);
    self->is_pumping = was_pumping;
    if (in.len == 0)
        return;
    size_t need = rest->len + in.len;
    if (ws_bytes_reserve(rest, spares, need, need, need) != 0) {
        ws_fail(&self->ws, ERR_NOMEM);
        return;
    }
    memcpy(rest->ptr + rest->len, in.ptr, in.len);
    rest->len = need;
}

static void
feed_rest(WebSocketObject *self)
{
    struct ws_bytes bytes = self->rest;
    struct slice in = slice_skip(ws_bytes_slice(&bytes), self->rest_at);

    assert(self->is_pumping);
    self->rest = (struct ws_bytes){0};
    self->rest_at = 0;
    ws_feed(&self->ws, &in);
    assert(self->rest.len == 0);
    if (in.len == 0) {
        ws_bytes_give(&bytes, &self->bridge->ws->shared.spares);
        return;
    }
    self->rest = bytes;
    self->rest_at = bytes.len - in.len;
}

/* Continues reading, as far as data is wanted. */
static void
pump(WebSocketObject *self)
{
    if (self->is_pumping)
        return;
    self->is_pumping = true;
    while (self->stream != NULL && ws_wants_input(&self->ws)) {
        if (self->rest.len > 0 || ws_is_inflating(&self->ws))
            feed_rest(self);
        else if (self->eof_due)
            ws_on_eof(&self->ws);
        else if (self->stream->pulling || stream_pull_body(self->stream) != 0 ||
                 self->stream == NULL || self->stream->pulling)
            break;
    }
    self->is_pumping = false;
}

/* The caller has a reference: the stream may end in here, and drop its own. */
static void
websocket_settle_held(WebSocketObject *self)
{
    if (self->is_sending)
        return;
    if (UNLIKELY(self->writable_due)) {
        self->writable_due = false;
        ws_on_writable(&self->ws);
    }
    pump(self);
    if (UNLIKELY(self->lost_due)) {
        self->lost_due = false;
        ws_lost(&self->ws, self->lost_why);
        ws_fini(&self->ws);
        ws_bytes_give(&self->rest, &self->bridge->ws->shared.spares);
        self->rest_at = 0;
    }
}

void
websocket_settle(WebSocketObject *self)
{
    Py_INCREF(self);
    websocket_settle_held(self);
    Py_DECREF(self);
}

PyObject *
websocket_take(WebSocketObject *self)
{
    assert(self->inbox.n > 0);
    PyObject *item = inbox_take(&self->inbox);

    if (UNLIKELY(self->phase == WEBSOCKET_OPEN && self->ws.is_paused) &&
        self->inbox.n <= self->bridge->ws->queue / 2 && !websocket_is_full(self)) {
        ws_resume(&self->ws);
        websocket_settle(self);
    }
    return item;
}

void
websocket_on_body(struct stream *s, struct slice bytes, bool last)
{
    WebSocketObject *self = s->app;

    assert(self->stream == s && s->is_tunnel && !s->pulling);
    Py_INCREF(self);
    if (bytes.len > 0)
        websocket_feed(self, bytes);
    self->eof_due = last; /* it waits until everything before it is processed */
    websocket_settle_held(self);
    if (self->inbox.n > 0)
        waiters_run(&self->readers);
    if (last && self->phase == WEBSOCKET_OPEN && self->stream != NULL)
        websocket_on_shut(self->stream);
    Py_DECREF(self);
}

void
websocket_on_budget(struct stream *s)
{
    WebSocketObject *self = s->app;

    if (self == NULL)
        return;
    Py_INCREF(self);
    ws_on_budget(&self->ws);
    websocket_settle(self);
    if (self->inbox.n > 0)
        waiters_run(&self->readers);
    Py_DECREF(self);
}
