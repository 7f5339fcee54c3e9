/* SPDX-License-Identifier: MIT */
/* asgi/scope.h — the scope dict that describes a request to the application (ASGI
 * B). */
#ifndef ASGI_SCOPE_H
#define ASGI_SCOPE_H

#include <Python.h>

#include "asgi/bridge.h" /* struct bridge */
#include "http/head.h"   /* struct http_head */
#include "http/peer.h"   /* struct peer */

/* Creates the scope of the request `head` from `peer`. Returns a new reference, or
 * NULL with an exception. The dicts and the list in it belong to this request alone
 * (ASGI A4, D13). */
PyObject *scope_new(struct bridge *bridge, struct peer *peer,
                    const struct http_head *head);

/* Creates the scope of a WebSocket in the same way (ASGI F4, F7). */
PyObject *scope_new_websocket(struct bridge *bridge, struct peer *peer,
                              const struct http_head *head);

/* Drops what scope_new() has cached at a connection or at a listener. Called as
 * stream_handler.on_peer_gone and on_endpoint_gone. */
void scope_drop_peer(struct peer *peer);
void scope_drop_endpoint(struct endpoint *endpoint);

/* The same for a session of WebTransport (docs/WEBTRANSPORT.md). */
PyObject *scope_new_webtransport(struct bridge *bridge, struct peer *peer,
                                 const struct http_head *head);

#endif
