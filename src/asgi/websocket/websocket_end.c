/* SPDX-License-Identifier: MIT */
/* asgi/websocket/websocket_end.c — how the application ends a WebSocket, and what
 * remains of its call after the client has ended it; see websocket.h for the
 * contract. */

#include <assert.h> /* assert */
#include "asgi/websocket/websocket.h"
#include "base/err.h"

int
websocket_end(WebSocketObject *self, unsigned code, struct slice reason)
{
    self->has_ended = true;
    int err = websocket_close(self, code, reason);
    if (self->phase == WEBSOCKET_OPEN)
        self->has_ended = false; /* it was not closed this way */
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
    call_disconnect((CallObject *)self); /* may end the call: no code follows */
    return err;
}

/* The messages that have arrived can be received, but no longer answered. */
void
websocket_on_shut(struct stream *s)
{
    WebSocketObject *self = s->app;

    assert(s->is_tunnel && s->state != STREAM_CLOSED);
    if (self != NULL && !self->has_ended)
        orphan_begin((CallObject *)self);
}
