/* SPDX-License-Identifier: MIT */
/* py/process.c — see process.h for the contract. */
#include "py/process.h"

#include <limits.h>    /* INT_MAX */
#include <stdlib.h>    /* __GLIBC__ */
#include <sys/prctl.h> /* prctl */
#ifdef __GLIBC__
#include <malloc.h> /* mallopt */
#endif

/* glibc refuses a larger threshold: HEAP_MAX_SIZE / 2 on 64-bit machines. */
#define OWN_BLOCK_BYTES_MAX (32 << 20)

static int
keep(int bytes)
{
#ifdef __GLIBC__
    int block = bytes / 2 < OWN_BLOCK_BYTES_MAX ? bytes / 2 : OWN_BLOCK_BYTES_MAX;

    return mallopt(M_TRIM_THRESHOLD, bytes) == 1 &&
           mallopt(M_MMAP_THRESHOLD, block) == 1;
#else
    (void)bytes;
    return 0;
#endif
}

PyObject *
process_keep_freed_memory(PyObject *mod, PyObject *bytes)
{
    long n = PyLong_AsLong(bytes);

    (void)mod;
    if (n == -1 && PyErr_Occurred())
        return NULL;
    if (n < 0 || n > INT_MAX) {
        PyErr_SetString(PyExc_ValueError, "bytes is out of range");
        return NULL;
    }
    return PyBool_FromLong(keep((int)n));
}

PyObject *
process_adopt_orphans(PyObject *mod, PyObject *ignored)
{
    (void)mod;
    (void)ignored;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}
