/* SPDX-License-Identifier: MIT */
/* awaitable_probe.c — the PyAwaitable API as Python functions, so that its tests can
 * be written in Python. It checks nothing itself: a wrong argument reaches the API.
 *
 * An awaitable created by make() stores three callables as its values, and the
 * callbacks below call them. A callable returns None for 0, or a pair: the value that
 * the callback returns, and the exception it sets, or None. If a callable raises, the
 * callback returns -1. */
#include "awaitable/pyawaitable.h"

enum { VALUE_RESULT = 0, VALUE_ERROR, VALUE_DEFER };

static int
probe_answer(PyObject *answer)
{
    if (answer == NULL)
        return -1;
    int code = 0;
    PyObject *exc = Py_None;
    if (answer != Py_None && !PyArg_ParseTuple(answer, "iO", &code, &exc))
        code = -2;
    else if (exc != Py_None)
        PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
    Py_DECREF(answer);
    return code;
}

static int
probe_call(PyObject *aw, Py_ssize_t which, PyObject *value)
{
    PyObject *callable = PyAwaitable_GetValue(aw, which);
    if (callable == NULL)
        return -1;
    Py_INCREF(callable); /* it may replace itself */
    PyObject *answer = PyObject_CallFunctionObjArgs(callable, aw, value, NULL);
    Py_DECREF(callable);
    return probe_answer(answer);
}

static int
on_result(PyObject *aw, PyObject *result)
{
    return probe_call(aw, VALUE_RESULT, result);
}

static int
on_error(PyObject *aw, PyObject *exc)
{
    if (PyErr_Occurred())
        Py_FatalError("an error callback is called with an exception set");
    return probe_call(aw, VALUE_ERROR, exc);
}

static int
on_defer(PyObject *aw)
{
    return probe_call(aw, VALUE_DEFER, NULL);
}

static int
on_result_keep(PyObject *aw, PyObject *result)
{
    return PyAwaitable_SetResult(aw, result);
}

