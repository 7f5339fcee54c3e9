/* SPDX-License-Identifier: MIT */
/* py/early.c — see early.h for the contract. */
#include "py/early.h"

#ifdef HAVE_HTTP3
#include "quic/early_tickets.h"
#include "quic/handshake.h"

static size_t
bytes_needed(void)
{
    return quic_handshake_has_early_data() ? sizeof(struct early_tickets) : 0;
}
#else
static size_t
bytes_needed(void)
{
    return 0;
}
#endif

int
early_describe(PyObject *module)
{
    return PyModule_AddIntConstant(module, "EARLY_TICKETS_BYTES", (long)bytes_needed());
}

int
early_take(struct early_tickets **out, const Py_buffer *given)
{
    const size_t needed = bytes_needed();

    *out = given->buf;
    if (given->buf == NULL || (needed > 0 && (size_t)given->len >= needed))
        return 0;
    PyErr_SetString(PyExc_ValueError, needed == 0 ? "this build has no early data"
                                                  : "early_tickets is too short");
    return -1;
}
