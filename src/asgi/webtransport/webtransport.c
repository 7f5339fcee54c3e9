/* SPDX-License-Identifier: MIT */
/* asgi/webtransport/webtransport.c — see webtransport.h for the contract. */
#include "asgi/webtransport/webtransport.h"

#include <assert.h> /* assert */

#include "base/clock.h"
#include "base/err.h"
#include "base/narrow.h"

/* Responses to the request if the session is not accepted. */
#define STATUS_REFUSED 403
#define STATUS_LEAST 400u
#define STATUS_MOST 599u

/* Callbacks of the protocol */

/* Keeps the code and the reason with which the peer has ended the session. */
static void
session_note_end(SessionObject *self, const struct webtransport *wt)
{
    assert(self->reason == NULL);
    self->phase = SESSION_CLOSED;
    self->code = wt->code;
    if (wt->reason.len > 0) {
        self->reason = PyUnicode_DecodeUTF8(wt->reason.ptr,
                                            narrow_ssize(wt->reason.len), "replace");
        PyErr_Clear();
    }
}

/* Called when the session has ended, but not by the application, which is notified. */
static void
session_leave(SessionObject *self)
{
    assert(self->phase == SESSION_CLOSED && !self->has_ended);
    call_disconnect((CallObject *)self);
    orphan_begin((CallObject *)self);
}

static void
take_news(struct stream *s)
{
    SessionObject *self = s->app;
    const struct webtransport *wt = s->webtransport;

    Py_INCREF(self); /* a step of the application may end the stream */
    if (wt->is_over && self->phase == SESSION_OPEN) {
        session_note_end(self, wt);
        session_leave(self);
    } else if (self->phase == SESSION_OPEN) {
        waiters_run(&self->readers);
    }
    Py_DECREF(self);
}

static void
take_room(struct stream *s)
{
    waiters_wake(&((SessionObject *)s->app)->writers);
}

static void
session_on_news(struct stream *s)
{
    if (s->app != NULL)
        call_event(s->app, take_news);
}

static void
session_on_room(struct stream *s)
{
    if (s->app != NULL)
        call_event(s->app, take_room);
}

static const struct webtransport_handler session_handler = {
    .on_news = session_on_news,
    .on_room = session_on_room,
};

/* Callbacks of the stream */

/* The tunnel is read by the protocol. */
static void
session_on_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    (void)last;
    assert(false);
}

/* The client gets some time to end the session. */
static void
session_on_shutdown(struct stream *s)
{
    struct webtransport *wt = s->webtransport;
    const SessionObject *self = s->app;

    if (self == NULL || wt->is_over)
        return;
    wt->ops->drain(wt);
    if (s->state == STREAM_HEAD_SENT)
        stream_set_deadline(s, clock_due(self->bridge->clock, SESSION_DRAIN_MS));
}

void
session_begin(SessionObject *self)
{
    assert(self->phase == SESSION_OPEN && self->stream != NULL);
    self->is_started = true;
    if (UNLIKELY(self->bridge->is_stopping))
        session_on_shutdown(self->stream);
}

static void
session_on_deadline(struct stream *s)
{
    SessionObject *self = s->app;

    if (self == NULL || self->phase != SESSION_OPEN)
        return;
    Py_INCREF(self);
    struct webtransport *wt = s->webtransport;
    self->phase = SESSION_CLOSED;
    (void)!wt->ops->close(wt, 0, slice_of(""));
    session_leave(self);
    Py_DECREF(self);
}

static void
session_on_shut(struct stream *s)
{
    (void)s; /* the protocol ends the session */
}

/* Keeps what has arrived before the end, which can be received after it. */
static void
keep_what_is_left(SessionObject *self, struct webtransport *wt)
{
    PyObject *list = PyList_New(0);

    while (list != NULL) {
        PyObject *message = session_take(self, wt);
        if (message == NULL && !PyErr_Occurred())
            break;
        if (message == NULL || PyList_Append(list, message) < 0)
            Py_CLEAR(list);
        Py_XDECREF(message);
    }
    if (list == NULL || PyList_Reverse(list) < 0)
        PyErr_Clear(); /* there is no memory: what has arrived is lost */
    assert(self->left == NULL);
    self->left = list;
}

