/* SPDX-License-Identifier: MIT */
/* c_await.c — the smallest use of PyAwaitable: an asynchronous function in C that
 * awaits a function of the user.  In Python:
 *
 *     async def spam(func, value):
 *         result = await func()
 *         print(value, result)
 *         return result
 */
#include <Python.h>
#include <pyawaitable.h>

static int
spam_callback(PyObject *awaitable, PyObject *result)
{
    PyObject *value;
    if (PyAwaitable_UnpackValues(awaitable, &value) < 0)
        return -1;
    PySys_FormatStdout("%S %S\n", value, result);
    return PyAwaitable_SetResult(awaitable, result);
}

static PyObject *
spam(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *func, *value;
    if (!PyArg_ParseTuple(args, "OO", &func, &value))
        return NULL;

    PyObject *awaitable = PyAwaitable_New();
    if (awaitable == NULL)
        return NULL;

    if (PyAwaitable_SaveValues(awaitable, 1, value) < 0) {
        Py_DECREF(awaitable);
        return NULL;
    }

    PyObject *coro = PyObject_CallNoArgs(func);
    if (coro == NULL) {
        Py_DECREF(awaitable);
        return NULL;
    }

    if (PyAwaitable_AddAwait(awaitable, coro, spam_callback, NULL) < 0) {
        Py_DECREF(coro);
        Py_DECREF(awaitable);
        return NULL;
    }
    Py_DECREF(coro);

    return awaitable;
}

static PyMethodDef c_await_methods[] = {
    {"spam", spam, METH_VARARGS, "Await func(), print value and result."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef c_await_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "c_await",
    .m_methods = c_await_methods,
};

PyMODINIT_FUNC PyInit_c_await(void);

PyMODINIT_FUNC
PyInit_c_await(void)
{
    if (PyAwaitable_Init() < 0)
        return NULL;
    return PyModule_Create(&c_await_module);
}
