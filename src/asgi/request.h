/* SPDX-License-Identifier: MIT */
/* asgi/request.h — one exchange as Python sees it, and the only owner of its Python
 * references.  receive() and send() each hold one; it holds neither of them. */
#ifndef ASGI_REQUEST_H
#define ASGI_REQUEST_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/host.h"    /* struct host */
#include "asgi/waiters.h" /* struct waiters */
#include "base/list.h"    /* struct list_node */
#include "http/stream.h"  /* struct stream */

typedef struct {
    PyObject_HEAD
    struct host *host;     /* borrowed from `owner` */
    PyObject *owner;       /* the Server object */
    struct stream *stream; /* borrowed; NULL once on_close was called */
    struct list_node link; /* in host->running until the application's call has ended;
                              the list owns a reference, which is what keeps a call that
                              waits alive: its Task and it hold only each other */
    PyObject *task;        /* the Task of the call, while it runs; NULL before its first
                              step has returned */
    PyObject *pending;     /* bytes that came for a receive(), or NULL */
    struct waiters readers; /* receive() calls that wait for `pending` or the end */
    struct waiters writers; /* send() calls that wait for the peer to read */

    bool pending_last;    /* the body ends with `pending` */
    bool body_delivered;  /* receive() has given the last http.request */
    bool is_started;      /* http.response.start was accepted */
    bool is_complete;     /* the last http.response.body was accepted */
    bool is_disconnected; /* the exchange ended before that */
    bool is_blocked;      /* send() has to wait for on_writable */
} RequestObject;

extern PyType_Spec request_spec;

/* A request for `s`, which borrows it as s->app until either ends.  New reference, or
 * NULL with an exception. */
RequestObject *request_new(struct host *host, struct stream *s);

/* Marks the response complete and lets those who wait in receive() know (ASGI E14). */
void request_complete(RequestObject *request);

/* The exchange is over or about to be: marks the request disconnected unless its
 * response is complete, and wakes everyone who waits. */
void request_disconnect(RequestObject *request);

/* The application's call has ended: drops the Task and answers in its place when the
 * response is not complete, with `why` for the engine (ERR_APP_FAILED or
 * ERR_APP_INCOMPLETE). */
void request_end(RequestObject *request, int why);

/* Takes the request out of host->running and drops the list's reference; the caller has
 * one of its own. */
void request_leave(RequestObject *request);

/* stream_handler callbacks; see http/stream.h. */
void request_on_body(struct stream *s, struct slice bytes, bool last);
void request_on_writable(struct stream *s);
void request_on_close(struct stream *s, int why);

#endif