static PyObject *
none_or_null(int failed)
{
    return failed < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
probe_init(PyObject *mod, PyObject *unused)
{
    (void)mod;
    (void)unused;
    return none_or_null(PyAwaitable_Init());
}

static PyObject *
probe_type(PyObject *mod, PyObject *unused)
{
    (void)mod;
    (void)unused;
    return Py_XNewRef((PyObject *)PyAwaitable_GetType());
}

static PyObject *
probe_new(PyObject *mod, PyObject *unused)
{
    (void)mod;
    (void)unused;
    return PyAwaitable_New();
}

static PyObject *
probe_make(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *result = Py_None, *error = Py_None, *defer = Py_None;
    if (!PyArg_ParseTuple(args, "|OOO", &result, &error, &defer))
        return NULL;
    PyObject *aw = PyAwaitable_New();
    if (aw != NULL && PyAwaitable_SaveValues(aw, 3, result, error, defer) < 0)
        Py_CLEAR(aw);
    return aw;
}

/* add(aw, coro, cb=False, err=False) */
static PyObject *
probe_add(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw, *coro;
    int cb = 0, err = 0;
    if (!PyArg_ParseTuple(args, "OO|pp", &aw, &coro, &cb, &err))
        return NULL;
    if (!cb && !err)
        return none_or_null(PyAwaitable_AWAIT(aw, coro));
    return none_or_null(
        PyAwaitable_AddAwait(aw, coro, cb ? on_result : NULL, err ? on_error : NULL));
}

/* keep(coro): an awaitable whose result is the result of `coro`. */
static PyObject *
probe_keep(PyObject *mod, PyObject *coro)
{
    (void)mod;
    PyObject *aw = PyAwaitable_New();
    if (aw != NULL && PyAwaitable_AddAwait(aw, coro, on_result_keep, NULL) < 0)
        Py_CLEAR(aw);
    return aw;
}

static PyObject *
probe_add_null(PyObject *mod, PyObject *aw)
{
    (void)mod;
    return none_or_null(PyAwaitable_AddAwait(aw, NULL, NULL, NULL));
}

/* add_expr(aw, f): awaits the result of f(), even if the call fails. */
static PyObject *
probe_add_expr(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw, *f;
    if (!PyArg_ParseTuple(args, "OO", &aw, &f))
        return NULL;
    return none_or_null(PyAwaitable_AddExpr(aw, PyObject_CallNoArgs(f), NULL, NULL));
}

static PyObject *
probe_defer(PyObject *mod, PyObject *aw)
{
    (void)mod;
    return none_or_null(PyAwaitable_DeferAwait(aw, on_defer));
}

/* async_with(aw, ctx, cb=False, err=False) */
static PyObject *
probe_async_with(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw, *ctx;
    int cb = 0, err = 0;
    if (!PyArg_ParseTuple(args, "OO|pp", &aw, &ctx, &cb, &err))
        return NULL;
    return none_or_null(
        PyAwaitable_AsyncWith(aw, ctx, cb ? on_result : NULL, err ? on_error : NULL));
}

static PyObject *
probe_cancel(PyObject *mod, PyObject *aw)
{
    (void)mod;
    PyAwaitable_Cancel(aw);
    Py_RETURN_NONE;
}

static PyObject *
probe_set_result(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw, *result;
    if (!PyArg_ParseTuple(args, "OO", &aw, &result))
        return NULL;
    return none_or_null(PyAwaitable_SetResult(aw, result));
}

static PyObject *
probe_set_name(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw, *name;
    if (!PyArg_ParseTuple(args, "OO", &aw, &name))
        return NULL;
    return none_or_null(PyAwaitable_SetName(aw, name));
}

/* save(aw, a, b=NULL, c=NULL): if `b` is given, all three are passed on. */
static PyObject *
probe_save(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw, *a, *b = NULL, *c = NULL;
    if (!PyArg_ParseTuple(args, "OO|OO", &aw, &a, &b, &c))
        return NULL;
    if (b == NULL)
        return none_or_null(PyAwaitable_SaveValues(aw, 1, a));
    return none_or_null(PyAwaitable_SaveValues(aw, 3, a, b, c));
}

/* The first and the third of three values. */
static PyObject *
probe_unpack(PyObject *mod, PyObject *aw)
{
    (void)mod;
    PyObject *a, *c;
    if (PyAwaitable_UnpackValues(aw, &a, NULL, &c) < 0)
        return NULL;
    return Py_BuildValue("OO", a, c);
}

static PyObject *
probe_get(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw;
    Py_ssize_t i;
    if (!PyArg_ParseTuple(args, "On", &aw, &i))
        return NULL;
    return Py_XNewRef(PyAwaitable_GetValue(aw, i));
}

static PyObject *
probe_set(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw, *value;
    Py_ssize_t i;
    if (!PyArg_ParseTuple(args, "OnO", &aw, &i, &value))
        return NULL;
    return none_or_null(PyAwaitable_SetValue(aw, i, value));
}

/* Saves 1, NULL and 3 as pointers, reads them in both ways, then sets the second to
 * 2. */
static PyObject *
probe_arb(PyObject *mod, PyObject *aw)
{
    (void)mod;
    void *a, *b, *c;
    if (PyAwaitable_SaveArbValues(aw, 3, (void *)1, NULL, (void *)3) < 0 ||
        PyAwaitable_UnpackArbValues(aw, &a, &b, &c) < 0 ||
        PyAwaitable_SetArbValue(aw, 1, (void *)2) < 0)
        return NULL;
    void *set = PyAwaitable_GetArbValue(aw, 1);
    return Py_BuildValue("nnnn", (Py_ssize_t)a, (Py_ssize_t)b, (Py_ssize_t)c,
                         (Py_ssize_t)set);
}

/* save_arb(aw, i): i as a pointer. */
static PyObject *
probe_save_arb(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw;
    Py_ssize_t i;
    if (!PyArg_ParseTuple(args, "On", &aw, &i))
        return NULL;
    return none_or_null(PyAwaitable_SaveArbValues(aw, 1, (void *)i));
}

static PyObject *
probe_get_arb(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw;
    Py_ssize_t i;
    if (!PyArg_ParseTuple(args, "On", &aw, &i))
        return NULL;
    void *value = PyAwaitable_GetArbValue(aw, i);
    return PyErr_Occurred() ? NULL : PyLong_FromVoidPtr(value);
}

/* Awaits value 0 as often again as arbitrary value 0 says. */
static int
on_chain(PyObject *aw, PyObject *result)
{
    (void)result;
    uintptr_t left = (uintptr_t)PyAwaitable_GetArbValue(aw, 0);
    if (left == 0)
        return 0;
    if (PyAwaitable_SetArbValue(aw, 0, (void *)(left - 1)) < 0)
        return -1;
    return PyAwaitable_AddAwait(aw, PyAwaitable_GetValue(aw, 0), on_chain, NULL);
}

/* chain(done, n): awaits `done` n times, each time from the previous callback. */
static PyObject *
probe_chain(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *done;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "On", &done, &n))
        return NULL;
    PyObject *aw = PyAwaitable_New();
    if (aw == NULL)
        return NULL;
    if (PyAwaitable_SaveValues(aw, 1, done) < 0 ||
        PyAwaitable_SaveArbValues(aw, 1, (void *)(n - 1)) < 0 ||
        PyAwaitable_AddAwait(aw, done, on_chain, NULL) < 0)
        Py_CLEAR(aw);
    return aw;
}

