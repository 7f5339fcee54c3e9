/* SPDX-License-Identifier: MIT */
/* asgi/scope_tls.h — the "tls" among a scope's extensions (ASGI G29). */
#ifndef ASGI_SCOPE_TLS_H
#define ASGI_SCOPE_TLS_H

#include <Python.h>

#include "asgi/bridge.h" /* struct bridge */
#include "http/peer.h"   /* struct peer */

/* Returns a new reference to a dict that the application may change; `peer` uses
 * TLS. NULL with an exception. */
PyObject *scope_tls(struct bridge *bridge, struct peer *peer);

#endif
