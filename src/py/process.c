/* SPDX-License-Identifier: MIT */
/* py/process.c — see process.h for the contract. */
#include "py/process.h"

#include <limits.h> /* INT_MAX */
#include <stdlib.h> /* __GLIBC__ */
#ifdef __GLIBC__
#include <malloc.h> /* mallopt */
#endif

#include "net/os.h"

/* glibc rejects a larger threshold: HEAP_MAX_SIZE / 2 on 64-bit machines. */
#define OWN_BLOCK_BYTES_MAX (32 << 20)

static int
process_keep(int bytes)
{
#ifdef __GLIBC__
    int block = bytes / 2 < OWN_BLOCK_BYTES_MAX ? bytes / 2 : OWN_BLOCK_BYTES_MAX;
    int kept = bytes - bytes / 8;

    return mallopt(M_TRIM_THRESHOLD, bytes) == 1 && mallopt(M_TOP_PAD, kept) == 1 &&
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
    return PyBool_FromLong(process_keep((int)n));
}

PyObject *
process_adopt_orphans(PyObject *mod, PyObject *ignored)
{
    (void)mod;
    (void)ignored;
    if (os_adopt_orphans() == -1)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}
