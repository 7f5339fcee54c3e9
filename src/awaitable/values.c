/* SPDX-License-Identifier: MIT */
/* awaitable/values.c — the result, and the values that callbacks store between
 * awaits. */
#include "object.h"

#include <stdarg.h>

/* Returns the object that holds the values of `aw`: for the body of an AsyncWith()
 * the awaitable around it. */
static AwaitableObject *
values_holder(PyObject *aw)
{
    AwaitableObject *self = pyawaitable_cast(aw);
    while (self != NULL && self->owner != NULL)
        self = self->owner;
    return self;
}

/* Makes room for `n` more. */
static int
values_reserve(struct values *v, Py_ssize_t n)
{
    if (n < 1) {
        PyErr_SetString(PyExc_ValueError, "at least one value is saved at a time");
        return -1;
    }
    if (n <= v->cap - v->len)
        return 0;
    if (n > PY_SSIZE_T_MAX / 2 / (Py_ssize_t)sizeof(void *) - v->cap) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t cap = v->cap * 2 > v->len + n ? v->cap * 2 : v->len + n;
    void **at = PyMem_New(void *, (size_t)cap);
    if (at == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(at, v->at, (size_t)v->len * sizeof *at);
    if (v->at != v->few)
        PyMem_Free(v->at);
    v->at = at;
    v->cap = cap;
    return 0;
}

static int
values_check_index(const struct values *v, Py_ssize_t i)
{
    if (i >= 0 && i < v->len)
        return 0;
    PyErr_Format(PyExc_IndexError, "value %zd of a PyAwaitable that has %zd", i,
                 v->len);
    return -1;
}

static int
values_unpack(const struct values *v, va_list args)
{
    if (v->len == 0) {
        PyErr_SetString(PyExc_RuntimeError, "the PyAwaitable has no values");
        return -1;
    }
    for (Py_ssize_t i = 0; i < v->len; i++) {
        void **out = va_arg(args, void **);
        if (out != NULL)
            *out = v->at[i];
    }
    return 0;
}

int
PyAwaitable_SaveValues(PyObject *aw, Py_ssize_t n, ...)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL || values_reserve(&self->values, n) < 0)
        return -1;
    struct values *v = &self->values;
    va_list args;
    va_start(args, n);
    Py_ssize_t i = 0;
    for (; i < n; i++) {
        PyObject *value = va_arg(args, PyObject *);
        if (value == NULL)
            break;
        v->at[v->len + i] = value;
    }
    va_end(args);
    if (i < n) {
        PyErr_Format(PyExc_ValueError, "value %zd to save is NULL", i);
        return -1;
    }
    for (i = 0; i < n; i++)
        Py_INCREF((PyObject *)v->at[v->len + i]);
    v->len += n;
    return 0;
}

int
PyAwaitable_UnpackValues(PyObject *aw, ...)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL)
        return -1;
    va_list args;
    va_start(args, aw);
    int unpacked = values_unpack(&self->values, args);
    va_end(args);
    return unpacked;
}

int
PyAwaitable_SetValue(PyObject *aw, Py_ssize_t i, PyObject *value)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL || values_check_index(&self->values, i) < 0)
        return -1;
    if (value == NULL) {
        PyErr_SetString(PyExc_ValueError, "the value to set is NULL");
        return -1;
    }
    PyObject *old = (PyObject *)self->values.at[i];
    self->values.at[i] = Py_NewRef(value);
    Py_DECREF(old);
    return 0;
}

PyObject *
PyAwaitable_GetValue(PyObject *aw, Py_ssize_t i)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL || values_check_index(&self->values, i) < 0)
        return NULL;
    return (PyObject *)self->values.at[i];
}

int
PyAwaitable_SaveArbValues(PyObject *aw, Py_ssize_t n, ...)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL || values_reserve(&self->arb, n) < 0)
        return -1;
    va_list args;
    va_start(args, n);
    for (Py_ssize_t i = 0; i < n; i++)
        self->arb.at[self->arb.len++] = va_arg(args, void *);
    va_end(args);
    return 0;
}

int
PyAwaitable_UnpackArbValues(PyObject *aw, ...)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL)
        return -1;
    va_list args;
    va_start(args, aw);
    int unpacked = values_unpack(&self->arb, args);
    va_end(args);
    return unpacked;
}

int
PyAwaitable_SetArbValue(PyObject *aw, Py_ssize_t i, void *value)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL || values_check_index(&self->arb, i) < 0)
        return -1;
    self->arb.at[i] = value;
    return 0;
}

void *
PyAwaitable_GetArbValue(PyObject *aw, Py_ssize_t i)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL || values_check_index(&self->arb, i) < 0)
        return NULL;
    return self->arb.at[i];
}

int
PyAwaitable_SetResult(PyObject *aw, PyObject *result)
{
    AwaitableObject *self = values_holder(aw);
    if (self == NULL)
        return -1;
    if (result == NULL) {
        PyErr_SetString(PyExc_ValueError, "the result is NULL");
        return -1;
    }
    if (self->phase == PHASE_FINISHED) {
        PyErr_SetString(PyExc_RuntimeError, "the PyAwaitable has finished");
        return -1;
    }
    Py_XSETREF(self->result, Py_NewRef(result));
    return 0;
}