/* add_expr_null(aw, exc): calls AddExpr() with NULL and `exc` set, or no exception
 * if it is None. Returns what AddExpr() returned, and the exception set afterwards. */
static PyObject *
probe_add_expr_null(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw, *exc, *type, *left, *tb;
    if (!PyArg_ParseTuple(args, "OO", &aw, &exc))
        return NULL;
    if (exc != Py_None)
        PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
    int added = PyAwaitable_AddExpr(aw, NULL, NULL, NULL);
    PyErr_Fetch(&type, &left, &tb);
    Py_XDECREF(type);
    Py_XDECREF(tb);
    return Py_BuildValue("iN", added, left == NULL ? Py_NewRef(Py_None) : left);
}

/* abandon(exc): creates an awaitable and drops it with `exc` set, as code does when
 * its next step has failed. */
static PyObject *
probe_abandon(PyObject *mod, PyObject *exc)
{
    (void)mod;
    PyObject *aw = PyAwaitable_New();
    if (aw == NULL)
        return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
    Py_DECREF(aw);
    return NULL;
}

/* call_with(exc, callable, *args): calls it with `exc` set already. */
static PyObject *
probe_call_with(PyObject *mod, PyObject *const *args, Py_ssize_t nargs)
{
    (void)mod;
    assert(nargs >= 2);
    PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
    return PyObject_Vectorcall(args[1], args + 2, (size_t)nargs - 2, NULL);
}

/* send_with(exc, coro): runs a step of `coro` with `exc` set already, as a Task does
 * when memory runs out.  Returns what the step yielded or returned. */
static PyObject *
probe_send_with(PyObject *mod, PyObject *const *args, Py_ssize_t nargs)
{
    (void)mod;
    assert(nargs == 2);
    PyObject *result = NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
    (void)PyIter_Send(args[1], Py_None, &result);
    return result;
}

/* wrong(aw, number): calls a function of the API with an argument that it rejects. */
static PyObject *
probe_wrong(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *aw;
    int number;
    void *out;
    if (!PyArg_ParseTuple(args, "Oi", &aw, &number))
        return NULL;
    switch (number) {
    case 0:
        return none_or_null(PyAwaitable_SetResult(NULL, aw));
    case 1:
        return none_or_null(PyAwaitable_SetResult(aw, NULL));
    case 2:
        return none_or_null(PyAwaitable_DeferAwait(aw, NULL));
    case 3:
        return none_or_null(PyAwaitable_SaveValues(aw, 0));
    case 4:
        return none_or_null(PyAwaitable_SaveValues(aw, 3, aw, NULL, aw));
    case 5:
        return none_or_null(PyAwaitable_SaveValues(aw, PY_SSIZE_T_MAX, aw));
    case 6:
        return none_or_null(PyAwaitable_SetValue(aw, 0, NULL));
    case 7:
        return none_or_null(PyAwaitable_SetArbValue(aw, 0, aw));
    case 8:
        return none_or_null(PyAwaitable_UnpackArbValues(aw, &out));
    default:
        return none_or_null(PyAwaitable_AsyncWith(aw, NULL, NULL, NULL));
    }
}

