/* SPDX-License-Identifier: MIT */
/* asgi/raise.h — converts the engine's errors to Python exceptions, and determines
 * what an exception from an application means. No other file converts between the
 * two. */
#ifndef ASGI_RAISE_H
#define ASGI_RAISE_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/state.h"    /* module_state */
#include "base/compiler.h" /* UNLIKELY */

/* Sets the exception for `err`, a negative enum err, and returns NULL:
 *   MemoryError         ERR_NOMEM
 *   ClientDisconnected  the exchange is over (ASGI E10)
 *   ValueError          a response head that may not be sent
 *   OSError             the operating system failed
 *   RuntimeError        anything else */
PyObject *raise_err(module_state *st, int err);

/* Raises what a throw() method was given: throw(exc), or the older throw(type,
 * value, traceback). Returns NULL. */
PyObject *raise_thrown(PyObject *args);

/* Raises StopIteration with `value`, which it steals, to end a coroutine. */
void raise_return(PyObject *value);

/* Reports an exception that was set before a Task entered the engine, if there is one,
 * to sys.unraisablehook. What the engine returns would otherwise be taken for an error.
 * Without memory, asyncio of CPython 3.13.0 overlooks that it could not make the Task
 * the current one, and takes the Task's step with MemoryError set. Each function that
 * can be the first one of a step calls this first. */
static inline void
raise_report_stray(void)
{
    if (UNLIKELY(PyErr_Occurred() != NULL))
        PyErr_WriteUnraisable(NULL);
}

/* Removes the exception that is set from the thread, with its traceback, and returns
 * it: new reference, NULL if none is set. */
PyObject *raise_take(void);

/* Sets `exc` again; steals it. NULL clears the exception. */
void raise_again(PyObject *exc);

/* Returns whether `exc` means only that the client has disconnected:
 * ClientDisconnected itself, an application's class that was raised while a
 * ClientDisconnected was handled (Starlette's ClientDisconnect), or a group of only
 * these. A built-in exception such as AttributeError in a handler is a bug and does
 * not count. Sets no exception. `code` is that of the websocket.disconnect that the
 * application was given, or 0: an application's exception with this `code` attribute
 * (Starlette's WebSocketDisconnect) counts too. */
bool raise_is_disconnect(module_state *st, PyObject *exc, unsigned code);

/* Returns whether `exc` must leave the event loop: KeyboardInterrupt or SystemExit. */
bool raise_is_exit(PyObject *exc);

#endif
