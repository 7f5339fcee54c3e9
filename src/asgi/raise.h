/* SPDX-License-Identifier: MIT */
/* asgi/raise.h — the engine's errors as Python exceptions, and the other way round:
 * what an exception out of an application means.  Nothing else translates between the
 * two. */
#ifndef ASGI_RAISE_H
#define ASGI_RAISE_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/state.h" /* module_state */

/* Sets the exception for `err`, a negative enum err, and returns NULL:
 *   MemoryError         ERR_NOMEM
 *   ClientDisconnected  the exchange is over (ASGI E10)
 *   ValueError          a response head that may not be sent
 *   OSError             the machine refused
 *   RuntimeError        anything else */
PyObject *raise_err(module_state *st, int err);

/* Raises what a throw() method was given: throw(exc), or the older throw(type, value,
 * traceback).  Returns NULL. */
PyObject *raise_thrown(PyObject *args);

/* Raises StopIteration with `value`, which it steals: the end of a coroutine. */
void raise_return(PyObject *value);

/* Takes the exception that is set off the thread, with its traceback: new reference,
 * NULL when none is set. */
PyObject *raise_take(void);

/* Sets `exc` again; steals it.  NULL clears. */
void raise_again(PyObject *exc);

/* Whether `exc` says no more than that the client has gone: ClientDisconnected itself,
 * a class of an application's own that was raised while one was handled (Starlette's
 * ClientDisconnect), or a group of nothing else.  A built-in exception such as
 * AttributeError in a handler is a bug and is none.  Sets no exception.  `code`: that of the
 * websocket.disconnect that the application was given, or 0: an exception of its own that
 * carries it as `code` (Starlette's WebSocketDisconnect) says the same. */
bool raise_is_disconnect(module_state *st, PyObject *exc, unsigned code);

/* Whether `exc` must leave the event loop: KeyboardInterrupt or SystemExit. */
bool raise_is_exit(PyObject *exc);

#endif
