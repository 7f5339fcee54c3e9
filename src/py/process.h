/* SPDX-License-Identifier: MIT */
/* py/process.h — what the package asks of the process that it owns; never called in a
 * process that embeds a Server. */
#ifndef PY_PROCESS_H
#define PY_PROCESS_H

#include <Python.h>

/* keep_freed_memory(bytes, /): has the allocator keep up to that much memory that was freed,
 * and take no block below half of it (32 MiB at most) from the kernel by itself.  glibc
 * gives the top of its heap back as soon as 128 KiB are free; a server that receives bodies
 * of 64 KiB takes and gives them, page faults included, for each request.  Returns whether
 * the allocator did; False where it is not glibc's. */
PyObject *process_keep_freed_memory(PyObject *mod, PyObject *bytes);

/* adopt_orphans(): processes whose parent ends become children of this one (prctl(2),
 * PR_SET_CHILD_SUBREAPER).  Raises OSError. */
PyObject *process_adopt_orphans(PyObject *mod, PyObject *ignored);

#endif
