/* SPDX-License-Identifier: MIT */
/* asgi/orphan.h — calls of the application that run for nobody: the response has begun,
 * is not complete, and can neither be sent nor asked about any more.  Such a call is told
 * by receive() and send(); if it still runs after host->disconnect_ms, its Task is
 * cancelled (the table "A client that leaves" of docs/ASGI.md says when). */
#ifndef ASGI_ORPHAN_H
#define ASGI_ORPHAN_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

/* `call` has nothing left to wait for.  Its Task is cancelled in host->disconnect_ms, and
 * again after twice that time, four times, ... as long as it goes on.  Does nothing when
 * the application's call has ended, when it is an orphan already, or when disconnect_ms is
 * 0.  Runs no code of an application; keeps an exception that is set. */
void orphan_begin(CallObject *call);

/* The application has just been given something to work on: the time begins anew.  Does
 * nothing when `call` is no orphan, or was cancelled before. */
void orphan_renew(CallObject *call);

/* `call` is not to be cancelled any more; does nothing when it is no orphan. */
void orphan_end(CallObject *call);

#endif
