/* SPDX-License-Identifier: MIT */
/* py/tally.c — see tally.h for the contract. */
#include "py/tally.h"

#include <assert.h> /* assert */
#include <math.h>   /* HUGE_VAL */

#include "base/slice.h"
#include "http/tally.h"
#include "builtin/history.h"

static PyObject *
names(void)
{
    PyObject *list = PyTuple_New(TALLY_END);

    for (unsigned i = 0; list != NULL && i < TALLY_END; i++) {
        PyObject *name = i < TALLY_BUCKET
                             ? PyUnicode_FromString(tally_name(i))
                             : PyUnicode_FromFormat("latency_%u", i - TALLY_BUCKET);
        if (name == NULL)
            Py_CLEAR(list);
        else
            PyTuple_SET_ITEM(list, i, name);
    }
    return list;
}

static PyObject *
bounds(void)
{
    PyObject *list = PyTuple_New(TALLY_BUCKETS);

    for (unsigned i = 0; list != NULL && i < TALLY_BUCKETS; i++) {
        uint64_t ns = tally_bucket_end_ns(i);
        PyObject *end =
            PyFloat_FromDouble(ns == UINT64_MAX ? HUGE_VAL : (double)ns / 1e9);
        if (end == NULL)
            Py_CLEAR(list);
        else
            PyTuple_SET_ITEM(list, i, end);
    }
    return list;
}

/* Steals `value`; NULL means that creating it failed. */
static int
pytally_add(PyObject *module, const char *name, PyObject *value)
{
    int result = PyModule_AddObjectRef(module, name, value);

    Py_XDECREF(value);
    return result;
}

int
tally_describe(PyObject *module)
{
    if (pytally_add(module, "TALLY_NAMES", names()) < 0 ||
        pytally_add(module, "TALLY_BOUNDS", bounds()) < 0 ||
        PyModule_AddIntConstant(module, "TALLY_STATE", TALLY_FIRST_COUNTER) < 0)
        return -1;
    if (PyModule_AddIntConstant(module, "TALLY_BYTES", sizeof(struct tally)) < 0 ||
        PyModule_AddIntConstant(module, "HISTORY_BYTES", sizeof(struct history)) < 0)
        return -1;
    return PyModule_AddIntConstant(module, "HISTORY_DEATHS",
                                   offsetof(struct history, deaths));
}
