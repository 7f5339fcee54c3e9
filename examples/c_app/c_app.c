/* SPDX-License-Identifier: MIT */
/* c_app.c — an ASGI application in C. It responds to GET with a greeting and to any
 * other method with the request body. Serve it with `bolide c_app:app`.
 *
 * An `async def` would be a loop with awaits in it; here each await names the
 * function that continues when it is done. */
#include <Python.h>
#include <pyawaitable.h>

/* The values that an awaitable of this module keeps. */
enum { VALUE_SCOPE = 0, VALUE_RECEIVE, VALUE_SEND, VALUE_BODY };

/* Awaits receive(); `cb` gets the message. */
static int
await_receive(PyObject *aw, PyAwaitable_Callback cb)
{
    PyObject *receive = PyAwaitable_GetValue(aw, VALUE_RECEIVE);
    if (receive == NULL)
        return -1;
    return PyAwaitable_AddExpr(aw, PyObject_CallNoArgs(receive), cb, NULL);
}

/* Awaits send(message), and steals the message. */
static int
await_send(PyObject *aw, PyObject *message, PyAwaitable_Callback cb)
{
    PyObject *send = PyAwaitable_GetValue(aw, VALUE_SEND);
    if (message == NULL || send == NULL) {
        Py_XDECREF(message);
        return -1;
    }
    PyObject *coro = PyObject_CallOneArg(send, message);
    Py_DECREF(message);
    return PyAwaitable_AddExpr(aw, coro, cb, NULL);
}

/* Returns 1 if message["type"] is `type`, 0 if not, -1 with an exception. */
static int
message_is(PyObject *message, const char *type)
{
    PyObject *key = PyMapping_GetItemString(message, "type");
    if (key == NULL)
        return -1;
    int same = PyUnicode_Check(key) && PyUnicode_CompareWithASCIIString(key, type) == 0;
    Py_DECREF(key);
    return same;
}

/* Called when the head has been sent; sends the body. */
static int
on_head_sent(PyObject *aw, PyObject *result)
{
    (void)result;
    PyObject *body = PyAwaitable_GetValue(aw, VALUE_BODY);
    if (body == NULL)
        return -1;
    return await_send(aw,
                      Py_BuildValue("{s:s,s:N}", "type", "http.response.body", "body",
                                    PyBytes_FromObject(body)),
                      NULL);
}

static int
answer(PyObject *aw)
{
    return await_send(aw,
                      Py_BuildValue("{s:s,s:i,s:[(y,y)]}", "type",
                                    "http.response.start", "status", 200, "headers",
                                    "content-type", "text/plain"),
                      on_head_sent);
}

/* Appends the message's part of the body to the earlier parts. */
static int
collect(PyObject *aw, PyObject *message)
{
    PyObject *part = PyDict_GetItemString(message, "body"); /* borrowed */
    if (part == NULL)
        return 0;
    PyObject *body = PyAwaitable_GetValue(aw, VALUE_BODY);
    PyObject *longer = body == NULL ? NULL : PySequence_InPlaceConcat(body, part);
    if (longer == NULL)
        return -1;
    Py_DECREF(longer); /* a bytearray grows in place */
    return 0;
}

static int
on_body(PyObject *aw, PyObject *message)
{
    int gone = message_is(message, "http.disconnect");
    if (gone != 0)
        return gone < 0 ? -1 : 0;
    if (collect(aw, message) < 0)
        return -1;
    PyObject *more = PyDict_GetItemString(message, "more_body"); /* borrowed */
    if (more == Py_True)
        return await_receive(aw, on_body);
    return answer(aw);
}

static int
on_lifespan(PyObject *aw, PyObject *message)
{
    int starting = message_is(message, "lifespan.startup");
    if (starting < 0)
        return -1;
    if (starting == 0)
        return await_send(
            aw, Py_BuildValue("{s:s}", "type", "lifespan.shutdown.complete"), NULL);
    if (await_send(aw, Py_BuildValue("{s:s}", "type", "lifespan.startup.complete"),
                   NULL) < 0)
        return -1;
    return await_receive(aw, on_lifespan);
}

/* Begins with the first await for this type of scope. */
static int
begin(PyObject *aw, PyObject *scope)
{
    int lifespan = message_is(scope, "lifespan");
    if (lifespan != 0)
        return lifespan < 0 ? -1 : await_receive(aw, on_lifespan);
    int http = message_is(scope, "http");
    if (http <= 0) {
        if (http == 0)
            PyErr_SetString(PyExc_NotImplementedError, "only http and lifespan");
        return -1;
    }
    PyObject *method = PyMapping_GetItemString(scope, "method");
    if (method == NULL)
        return -1;
    int get = PyUnicode_CompareWithASCIIString(method, "GET") == 0;
    Py_DECREF(method);
    if (!get)
        return await_receive(aw, on_body);
    PyObject *body = PyAwaitable_GetValue(aw, VALUE_BODY);
    static const char greeting[] = "Hello from C\n";
    if (body == NULL || PyByteArray_Resize(body, sizeof greeting - 1) < 0)
        return -1;
    memcpy(PyByteArray_AS_STRING(body), greeting, sizeof greeting - 1);
    return answer(aw);
}

/* app(scope, receive, send) */
static PyObject *
c_app_app(PyObject *mod, PyObject *args)
{
    (void)mod;
    PyObject *scope, *receive, *send;
    if (!PyArg_ParseTuple(args, "OOO:app", &scope, &receive, &send))
        return NULL;
    PyObject *body = PyByteArray_FromStringAndSize(NULL, 0);
    PyObject *aw = body == NULL ? NULL : PyAwaitable_New();
    if (aw != NULL && (PyAwaitable_SaveValues(aw, 4, scope, receive, send, body) < 0 ||
                       begin(aw, scope) < 0))
        Py_CLEAR(aw);
    Py_XDECREF(body);
    return aw;
}

static PyMethodDef c_app_methods[] = {
    {"app", c_app_app, METH_VARARGS, "An ASGI application."},
    {NULL, NULL, 0, NULL},
};

static int
c_app_exec(PyObject *mod)
{
    (void)mod;
    return PyAwaitable_Init();
}

static PyModuleDef_Slot c_app_slots[] = {
    {Py_mod_exec, c_app_exec},
    {0, NULL},
};

static PyModuleDef c_app_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "c_app",
    .m_methods = c_app_methods,
    .m_slots = c_app_slots,
};

PyMODINIT_FUNC PyInit_c_app(void);

PyMODINIT_FUNC
PyInit_c_app(void)
{
    return PyModuleDef_Init(&c_app_module);
}
