/* SPDX-License-Identifier: MIT */
/* py/module.c — the extension module bolide._engine: its types, its state, its
 * initialization and its end. */
#include <Python.h>

#include <assert.h> /* assert */

#include "asgi/done.h"
#include "asgi/lifespan/lifespan.h"
#include "asgi/pending_receive.h"
#include "asgi/http/receive.h"
#include "asgi/http/request.h"
#include "asgi/http/send.h"
#include "asgi/state.h"
#include "asgi/waiter.h"
#include "asgi/websocket/websocket.h"
#include "asgi/webtransport/webtransport.h"
#include "http1/scan.h"
#include "py/access.h"
#include "py/libraries.h"
#include "py/log_datagram.h"
#include "py/process.h"
#include "py/server_type.h"
#include "py/steering.h"
#include "py/tally.h"
#include "py/cache.h"
#include "py/early.h"
#include "tls/context.h"

static PyObject *
module_simd(PyObject *Py_UNUSED(mod), PyObject *Py_UNUSED(ignored))
{
    return PyUnicode_FromString(h1_scan_best()->name);
}

static PyObject *
module_has_http3(PyObject *Py_UNUSED(mod), PyObject *Py_UNUSED(ignored))
{
#ifdef HAVE_HTTP3
    Py_RETURN_TRUE;
#else
    Py_RETURN_FALSE;
#endif
}

static PyObject *
module_has_ktls(PyObject *Py_UNUSED(mod), PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(tls_has_ktls());
}

static int
make_type(PyObject *mod, PyType_Spec *spec, PyTypeObject **type)
{
    assert(*type == NULL); /* the state is created once */
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, spec, NULL);
    return *type == NULL ? -1 : 0;
}

/* Adds the module's public names. */
static int
add_names(PyObject *mod, const module_state *st)
{
    if (PyModule_AddType(mod, st->ServerType) < 0 ||
        PyModule_AddObjectRef(mod, "ClientDisconnected", st->ClientDisconnected) < 0 ||
        PyModule_AddObjectRef(mod, "TLSError", st->TLSError) < 0 ||
        PyModule_AddObjectRef(mod, "LifespanError", st->LifespanError) < 0)
        return -1;
    if (libraries_describe(mod) < 0 || early_describe(mod) < 0)
        return -1;
    return tally_describe(mod);
}

/* May fail at any point; traverse and clear handle a partly initialized state. */
static int
module_exec(PyObject *mod)
{
    module_state *st = PyModule_GetState(mod);

    assert(st->done == NULL && st->awaitables == NULL); /* zeroed by Python */
    if (make_type(mod, &done_spec, &st->DoneType) < 0 ||
        make_type(mod, &lifespan_spec, &st->LifespanType) < 0 ||
        make_type(mod, &pending_receive_spec, &st->PendingReceiveType) < 0 ||
        make_type(mod, &receive_spec, &st->ReceiveType) < 0 ||
        make_type(mod, &request_spec, &st->RequestType) < 0 ||
        make_type(mod, &waiter_spec, &st->WaiterType) < 0 ||
        make_type(mod, &websocket_spec, &st->WebSocketType) < 0 ||
        make_type(mod, &session_spec, &st->SessionType) < 0 ||
        make_type(mod, &send_spec, &st->SendType) < 0 ||
        make_type(mod, &server_spec, &st->ServerType) < 0)
        return -1;
    st->done = st->DoneType->tp_alloc(st->DoneType, 0);
    if (st->done == NULL || state_fill(st) < 0)
        return -1;
    return add_names(mod, st);
}

static int
module_traverse(PyObject *mod, visitproc visit, void *arg)
{
    return state_visit(PyModule_GetState(mod), visit, arg);
}

static int
module_clear(PyObject *mod)
{
    state_clear(PyModule_GetState(mod));
    return 0;
}

static void
module_free(void *mod)
{
    state_clear(PyModule_GetState(mod));
    state_free(PyModule_GetState(mod));
}

static PyMethodDef module_methods[] = {
    {"simd", module_simd, METH_NOARGS,
     "simd()\n--\n\nThe name of the instruction set that heads are scanned with."},
    {"libraries", libraries_versions, METH_NOARGS,
     "libraries()\n--\n\nThe versions of the libraries that it is linked with, by "
     "name."},
    {"has_http3", module_has_http3, METH_NOARGS,
     "has_http3()\n--\n\nWhether this build has HTTP/3."},
    {"has_ktls", module_has_ktls, METH_NOARGS,
     "has_ktls()\n--\n\nWhether OpenSSL knows how to leave encryption to the kernel."},
    {"can_steer_quic", steering_can, METH_NOARGS,
     "can_steer_quic()\n--\n\n"
     "Whether packets of one UDP port can be distributed by connection ID."},
    {"steer_quic", steering_set, METH_VARARGS,
     "steer_quic($module, fd, secret, open, accepting, /)\n--\n\n"
     "Distributes the packets of a UDP port to the sockets of seats."},
    {"check_access_format", access_check_format, METH_O,
     "check_access_format($module, text, /)\n--\n\n"
     "Raises ValueError with the reason where `text` is no format."},
    {"access_format", access_format, METH_O,
     "access_format($module, name, /)\n--\n\n"
     "Returns the text of a format that has a name, else the argument itself."},
    {"format_cache", pycache_format, METH_O,
     "format_cache($module, memory, /)\n--\n\n"
     "Prepares zeroed memory for the responses that workers share."},
    {"keep_freed_memory", process_keep_freed_memory, METH_O,
     "keep_freed_memory($module, bytes, /)\n--\n\n"
     "Has the allocator keep up to so much freed memory; returns whether it does."},
    {"log_datagram", log_datagram, METH_VARARGS,
     "Returns a line of the log as a datagram for syslog or journald."},
    {"adopt_orphans", process_adopt_orphans, METH_NOARGS,
     "adopt_orphans()\n--\n\n"
     "Makes processes whose parent ends children of this one."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "bolide._engine",
    .m_doc = "The engine of bolide, written in C.",
    .m_size = sizeof(module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__engine(void)
{
    return PyModuleDef_Init(&module_def);
}
