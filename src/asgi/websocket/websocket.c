/* SPDX-License-Identifier: MIT */
/* asgi/websocket/websocket.c — see websocket.h for the contract.
 *
 * The tunnel is read as long as the inbox has room, even if the application does not
 * receive: a close frame or a ping must not wait for the application.
 *
 * ws/ must not be called from inside its own call to the tunnel. The stream may end,
 * or drain, inside stream_send_body(); such events are recorded, and
 * websocket_settle() passes them to ws/ after the call. */
#include "asgi/websocket/websocket.h"

#include <assert.h> /* assert */

#include "asgi/message.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "ws/handshake.h"
#include "ws/receive.h"
#include "ws/send.h"

static WebSocketObject *
websocket_of(struct ws *ws)
{
    return container_of(ws, WebSocketObject, ws);
}

/* What ws/ asks of the tunnel */

static int
tunnel_send(struct ws *ws, const struct chunk *bytes, bool last)
{
    WebSocketObject *self = websocket_of(ws);

    if (self->stream == NULL)
        return ERR_CLOSED;
    assert(!self->is_sending && self->stream->is_tunnel);
    self->is_sending = true;
    int err = stream_send_body(self->stream, bytes, last);
    self->is_sending = false;
    return err;
}

static void
tunnel_set_deadline(struct ws *ws, uint64_t due_ms)
{
    WebSocketObject *self = websocket_of(ws);

    if (self->stream != NULL)
        stream_set_deadline(self->stream, due_ms);
}

static void
tunnel_complain(struct ws *ws, int why)
{
    WebSocketObject *self = websocket_of(ws);

    if (self->stream != NULL)
        stream_complain(self->stream, why);
}

static bool
tunnel_spend(struct ws *ws, uint64_t points)
{
    WebSocketObject *self = websocket_of(ws);

    return self->stream == NULL || stream_spend(self->stream, points);
}

static void
tunnel_rest(struct ws *ws)
{
    WebSocketObject *self = websocket_of(ws);

    if (self->stream != NULL)
        stream_rest(self->stream);
}

static const struct ws_ops tunnel_ops = {
    .send = tunnel_send,
    .set_deadline = tunnel_set_deadline,
    .complain = tunnel_complain,
    .spend = tunnel_spend,
    .rest = tunnel_rest,
};

/* Callbacks of ws/ */

/* Steals `item`; NULL: out of memory. */
static void
put_message(WebSocketObject *self, PyObject *item)
{
    assert((item == NULL) == (PyErr_Occurred() != NULL));
    assert(!websocket_is_full(self)); /* otherwise ws/ is paused */
    if (item == NULL || inbox_put(&self->inbox, item) < 0) {
        PyErr_Clear();
        ws_fail(&self->ws, ERR_NOMEM);
        return;
    }
    if (websocket_is_full(self))
        ws_pause(&self->ws);
}

static void
on_message(struct ws *ws, enum ws_opcode kind, struct slice bytes)
{
    put_message(websocket_of(ws),
                kind == WS_TEXT
                    ? PyUnicode_DecodeUTF8(bytes.ptr, narrow_ssize(bytes.len), NULL)
                    : PyBytes_FromStringAndSize(bytes.ptr, narrow_ssize(bytes.len)));
}

/* Returns the object whose bytes are at `ptr`. */
static PyObject *
object_at(char *ptr)
{
    return (PyObject *)(ptr - offsetof(PyBytesObject, ob_sval));
}

/* A long message is collected in the object that is passed to the application. */
static void *
resize_message(void *ptr, size_t size)
{
    PyObject *op = ptr == NULL ? NULL : object_at(ptr);

    if (size == 0) {
        Py_XDECREF(op);
        return NULL;
    }
    if (op == NULL)
        op = PyBytes_FromStringAndSize(NULL, narrow_ssize(size));
    else
        (void)_PyBytes_Resize(&op, narrow_ssize(size));
    if (op == NULL) {
        PyErr_Clear();
        return NULL;
    }
    return PyBytes_AS_STRING(op);
}

