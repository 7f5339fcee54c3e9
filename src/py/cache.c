/* SPDX-License-Identifier: MIT */
/* py/cache.c — see cache.h for the contract. */
#include "py/cache.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "cache/store.h"

PyObject *
pycache_format(PyObject *Py_UNUSED(module), PyObject *memory)
{
    Py_buffer view;

    if (PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE) < 0)
        return NULL;
    assert(view.len >= 0);
    bool is_aligned = (uintptr_t)view.buf % STORE_ALIGNMENT == 0;
    int err = is_aligned ? store_format(view.buf, (size_t)view.len) : 0;
    PyBuffer_Release(&view);
    if (!is_aligned) {
        PyErr_Format(PyExc_ValueError, "the cache must be aligned to %u bytes",
                     STORE_ALIGNMENT);
        return NULL;
    }
    if (err == 0)
        Py_RETURN_NONE;
    if (err == ERR_NOMEM)
        PyErr_Format(PyExc_ValueError, "the cache takes at least %u bytes",
                     STORE_BYTES_MIN);
    else
        PyErr_SetString(PyExc_OSError, "the cache cannot be formatted");
    return NULL;
}
