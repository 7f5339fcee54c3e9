/* SPDX-License-Identifier: MIT */
/* asgi/websocket_end.c — how the application ends a WebSocket, and what is left of its
 * call when the client has ended it; see websocket.h for the contract. */
#include "asgi/orphan.h"

#include <assert.h> /* assert */
#include "asgi/websocket.h"
#include "base/err.h"

int
websocket_end(WebSocketObject *self, unsigned code, struct slice reason)
{
    self->has_ended = true;
    int err = websocket_close(self, code, reason);
    if (self->phase == WEBSOCKET_OPEN)
        self->has_ended = false; /* it was not to be closed so */
    return err;
}

int
websocket_refuse(WebSocketObject *self)
{
    struct http_response response = {.status = 403};
    const struct chunk nothing = {.bytes = {"", 0}};

    assert(self->phase == WEBSOCKET_CONNECTING && self->stream != NULL);
    int err = stream_send_head(self->stream, &response);
    if (err != 0)
        return err;
    self->phase = WEBSOCKET_CLOSED;
    self->code = WS_CODE_LOST;
    self->has_ended = true;
    err = stream_send_body(self->stream, &nothing, true);
    call_disconnect((CallObject *)self); /* may end the call: nothing follows */
    return err;
}

/* The messages that have come can be received; nobody waits for an answer to them. */
void
websocket_on_shut(struct stream *s)
{
    WebSocketObject *self = s->app;

    assert(s->is_tunnel && s->state != STREAM_CLOSED);
    if (self != NULL && !self->has_ended)
        orphan_begin((CallObject *)self);
}