static void
on_long_message(struct ws *ws, char *ptr, size_t n)
{
    PyObject *op = object_at(ptr);

    if ((size_t)PyBytes_GET_SIZE(op) != n)
        (void)_PyBytes_Resize(&op, narrow_ssize(n));
    put_message(websocket_of(ws), op);
}

static void
websocket_on_ws_writable(struct ws *ws)
{
    WebSocketObject *self = websocket_of(ws);

    assert(!ws->waits_for_writable);
    self->is_blocked = false;
    waiters_wake(&self->writers);
}

/* An empty reason is NULL, so that the usual end needs no memory. */
static void
websocket_on_ws_close(struct ws *ws, unsigned code, struct slice reason)
{
    WebSocketObject *self = websocket_of(ws);

    assert(self->phase == WEBSOCKET_OPEN && self->reason == NULL); /* it ends once */
    self->phase = WEBSOCKET_CLOSED;
    self->code = code;
    if (reason.len > 0) {
        self->reason = PyUnicode_DecodeUTF8(reason.ptr, narrow_ssize(reason.len), NULL);
        PyErr_Clear();
    }
    call_disconnect((CallObject *)self);
    if (!self->has_ended)
        orphan_begin((CallObject *)self);
}

/* Messages that arrived together with the end can be received, and possibly
 * answered, if the Task can run a step. */
static void
before_end(struct ws *ws)
{
    WebSocketObject *self = websocket_of(ws);

    if (self->inbox.n > 0)
        waiters_run(&self->readers);
}

static const struct ws_handler ws_handler = {
    .on_message = on_message,
    .on_writable = websocket_on_ws_writable,
    .on_close = websocket_on_ws_close,
    .before_end = before_end,
    .resize = resize_message,
    .on_long_message = on_long_message,
};

void
websocket_open_bridge(struct bridge *bridge, struct clock *clock)
{
    assert(bridge->clock == NULL && clock != NULL);
    bridge->clock = clock;
    ws_shared_init(&bridge->ws->shared, &bridge->ws->config, &ws_handler, clock);
}

void
websocket_close_bridge(struct bridge *bridge)
{
    broadcast_clear(&bridge->ws->broadcast);
    if (bridge->ws->shared.clock != NULL)
        ws_shared_fini(&bridge->ws->shared);
    bridge->ws->shared = (struct ws_shared){0};
    bridge->clock = NULL;
}

/* The stream */

static void
websocket_on_writable(struct stream *s)
{
    WebSocketObject *self = s->app;

    if (!s->is_tunnel) {
        call_on_writable(s);
        return;
    }
    self->writable_due = true;
    websocket_settle(self);
}

void
websocket_on_deadline(struct stream *s)
{
    WebSocketObject *self = s->app;

    if (self == NULL)
        return;
    Py_INCREF(self); /* as in websocket_settle */
    ws_on_deadline(&self->ws);
    websocket_settle(self);
    Py_DECREF(self);
}

void
websocket_on_shutdown(struct stream *s)
{
    WebSocketObject *self = s->app;

    if (self != NULL)
        (void)!websocket_close(self, self->bridge->ws->stop_code, slice_new("", 0));
}

static void
drop_opening(WebSocketObject *self)
{
    mem_free(self->opening);
    self->opening = NULL;
}

static void
websocket_on_close(struct stream *s, int why)
{
    WebSocketObject *self = s->app;

    assert(self->stream == s && s->state == STREAM_CLOSED);
    s->app = NULL;
    self->stream = NULL;
    self->ws.budget = NULL;
    drop_opening(self);
    if (s->is_tunnel) {
        self->lost_due = true;
        self->lost_why = why;
        websocket_settle(self);
    } else {
        self->phase = WEBSOCKET_CLOSED;
        if (self->code == 0)
            self->code = WS_CODE_LOST;
        call_lose((CallObject *)self, self->has_ended ? ERR_CLOSED : why);
    }
    Py_DECREF(self); /* the stream's */
}

/* Answers */

