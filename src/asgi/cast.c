/* SPDX-License-Identifier: MIT */
/* asgi/cast.c — see cast.h for the contract. */
#include "asgi/cast.h"

#include <assert.h> /* assert */

/* A long message that is not compressed is lent anyway: reading it twice would cost more
 * than its header does. */
static bool
is_last(const struct cast *cast, const struct ws_deflate_params *params,
        PyObject *message, struct slice bytes)
{
    if (cast->message == message)
        return true;
    if (cast->message == NULL || Py_TYPE(cast->message) != Py_TYPE(message))
        return false;
    return (params->is_on || bytes.len <= CAST_EQUAL_BYTES_MAX) &&
           slice_equal(cast->bytes, bytes);
}

static void
keep(struct cast *cast, PyObject *message, struct slice bytes)
{
    cast_clear(cast);
    if (bytes.len < CAST_BYTES_MIN || bytes.len > CAST_BYTES_MAX)
        return;
    cast->message = Py_NewRef(message);
    cast->bytes = bytes;
}

struct ws_packet *
cast_find(struct cast *cast, struct ws_shared *shared,
          const struct ws_deflate_params *params, PyObject *message, struct slice bytes)
{
    enum ws_opcode kind = PyUnicode_Check(message) ? WS_TEXT : WS_BINARY;
    struct ws_packet **packet = &cast->packets[params->is_on ? params->server_bits : 0];

    assert(PyUnicode_CheckExact(message) || PyBytes_CheckExact(message));
    assert(!params->is_on ||
           (params->server_bits >= WS_BITS_MIN && params->server_bits <= WS_BITS_MAX));
    if (bytes.len < CAST_BYTES_MIN || params->server_takeover)
        return NULL;
    if (!is_last(cast, params, message, bytes)) {
        keep(cast, message, bytes);
        return NULL;
    }
    if (*packet == NULL && ws_packet_new(shared, params, kind, bytes, packet) != 0)
        return NULL;
    return *packet;
}

void
cast_clear(struct cast *cast)
{
    Py_CLEAR(cast->message);
    for (int i = 0; i < CAST_PACKETS; i++) {
        ws_packet_unref(cast->packets[i]);
        cast->packets[i] = NULL;
    }
}
