/* SPDX-License-Identifier: MIT */
/* asgi/scope.h — the scope dict that tells an application of its request (ASGI B). */
#ifndef ASGI_SCOPE_H
#define ASGI_SCOPE_H

#include <Python.h>

#include "asgi/host.h" /* struct host */
#include "http/head.h" /* struct http_head */
#include "http/peer.h" /* struct peer */

/* The scope of the request `head` from `peer`: new reference, or NULL with an
 * exception. The dicts and the list in it belong to this request alone (ASGI A4, D13).
 */
PyObject *scope_new(struct host *host, struct peer *peer, const struct http_head *head);

/* The scope of a WebSocket, likewise (ASGI F4, F7). */
PyObject *scope_new_websocket(struct host *host, struct peer *peer,
                              const struct http_head *head);

/* Drops what scope_new has cached at a connection and at a listener;
 * stream_handler.on_peer_gone and on_endpoint_gone. */
void scope_drop_peer(struct peer *peer);
void scope_drop_endpoint(struct endpoint *endpoint);

#endif