bool
websocket_is_offered(const WebSocketObject *self, struct slice name)
{
    const struct websocket_opening *opening = self->opening;

    assert(self->phase == WEBSOCKET_CONNECTING && opening != NULL);
    return ws_subprotocol_is_offered(slice_new(opening->offers, opening->noffers),
                                     name);
}

int
websocket_accept(WebSocketObject *self, struct http_response *response,
                 struct slice subprotocol)
{
    struct websocket_opening *opening = self->opening;
    struct http_field *fields = response->fields;
    uint32_t n = response->nfields;

    assert(self->phase == WEBSOCKET_CONNECTING && self->stream != NULL);
    assert(subprotocol.len == 0 || websocket_is_offered(self, subprotocol));
    if (opening->accept[0] != '\0') /* HTTP/2 needs none, proxies do */
        fields[n++] = (struct http_field){
            .name = slice_of("sec-websocket-accept"),
            .value = slice_new(opening->accept, WS_ACCEPT_BYTES),
        };
    if (subprotocol.len > 0)
        fields[n++] = (struct http_field){
            .name = slice_of("sec-websocket-protocol"),
            .value = subprotocol,
        };
    if (opening->nextension > 0)
        fields[n++] = (struct http_field){
            .name = slice_of("sec-websocket-extensions"),
            .value = slice_new(opening->extension, opening->nextension),
        };
    response->nfields = n;
    int err = stream_open_tunnel(self->stream, response);
    if (err != 0)
        return err;
    self->is_started = true;
    self->phase = WEBSOCKET_OPEN;
    ws_init(&self->ws, &self->bridge->ws->shared, &tunnel_ops, &opening->params);
    self->ws.budget = self->stream->budget;
    drop_opening(self);
    websocket_settle(self);
    if (UNLIKELY(self->bridge->is_stopping) && self->stream != NULL)
        websocket_on_shutdown(self->stream); /* as those that were open before */
    return 0;
}

int
websocket_close(WebSocketObject *self, unsigned code, struct slice reason)
{
    if (self->phase != WEBSOCKET_OPEN)
        return ERR_CLOSED;
    Py_INCREF(self);
    int err = ws_close(&self->ws, code, reason);
    if (err == 0)
        inbox_clear(&self->inbox);
    websocket_settle(self);
    Py_DECREF(self);
    return err;
}

/* Returns the bytes of a message; an empty slice without a pointer and with an
 * exception if a str cannot be encoded as UTF-8. */
static struct slice
websocket_bytes_of(PyObject *message)
{
    Py_ssize_t len;

    if (PyBytes_Check(message))
        return slice_new(PyBytes_AS_STRING(message), (size_t)PyBytes_GET_SIZE(message));
    const char *text = PyUnicode_AsUTF8AndSize(message, &len);
    return slice_new(text, text == NULL ? 0 : (size_t)len);
}

int
websocket_send(WebSocketObject *self, PyObject *message)
{
    struct websockets *config = self->bridge->ws;
    struct chunk chunk = {
        .bytes = websocket_bytes_of(message),
        .lender = &object_lender,
        .owner = message,
    };

    if (chunk.bytes.ptr == NULL)
        return 1;
    if (self->phase != WEBSOCKET_OPEN)
        return ERR_CLOSED;
    struct ws_packet *packet =
        broadcast_find(&config->broadcast, &config->shared, &self->ws.deflate.params,
                       message, chunk.bytes);
    int err =
        packet != NULL
            ? ws_send_packet(&self->ws, packet)
            : ws_send(&self->ws, PyBytes_Check(message) ? WS_BINARY : WS_TEXT, &chunk);
    if (UNLIKELY(err != 0 || self->lost_due || self->writable_due || self->eof_due))
        websocket_settle(self);
    if (err == ERR_AGAIN)
        self->is_blocked = self->phase == WEBSOCKET_OPEN && self->ws.waits_for_writable;
    return err;
}

/* The call */

