/* SPDX-License-Identifier: MIT */
/* awaitable_bench.c — C functions that await, for bench.py.  It is compiled twice, with
 * the header of this project and with that of the package of the same API: the names
 * are the same. */
#include <Python.h>
#include <pyawaitable.h>

#ifndef BENCH_NAME
#define BENCH_NAME awaitable_bench
#endif
#define BENCH_GLUE2(a, b) a##b
#define BENCH_GLUE(a, b) BENCH_GLUE2(a, b)
#define BENCH_TEXT2(a) #a
#define BENCH_TEXT(a) BENCH_TEXT2(a)

static int
on_result(PyObject *aw, PyObject *result)
{
    return PyAwaitable_SetResult(aw, result);
}

static int
on_error(PyObject *aw, PyObject *exc)
{
    (void)aw;
    (void)exc;
    return -1;
}

static PyObject *
bench_empty(PyObject *mod, PyObject *unused)
{
    (void)mod;
    (void)unused;
    return PyAwaitable_New();
}

/* one(coro): `return await coro`, as a server awaits an application. */
static PyObject *
bench_one(PyObject *mod, PyObject *coro)
{
    PyObject *aw = PyAwaitable_New();
    if (aw == NULL)
        return NULL;
    if (PyAwaitable_SaveValues(aw, 1, mod) < 0 ||
        PyAwaitable_AddAwait(aw, coro, on_result, on_error) < 0)
        Py_CLEAR(aw);
    return aw;
}

enum { CHAIN_LENGTH = 100 };

/* chain(done): awaits `done` a hundred times. */
static PyObject *
bench_chain(PyObject *mod, PyObject *done)
{
    (void)mod;
    PyObject *aw = PyAwaitable_New();
    for (int i = 0; aw != NULL && i < CHAIN_LENGTH; i++) {
        if (PyAwaitable_AddAwait(aw, done, on_result, NULL) < 0)
            Py_CLEAR(aw);
    }
    return aw;
}

/* drive(f, args, n): calls f(*args) n times and runs the results, as a Task does;
 * they must not suspend forever. */
static PyObject *
bench_drive(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *make, *inner;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "OOn", &make, &inner, &n))
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *coro;
        if (inner == Py_None) {
            coro = PyObject_CallNoArgs(make);
        } else {
            PyObject *arg = PyObject_CallNoArgs(inner);
            coro = arg == NULL ? NULL : PyObject_CallOneArg(make, arg);
            Py_XDECREF(arg);
        }
        if (coro == NULL)
            return NULL;
        PyObject *value;
        PySendResult how;
        while ((how = PyIter_Send(coro, Py_None, &value)) == PYGEN_NEXT)
            Py_DECREF(value);
        Py_DECREF(coro);
        if (how == PYGEN_ERROR)
            return NULL;
        Py_DECREF(value);
    }
    Py_RETURN_NONE;
}

static PyMethodDef bench_methods[] = {
    {"empty", bench_empty, METH_NOARGS, NULL},
    {"one", bench_one, METH_O, NULL},
    {"chain", bench_chain, METH_O, NULL},
    {"drive", bench_drive, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef bench_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = BENCH_TEXT(BENCH_NAME),
    .m_size = -1,
    .m_methods = bench_methods,
};

PyMODINIT_FUNC BENCH_GLUE(PyInit_, BENCH_NAME)(void);

PyMODINIT_FUNC
BENCH_GLUE(PyInit_, BENCH_NAME)(void)
{
    if (PyAwaitable_Init() < 0)
        return NULL;
    return PyModule_Create(&bench_module);
}
