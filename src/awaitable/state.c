/* SPDX-License-Identifier: MIT */
/* awaitable/state.c — finds the state of an interpreter; see pyawaitable.h.
 *
 * The interpreter's dict holds the state in a capsule, under a key that only this
 * copy uses. When the interpreter ends, the capsule releases the state. */
#include "object.h"

/* RULE ZERO: two file-scope variables, because PyAwaitable_New() has no argument
 * that leads to the state, and reading the interpreter's dict costs more than the
 * object. Each thread caches the state of the interpreter in which it ran last. The
 * epoch counts the states that the process has released: it distinguishes a later
 * interpreter at the same address from the earlier one. */
static unsigned state_epoch; /* __atomic */
static PyAwaitable_thread_local struct {
    PyInterpreterState *interp; /* compared, never dereferenced */
    PyAwaitable_State *st;      /* borrowed; valid while `epoch` is the current one */
    unsigned epoch;
} state_last;

static const char state_capsule[] = "pyawaitable.state";

void
pyawaitable_state_unref(PyAwaitable_State *st)
{
    assert(st->refs > 0);
#ifdef Py_GIL_DISABLED
    if (__atomic_sub_fetch(&st->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
#else
    if (--st->refs != 0)
        return;
#endif
    assert(st->type == NULL && st->free_list == NULL); /* state_close was called
                                                          before */
    Py_XDECREF(st->str_throw);
    Py_XDECREF(st->str_close);
    PyMem_RawFree(st);
}

static void
state_close(PyAwaitable_State *st)
{
    (void)__atomic_fetch_add(&state_epoch, 1, __ATOMIC_SEQ_CST);
    pyawaitable_free_list_clear(st);
    st->free_len = FREE_LIST_MAX;
    Py_CLEAR(st->type);
    pyawaitable_state_unref(st);
}

static PyAwaitable_State *
state_of(PyObject *capsule)
{
    return (PyAwaitable_State *)PyCapsule_GetPointer(capsule, state_capsule);
}

static void
state_capsule_free(PyObject *capsule)
{
    state_close(state_of(capsule));
}

static PyAwaitable_State *
state_new(void)
{
    PyAwaitable_State *st = (PyAwaitable_State *)PyMem_RawCalloc(1, sizeof *st);
    if (st == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    st->refs = 1;
    st->str_throw = PyUnicode_InternFromString("throw");
    st->str_close = PyUnicode_InternFromString("close");
    if (st->str_throw == NULL || st->str_close == NULL)
        goto fail;
    st->type = (PyTypeObject *)PyType_FromSpec(&pyawaitable_type_spec);
    if (st->type == NULL)
        goto fail;
    return st;

fail:
    state_close(st);
    return NULL;
}

/* Returns the key under which this copy stores its state, as a new reference. The
 * address of a variable of the copy identifies it; copies never share objects. */
static PyObject *
state_key(void)
{
    return PyUnicode_FromFormat("%s:%p", state_capsule, (void *)&state_epoch);
}

/* Stores a new state in `dict`, unless another thread was faster, and returns the
 * stored one. */
static PyAwaitable_State *
state_add(PyObject *dict, PyObject *key)
{
    PyAwaitable_State *st = state_new();
    if (st == NULL)
        return NULL;
    PyObject *capsule = PyCapsule_New(st, state_capsule, state_capsule_free);
    if (capsule == NULL) {
        state_close(st);
        return NULL;
    }
    PyObject *there = PyDict_SetDefault(dict, key, capsule); /* borrowed */
    st = there == NULL ? NULL : state_of(there);
    Py_DECREF(capsule);
    return st;
}

static PyAwaitable_State *
state_find(PyInterpreterState *interp)
{
    PyObject *dict = PyInterpreterState_GetDict(interp); /* borrowed */
    if (dict == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is ending");
        return NULL;
    }
    PyObject *key = state_key();
    if (key == NULL)
        return NULL;

    unsigned epoch = __atomic_load_n(&state_epoch, __ATOMIC_SEQ_CST);
    PyAwaitable_State *st = NULL;
    PyObject *capsule = PyDict_GetItemWithError(dict, key); /* borrowed */
    if (capsule != NULL)
        st = state_of(capsule);
    else if (!PyErr_Occurred())
        st = state_add(dict, key);
    Py_DECREF(key);

    if (st != NULL) {
        state_last.interp = interp;
        state_last.st = st;
        state_last.epoch = epoch;
    }
    return st;
}

PyAwaitable_State *
PyAwaitable_GetState(void)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    if (state_last.interp == interp &&
        state_last.epoch == __atomic_load_n(&state_epoch, __ATOMIC_ACQUIRE))
        return state_last.st;
    return state_find(interp);
}

int
PyAwaitable_Init(void)
{
    return PyAwaitable_GetState() == NULL ? -1 : 0;
}

PyTypeObject *
PyAwaitable_GetType(void)
{
    PyAwaitable_State *st = PyAwaitable_GetState();
    return st == NULL ? NULL : st->type;
}

PyObject *
PyAwaitable_New(void)
{
    PyAwaitable_State *st = PyAwaitable_GetState();
    return st == NULL ? NULL : PyAwaitable_NewWithState(st);
}