static const char *
websocket_missing(const CallObject *call)
{
    const WebSocketObject *self = (const WebSocketObject *)call;

    if (call->is_complete || call->is_disconnected)
        return NULL;
    if (self->phase == WEBSOCKET_CONNECTING)
        return "ASGI application returned without an answer to a WebSocket";
    if (self->phase == WEBSOCKET_DENIED)
        return "ASGI application returned before its response was complete";
    return NULL;
}

static void
websocket_finish(CallObject *call, int why)
{
    WebSocketObject *self = (WebSocketObject *)call;
    unsigned code = why == ERR_APP_FAILED ? WS_CODE_FAILED : WS_CODE_NORMAL;

    if (self->phase == WEBSOCKET_OPEN)
        (void)!websocket_end(self, code, slice_new("", 0));
    else if (self->phase != WEBSOCKET_CLOSED && !call->is_complete)
        stream_fail(call->stream, why);
}

static unsigned
websocket_told_code(const CallObject *call)
{
    const WebSocketObject *self = (const WebSocketObject *)call;

    if (!self->has_ended)
        return 0;
    return self->code != 0 ? self->code : WS_CODE_LOST;
}

static const struct call_kind websocket_kind = {
    .told_code = websocket_told_code,
    .missing = websocket_missing,
    .finish = websocket_finish,
    .on_body = websocket_on_body,
    .on_writable = websocket_on_writable,
    .on_close = websocket_on_close,
    .on_shut = websocket_on_shut,
    .on_deadline = websocket_on_deadline,
    .on_budget = websocket_on_budget,
    .on_shutdown = websocket_on_shutdown,
};

static struct websocket_opening *
opening_new(struct bridge *bridge, const struct http_head *head, const char *accept)
{
    size_t noffers = ws_subprotocols_copy(head, NULL, 0);
    struct websocket_opening *opening = mem_calloc(1, sizeof *opening + noffers);
    if (opening == NULL)
        return NULL;
    opening->noffers = ws_subprotocols_copy(head, opening->offers, noffers);
    memcpy(opening->accept, accept, WS_ACCEPT_BYTES);
    opening->nextension =
        (uint8_t)ws_extension_agree(head, &bridge->ws->shared.config.deflate,
                                    &opening->params, opening->extension)
            .len;
    return opening;
}

WebSocketObject *
websocket_new(struct bridge *bridge, struct stream *s, const struct http_head *head,
              const char *accept)
{
    PyTypeObject *type = bridge->st->WebSocketType;
    struct websocket_opening *opening = opening_new(bridge, head, accept);
    WebSocketObject *self =
        opening == NULL ? NULL : (WebSocketObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        mem_free(opening);
        return (WebSocketObject *)PyErr_NoMemory();
    }
    self->opening = opening;
    call_init((CallObject *)self, &websocket_kind, bridge, s);
    Py_INCREF(self); /* the stream's: it uses a part of this object */
    return self;
}

static int
websocket_traverse(PyObject *op, visitproc visit, void *arg)
{
    return call_visit((CallObject *)op, visit, arg);
}

static int
websocket_clear(PyObject *op)
{
    call_clear((CallObject *)op);
    return 0;
}

static void
websocket_dealloc(PyObject *op)
{
    WebSocketObject *self = (WebSocketObject *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject *owner = self->owner;

    assert(self->stream == NULL && self->opening == NULL); /* the stream's reference */
    assert(list_is_empty(&self->link) && list_is_empty(&self->orphan));
    PyObject_GC_UnTrack(op);
    call_clear((CallObject *)op);
    inbox_clear(&self->inbox);
    Py_CLEAR(self->reason);
    type->tp_free(op);
    Py_DECREF(type);
    Py_XDECREF(owner);
}

static PyType_Slot websocket_slots[] = {
    {Py_tp_dealloc, websocket_dealloc},
    {Py_tp_traverse, websocket_traverse},
    {Py_tp_clear, websocket_clear},
    {0, NULL},
};

PyType_Spec websocket_spec = {
    .name = "bolide._engine.WebSocket",
    .basicsize = sizeof(WebSocketObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = websocket_slots,
};
