/* SPDX-License-Identifier: MIT */
/* py/cache.h — the memory of the cache of responses. */
#ifndef PY_CACHE_H
#define PY_CACHE_H

#include <Python.h>

/* format_cache(memory): prepares a writable buffer, all zero, before workers share it.
 * Raises ValueError if it is too small, OSError if the system has no randomness. */
PyObject *pycache_format(PyObject *module, PyObject *memory);

#endif
