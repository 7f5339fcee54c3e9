/* SPDX-License-Identifier: MIT */
/* asgi/dict.h — sets items of the dicts that applications get. */
#ifndef ASGI_DICT_H
#define ASGI_DICT_H

#include <Python.h>

#include "base/compiler.h" /* MUST_USE */

/* Sets `key` to `value`, a new reference that is stolen; NULL passes its exception on.
 * Returns 0, or -1 with an exception. */
MUST_USE static inline int
dict_set_new(PyObject *dict, PyObject *key, PyObject *value)
{
    if (value == NULL)
        return -1;
    int result = PyDict_SetItem(dict, key, value);
    Py_DECREF(value);
    return result;
}

#endif