static void
session_on_close(struct stream *s, int why)
{
    SessionObject *self = s->app;
    struct webtransport *wt = s->webtransport;

    assert(self->stream == s && s->state == STREAM_CLOSED);
    if (!self->has_ended && wt->is_accepted)
        keep_what_is_left(self, wt);
    if (self->phase == SESSION_OPEN && wt->is_over)
        session_note_end(self, wt);
    self->phase = SESSION_CLOSED;
    s->app = NULL;
    self->stream = NULL;
    call_disconnect((CallObject *)self);
    if (!self->has_ended && (self->is_started || why == ERR_SHUTDOWN))
        orphan_begin((CallObject *)self);
    Py_DECREF(self); /* the stream's */
}

/* The end by the application */

static int
session_refuse(SessionObject *self, uint32_t code)
{
    struct stream *s = self->stream;
    const struct chunk nothing = {.bytes = {"", 0}};
    struct http_response response = {
        .status =
            code >= STATUS_LEAST && code <= STATUS_MOST ? (int)code : STATUS_REFUSED,
    };

    int err = stream_send_head(s, &response);
    if (err == 0)
        err = stream_send_body(s, &nothing, true);
    return err == ERR_AGAIN ? 0 : err;
}

int
session_end(SessionObject *self, uint32_t code, struct slice reason)
{
    struct webtransport *wt = self->stream != NULL ? self->stream->webtransport : NULL;
    const bool is_open = self->phase == SESSION_OPEN;

    if (wt == NULL || self->phase == SESSION_CLOSED)
        return ERR_CLOSED;
    self->has_ended = true;
    self->phase = SESSION_CLOSED;
    Py_INCREF(self);
    int err = is_open ? wt->ops->close(wt, code, reason) : session_refuse(self, code);
    call_disconnect((CallObject *)self);
    Py_DECREF(self);
    return err;
}

/* The call */

static const char *
session_missing(const CallObject *call)
{
    const SessionObject *self = (const SessionObject *)call;

    if (call->is_disconnected || self->phase != SESSION_CONNECTING)
        return NULL;
    return "ASGI application returned without an answer to a WebTransport session";
}

static void
session_finish(CallObject *call, int why)
{
    SessionObject *self = (SessionObject *)call;

    if (self->phase == SESSION_CLOSED)
        return;
    if (self->phase == SESSION_OPEN && why == ERR_APP_INCOMPLETE) {
        (void)!session_end(self, 0, slice_of(""));
        return;
    }
    self->has_ended = true;
    self->phase = SESSION_CLOSED;
    stream_fail(call->stream, why);
}

static unsigned
session_told_code(const CallObject *Py_UNUSED(call))
{
    return 0;
}

static const struct call_kind session_kind = {
    .told_code = session_told_code,
    .missing = session_missing,
    .finish = session_finish,
    .on_body = session_on_body,
    .on_writable = call_on_writable,
    .on_close = session_on_close,
    .on_shut = session_on_shut,
    .on_deadline = session_on_deadline,
    .on_shutdown = session_on_shutdown,
};

SessionObject *
session_new(struct bridge *bridge, struct stream *s)
{
    PyTypeObject *type = bridge->st->SessionType;
    SessionObject *self = (SessionObject *)type->tp_alloc(type, 0);

    if (self == NULL)
        return NULL;
    assert(s->webtransport != NULL);
    call_init((CallObject *)self, &session_kind, bridge, s);
    s->webtransport->handler = &session_handler;
    Py_INCREF(self); /* the stream's */
    return self;
}

static int
session_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(((SessionObject *)op)->left);
    return call_visit((CallObject *)op, visit, arg);
}

static int
session_clear(PyObject *op)
{
    call_clear((CallObject *)op);
    Py_CLEAR(((SessionObject *)op)->left);
    return 0;
}

static void
session_dealloc(PyObject *op)
{
    SessionObject *self = (SessionObject *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject *owner = self->owner;

    assert(self->stream == NULL); /* it has a reference */
    assert(list_is_empty(&self->link) && list_is_empty(&self->orphan));
    PyObject_GC_UnTrack(op);
    (void)session_clear(op);
    Py_CLEAR(self->reason);
    type->tp_free(op);
    Py_DECREF(type);
    Py_XDECREF(owner);
}

static PyType_Slot session_slots[] = {
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_traverse, session_traverse},
    {Py_tp_clear, session_clear},
    {0, NULL},
};

PyType_Spec session_spec = {
    .name = "bolide._engine.WebTransport",
    .basicsize = sizeof(SessionObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = session_slots,
};
