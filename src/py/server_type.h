/* SPDX-License-Identifier: MIT */
/* py/server_type.h — the Server object: one application served on one event loop. It
 * connects the engine (server/) to the application's side (asgi/) and to the loop
 * (loop.h). */
#ifndef PY_SERVER_TYPE_H
#define PY_SERVER_TYPE_H

#include <Python.h>

extern PyType_Spec server_spec;

#endif
