/* SPDX-License-Identifier: MIT */
/* asgi/describe.h — how the log describes the request to which a failure of the
 * application belongs. */
#ifndef ASGI_DESCRIBE_H
#define ASGI_DESCRIBE_H

#include <Python.h>

#include "asgi/state.h" /* module_state */

/* Maximum number of characters of a path and of a request id that are kept. */
#define DESCRIBE_PATH_MAX 512
#define DESCRIBE_ID_MAX 128

/* Returns `message`, a colon and the request of `scope`: "GET /boom from
 * 127.0.0.1:51828", followed by "(request id abc)" if there is an X-Request-ID; a
 * WebSocket has "WebSocket" for a method. The path is the one that was sent, without
 * its query. The application may have changed the scope: values of another type are
 * left out. No exception may be set. Returns a new reference to a str; NULL with
 * MemoryError. */
PyObject *describe_request(module_state *st, const char *message, PyObject *scope);

#endif
