/* SPDX-License-Identifier: MIT */
/* asgi/websocket/broadcast.c — see broadcast.h for the contract. */
#include "asgi/websocket/broadcast.h"

#include <assert.h> /* assert */

/* A long message that is not compressed is lent anyway: reading it twice would cost
 * more than creating its header. */
static bool
is_last(const struct broadcast *broadcast, const struct ws_deflate_params *params,
        PyObject *message, struct slice bytes)
{
    if (broadcast->message == message)
        return true;
    if (broadcast->message == NULL || Py_TYPE(broadcast->message) != Py_TYPE(message))
        return false;
    return (params->is_on || bytes.len <= BROADCAST_EQUAL_BYTES_MAX) &&
           slice_equal(broadcast->bytes, bytes);
}

static void
broadcast_keep(struct broadcast *broadcast, PyObject *message, struct slice bytes)
{
    broadcast_clear(broadcast);
    if (bytes.len < BROADCAST_BYTES_MIN || bytes.len > BROADCAST_BYTES_MAX)
        return;
    broadcast->message = Py_NewRef(message);
    broadcast->bytes = bytes;
}

struct ws_packet *
broadcast_find(struct broadcast *broadcast, struct ws_shared *shared,
               const struct ws_deflate_params *params, PyObject *message,
               struct slice bytes)
{
    enum ws_opcode kind = PyUnicode_Check(message) ? WS_TEXT : WS_BINARY;
    struct ws_packet **packet =
        &broadcast->packets[params->is_on ? params->server_bits : 0];

    assert(PyUnicode_CheckExact(message) || PyBytes_CheckExact(message));
    assert(!params->is_on ||
           (params->server_bits >= WS_BITS_MIN && params->server_bits <= WS_BITS_MAX));
    if (bytes.len < BROADCAST_BYTES_MIN || params->server_takeover)
        return NULL;
    if (!is_last(broadcast, params, message, bytes)) {
        broadcast_keep(broadcast, message, bytes);
        return NULL;
    }
    if (*packet == NULL && ws_packet_new(shared, params, kind, bytes, packet) != 0)
        return NULL;
    return *packet;
}

void
broadcast_clear(struct broadcast *broadcast)
{
    Py_CLEAR(broadcast->message);
    for (int i = 0; i < BROADCAST_PACKETS; i++) {
        ws_packet_unref(broadcast->packets[i]);
        broadcast->packets[i] = NULL;
    }
}
