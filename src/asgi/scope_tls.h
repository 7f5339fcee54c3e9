/* SPDX-License-Identifier: MIT */
/* asgi/scope_tls.h — the "tls" among a scope's extensions (ASGI G29). */
#ifndef ASGI_SCOPE_TLS_H
#define ASGI_SCOPE_TLS_H

#include <Python.h>

#include "asgi/host.h" /* struct host */
#include "http/peer.h" /* struct peer */

/* New reference: a dict that the application may change; `peer` is one over TLS.  NULL
 * with an exception. */
PyObject *scope_tls(struct host *host, struct peer *peer);

#endif
