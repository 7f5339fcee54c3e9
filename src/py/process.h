/* SPDX-License-Identifier: MIT */
/* py/process.h — settings of a process that the package owns; never called in a process
 * that embeds a Server. */
#ifndef PY_PROCESS_H
#define PY_PROCESS_H

#include <Python.h>

/* keep_freed_memory(bytes, /): makes the allocator keep up to that much free memory at
 * the end of its heap, and makes it allocate no block smaller than half of it (32 MiB
 * at most) directly from the kernel. glibc returns the top of its heap to the kernel
 * when 128 KiB are free; a server that receives bodies of 64 KiB would allocate and
 * return them, with page faults, for each request. Of more than that, 7/8 stay:
 * returning 64 MiB in one call would take 5 ms, during which no request is served.
 * Returns whether the allocator accepted this; False if it is not glibc's. */
PyObject *process_keep_freed_memory(PyObject *mod, PyObject *bytes);

/* adopt_orphans(): makes processes whose parent ends children of this one. Raises
 * OSError, on systems other than Linux always. */
PyObject *process_adopt_orphans(PyObject *mod, PyObject *ignored);

#endif