/* version(): the values that a source checks. */
static PyObject *
probe_version(PyObject *mod, PyObject *unused)
{
    static PyAwaitable_thread_local int calls;
    (void)mod;
    (void)unused;
#if PyAwaitable_MAJOR_VERSION < 2
#error "the 1.x API"
#endif
    return Py_BuildValue("iiiiiO", PyAwaitable_MAJOR_VERSION, PyAwaitable_MINOR_VERSION,
                         PyAwaitable_MICRO_VERSION, PyAwaitable_MAGIC_NUMBER, ++calls,
                         (PyObject *)&PyAwaitable_Type);
}

/* Broken: fails without an exception, in its step or, if called with True, in its
 * __await__. */
typedef struct {
    PyObject_HEAD
    int at_once;
} BrokenObject;

static PyObject *
broken_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    BrokenObject *self = (BrokenObject *)type->tp_alloc(type, 0);
    if (self != NULL && !PyArg_ParseTuple(args, "|p", &self->at_once))
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyObject *
broken_await(PyObject *op)
{
    return ((BrokenObject *)op)->at_once ? NULL : Py_NewRef(op);
}

static PySendResult
broken_send(PyObject *op, PyObject *arg, PyObject **out)
{
    (void)op;
    (void)arg;
    *out = NULL;
    return PYGEN_ERROR;
}

static PyObject *
broken_next(PyObject *op)
{
    (void)op;
    return NULL;
}

static void
broken_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyType_Slot broken_slots[] = {
    {Py_tp_new, broken_new},       {Py_tp_dealloc, broken_dealloc},
    {Py_tp_iternext, broken_next}, {Py_am_await, broken_await},
    {Py_am_send, broken_send},     {0, NULL},
};

static PyType_Spec broken_spec = {
    .name = "awaitable_probe.Broken",
    .basicsize = sizeof(BrokenObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = broken_slots,
};

static PyMethodDef probe_methods[] = {
    {"init", probe_init, METH_NOARGS, NULL},
    {"type", probe_type, METH_NOARGS, NULL},
    {"new", probe_new, METH_NOARGS, NULL},
    {"make", probe_make, METH_VARARGS, NULL},
    {"add", probe_add, METH_VARARGS, NULL},
    {"keep", probe_keep, METH_O, NULL},
    {"add_null", probe_add_null, METH_O, NULL},
    {"add_expr", probe_add_expr, METH_VARARGS, NULL},
    {"defer", probe_defer, METH_O, NULL},
    {"async_with", probe_async_with, METH_VARARGS, NULL},
    {"cancel", probe_cancel, METH_O, NULL},
    {"set_result", probe_set_result, METH_VARARGS, NULL},
    {"set_name", probe_set_name, METH_VARARGS, NULL},
    {"save", probe_save, METH_VARARGS, NULL},
    {"unpack", probe_unpack, METH_O, NULL},
    {"get", probe_get, METH_VARARGS, NULL},
    {"set", probe_set, METH_VARARGS, NULL},
    {"arb", probe_arb, METH_O, NULL},
    {"save_arb", probe_save_arb, METH_VARARGS, NULL},
    {"get_arb", probe_get_arb, METH_VARARGS, NULL},
    {"chain", probe_chain, METH_VARARGS, NULL},
    {"add_expr_null", probe_add_expr_null, METH_VARARGS, NULL},
    {"abandon", probe_abandon, METH_O, NULL},
    {"call_with", (PyCFunction)(void (*)(void))probe_call_with, METH_FASTCALL, NULL},
    {"send_with", (PyCFunction)(void (*)(void))probe_send_with, METH_FASTCALL, NULL},
    {"wrong", probe_wrong, METH_VARARGS, NULL},
    {"version", probe_version, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int
probe_exec(PyObject *mod)
{
    PyObject *broken = PyType_FromSpec(&broken_spec);
    int added = broken == NULL ? -1 : PyModule_AddObjectRef(mod, "Broken", broken);
    Py_XDECREF(broken);
    return added < 0 ? -1 : PyAwaitable_Init();
}

static PyModuleDef_Slot probe_slots[] = {
    {Py_mod_exec, probe_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef probe_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "awaitable_probe",
    .m_methods = probe_methods,
    .m_slots = probe_slots,
};

PyMODINIT_FUNC PyInit_awaitable_probe(void);

PyMODINIT_FUNC
PyInit_awaitable_probe(void)
{
    return PyModuleDef_Init(&probe_module);
}
