/* SPDX-License-Identifier: MIT */
/* asgi/call.h — one call of the application: the common part of an HTTP request and
 * a WebSocket. receive() and send() each hold a reference to it; it holds none to
 * them. */
#ifndef ASGI_CALL_H
#define ASGI_CALL_H

#include <Python.h>

#include <assert.h>  /* assert */
#include <stdbool.h> /* bool */

#include "asgi/bridge.h"  /* struct bridge */
#include "asgi/waiters.h" /* struct waiters */
#include "base/clock.h"   /* clock_lend */
#include "base/list.h"    /* struct list_node */
#include "http/stream.h"  /* struct stream */

struct call_kind;

/* The first members of each kind of call.
 *   owner  the Server object
 *   stream borrowed; NULL after on_close was called
 *   link   in bridge->running until the application's call has ended; the list owns a
 *          reference, which keeps a waiting call alive: otherwise it and its Task would
 *          refer only to each other
 *   task   the Task of the call, while it runs; NULL before its first step has returned
 *   orphan in bridge->orphans while it is an orphan that will be cancelled (orphan.c);
 *          only a call that is in bridge->running can be one
 *   readers, writers  receive() calls that wait for a message, send() calls that
 *          wait for the peer to read */
#define CALL_HEAD                                                                      \
    PyObject_HEAD                                                                      \
    const struct call_kind *kind;                                                      \
    struct bridge *bridge; /* borrowed from `owner` */                                 \
    PyObject *owner;                                                                   \
    struct stream *stream;                                                             \
    struct list_node link;                                                             \
    struct list_node orphan;                                                           \
    uint64_t orphan_due_ns; /* when its Task is cancelled, by clock_now_ns() */        \
    PyObject *task;                                                                    \
    struct waiters readers;                                                            \
    struct waiters writers;                                                            \
    PyObject *trailers; /* list, held back by more_trailers, or NULL */                \
    bool is_started;    /* http.response.start, or its equivalent, was accepted */     \
    bool is_complete;   /* the last http.response.body, or its equivalent, was too */  \
    bool is_disconnected; /* the exchange ended before that */                         \
    bool is_blocked;      /* send() must wait for on_writable */                       \
    uint8_t ncancels;     /* how often its Task was cancelled as an orphan */

typedef struct {
    CALL_HEAD
} CallObject;

/* What differs. */
struct call_kind {
    /* Called when the application's call has returned without an exception: returns
     * what is missing, to be logged, or NULL. */
    const char *(*missing)(const CallObject *call);

    /* Returns the code of the websocket.disconnect that receive() has returned; 0:
     * none. */
    unsigned (*told_code)(const CallObject *call);

    /* Called when the application's call has ended: responds in its place if a
     * response is still due. `why` is ERR_APP_FAILED or ERR_APP_INCOMPLETE.
     * call->stream is not NULL. */
    void (*finish)(CallObject *call, int why);

    /* stream_handler callbacks while s->app is this call; see http/stream.h. */
    void (*on_body)(struct stream *s, struct slice bytes, bool last);
    void (*on_writable)(struct stream *s);
    void (*on_close)(struct stream *s, int why);
    /* ... of tunnels; NULL if there are none, on_budget also if it is not needed */
    void (*on_shut)(struct stream *s);
    void (*on_deadline)(struct stream *s);
    void (*on_budget)(struct stream *s);
    void (*on_shutdown)(struct stream *s);
};

/* Calls `event`, from the engine, for the call's stream: the clock is lent to it. */
static inline void
call_event(CallObject *call, void (*event)(struct stream *s))
{
    struct clock *clock = call->bridge->clock;
    uint8_t before = clock_lend(clock);

    assert(PyGILState_Check() && !PyErr_Occurred() && call->stream != NULL);
    event(call->stream);
    clock_take_back(clock, before);
}

/* Initializes the head of an object whose memory after PyObject_HEAD is zeroed, for
 * `s`, which borrows it as s->app until either ends; adds it to bridge->running. */
void call_init(CallObject *call, const struct call_kind *kind, struct bridge *bridge,
               struct stream *s);

/* Visits the references of the head. */
int call_visit(CallObject *call, visitproc visit, void *arg);

/* Drops the references of the head except the owner, which stays until the end: it
 * keeps the bridge alive, and with it the free lists. */
void call_clear(CallObject *call);

/* Called when the exchange has ended or is about to: marks the call as disconnected
 * unless its response is complete, and wakes all waiters. */
void call_disconnect(CallObject *call);

/* Called when the exchange has ended for `why` and `call->stream` is NULL:
 * disconnects the call. Makes it an orphan if its response has begun and is not
 * complete, or if the stop of the server has ended it. */
void call_lose(CallObject *call, int why);

/* The on_writable and on_close callbacks of most kinds. */
void call_on_writable(struct stream *s);
void call_on_close(struct stream *s, int why);

/* Called when the response is complete: wakes the calls that wait in receive() (ASGI
 * E14). */
void call_complete(CallObject *call);

/* Called when the application's call has ended: drops the Task and responds in its
 * place if a response is still due, with `why` for the engine (ERR_APP_FAILED or
 * ERR_APP_INCOMPLETE). */
void call_end(CallObject *call, int why);

/* Removes the call from bridge->running and drops the list's reference; the caller
 * holds another one. */
void call_leave(CallObject *call);

/* An orphan (orphan.c) is a call of the application that serves no client any more:
 * its response has begun, is not complete, and can neither be sent nor requested.
 * receive() and send() report this to the call. If it still runs after
 * bridge->disconnect_ms, its Task is cancelled (see the table "A client that leaves"
 * in docs/ASGI.md). */

/* Makes `call`, which has nothing left to wait for, an orphan. Its Task is cancelled
 * after bridge->disconnect_ms, and again after twice that time, four times that
 * time, and so on, for as long as it runs. Does nothing if the application's call
 * has ended, if it is an orphan already, or if disconnect_ms is 0. Runs no code of
 * an application; keeps an exception that is set. */
void orphan_begin(CallObject *call);

/* Called when the application has just received something to process: restarts the
 * time. Does nothing if `call` is not an orphan, or was cancelled before. */
void orphan_renew(CallObject *call);

/* Makes `call` an ordinary call again, which is not cancelled; does nothing if it is
 * not an orphan. */
void orphan_end(CallObject *call);

#endif
