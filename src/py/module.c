/* SPDX-License-Identifier: MIT */
/* py/module.c — the extension module bolide._engine: its types, its state, its birth
 * and death. */
#include <Python.h>

#include <assert.h> /* assert */

#include "asgi/lifespan.h"
#include "asgi/next.h"
#include "asgi/receive.h"
#include "asgi/request.h"
#include "asgi/send.h"
#include "asgi/state.h"
#include "asgi/waiter.h"
#include "asgi/websocket.h"
#include "http1/scan.h"
#include "py/access.h"
#include "py/process.h"
#include "py/server_type.h"
#include "py/tally.h"
#include "tls/context.h"

static PyObject *
module_simd(PyObject *Py_UNUSED(mod), PyObject *Py_UNUSED(ignored))
{
    return PyUnicode_FromString(h1_scan_best()->name);
}

static PyObject *
module_has_ktls(PyObject *Py_UNUSED(mod), PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(tls_has_ktls());
}

static int
make_type(PyObject *mod, PyType_Spec *spec, PyTypeObject **type)
{
    assert(*type == NULL); /* the state is made once */
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(mod, spec, NULL);
    return *type == NULL ? -1 : 0;
}

/* What Python sees of the module. */
static int
add_names(PyObject *mod, const module_state *st)
{
    if (PyModule_AddType(mod, st->ServerType) < 0 ||
        PyModule_AddObjectRef(mod, "ClientDisconnected", st->ClientDisconnected) < 0 ||
        PyModule_AddObjectRef(mod, "TLSError", st->TLSError) < 0 ||
        PyModule_AddObjectRef(mod, "LifespanError", st->LifespanError) < 0)
        return -1;
    return tally_describe(mod);
}

/* May stop anywhere; traverse and clear work on whatever is filled. */
static int
module_exec(PyObject *mod)
{
    module_state *st = PyModule_GetState(mod);

    assert(st->done == NULL && st->awaitables == NULL); /* zeroed by Python */
    if (make_type(mod, &done_spec, &st->DoneType) < 0 ||
        make_type(mod, &lifespan_spec, &st->LifespanType) < 0 ||
        make_type(mod, &next_spec, &st->NextType) < 0 ||
        make_type(mod, &receive_spec, &st->ReceiveType) < 0 ||
        make_type(mod, &request_spec, &st->RequestType) < 0 ||
        make_type(mod, &waiter_spec, &st->WaiterType) < 0 ||
        make_type(mod, &websocket_spec, &st->WebSocketType) < 0 ||
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
    {"has_ktls", module_has_ktls, METH_NOARGS,
     "has_ktls()\n--\n\nWhether OpenSSL knows how to leave encryption to the kernel."},
    {"check_access_format", access_check_format, METH_O,
     "check_access_format($module, text, /)\n--\n\n"
     "Raises ValueError with the reason where `text` is no format."},
    {"access_format", access_format, METH_O,
     "access_format($module, name, /)\n--\n\n"
     "Returns the text of a format that has a name, else the argument itself."},
    {"keep_freed_memory", process_keep_freed_memory, METH_O,
     "keep_freed_memory($module, bytes, /)\n--\n\n"
     "Has the allocator keep up to so much freed memory; returns whether it does."},
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
