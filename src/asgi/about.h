/* SPDX-License-Identifier: MIT */
/* asgi/about.h — what the log says of the request that an application's failure belongs
 * to. */
#ifndef ASGI_ABOUT_H
#define ASGI_ABOUT_H

#include <Python.h>

#include "asgi/state.h" /* module_state */

/* Characters of a path and of a request id that are kept. */
#define ABOUT_PATH_MAX 512
#define ABOUT_ID_MAX 128

/* `message`, a colon and the request of `scope`: "GET /boom from 127.0.0.1:51828", with
 * "(request id abc)" behind where there is an X-Request-ID; "WebSocket" for a method.  The
 * path is the one that was sent, without its query.  The application may have changed the
 * scope: what is of another type there is left out.  No exception may be set.  New
 * reference to a str; NULL with MemoryError. */
PyObject *about_request(module_state *st, const char *message, PyObject *scope);

#endif
