/* SPDX-License-Identifier: MIT */
/* asgi/call.h — one call of the application: what an HTTP request and a WebSocket have in
 * common.  receive() and send() each hold one; it holds neither of them. */
#ifndef ASGI_CALL_H
#define ASGI_CALL_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/host.h"    /* struct host */
#include "asgi/waiters.h" /* struct waiters */
#include "base/list.h"    /* struct list_node */
#include "http/stream.h"  /* struct stream */

struct call_kind;

/* The first members of each kind of call.
 *   owner  the Server object
 *   stream borrowed; NULL once on_close was called
 *   link   in host->running until the application's call has ended; the list owns a
 *          reference, which is what keeps a call that waits alive: its Task and it hold
 *          only each other
 *   task   the Task of the call, while it runs; NULL before its first step has returned
 *   orphan in host->orphans while it is to be cancelled soon (asgi/orphan.h); only a call
 *          that is in host->running is there
 *   readers, writers  receive() calls that wait for something to come, send() calls that
 *          wait for the peer to read */
#define CALL_HEAD                                                                      \
    PyObject_HEAD                                                                      \
    const struct call_kind *kind;                                                      \
    struct host *host; /* borrowed from `owner` */                                     \
    PyObject *owner;                                                                   \
    struct stream *stream;                                                             \
    struct list_node link;                                                             \
    struct list_node orphan;                                                           \
    uint64_t orphan_due_ns; /* when its Task is cancelled, by clock_now_ns */          \
    PyObject *task;                                                                    \
    struct waiters readers;                                                            \
    struct waiters writers;                                                            \
    PyObject *trailers;   /* list of those that more_trailers held back, or NULL */    \
    bool is_started;      /* http.response.start, or its like, was accepted */         \
    bool is_complete;     /* the last http.response.body, or its like, was */          \
    bool is_disconnected; /* the exchange ended before that */                         \
    bool is_blocked;      /* send() has to wait for on_writable */                     \
    uint8_t ncancels;     /* how often its Task was cancelled as an orphan */

typedef struct {
    CALL_HEAD
} CallObject;

/* What differs. */
struct call_kind {
    /* The application's call has returned without an exception: what there is to
     * complain of, or NULL. */
    const char *(*missing)(const CallObject *call);

    /* The code of the websocket.disconnect that receive() has given; 0: none. */
    unsigned (*told_code)(const CallObject *call);

    /* The application's call has ended: answers in its place where an answer is owed.
     * `why` is ERR_APP_FAILED or ERR_APP_INCOMPLETE.  call->stream is not NULL. */
    void (*finish)(CallObject *call, int why);

    /* stream_handler callbacks while s->app is the call; see http/stream.h. */
    void (*on_body)(struct stream *s, struct slice bytes, bool last);
    void (*on_writable)(struct stream *s);
    void (*on_close)(struct stream *s, int why);
};

/* Fills the head of an object whose memory behind PyObject_HEAD is zeroed, for `s`, which
 * borrows it as s->app until either ends; puts it into host->running. */
void call_init(CallObject *call, const struct call_kind *kind, struct host *host,
               struct stream *s);

/* Visits what the head refers to. */
int call_visit(CallObject *call, visitproc visit, void *arg);

/* Drops it; the owner stays until the end: it keeps the host, and with it the free
 * lists. */
void call_clear(CallObject *call);

/* The exchange is over or about to be: marks the call disconnected unless its response is
 * complete, and wakes everyone who waits. */
void call_disconnect(CallObject *call);

/* The exchange has ended for `why`, and `call->stream` is NULL: disconnects the call, and
 * makes it an orphan where its response has begun and is not complete, or where the stop of
 * the server has ended it. */
void call_lose(CallObject *call, int why);

/* What on_writable and on_close of most kinds are. */
void call_on_writable(struct stream *s);
void call_on_close(struct stream *s, int why);

/* The response is complete: lets those who wait in receive() know (ASGI E14). */
void call_complete(CallObject *call);

/* The application's call has ended: drops the Task and answers in its place where that is
 * owed, with `why` for the engine (ERR_APP_FAILED or ERR_APP_INCOMPLETE). */
void call_end(CallObject *call, int why);

/* Takes the call out of host->running and drops the list's reference; the caller has one
 * of its own. */
void call_leave(CallObject *call);

#endif
