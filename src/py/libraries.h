/* SPDX-License-Identifier: MIT */
/* py/libraries.h — reports what the engine was built from. */
#ifndef PY_LIBRARIES_H
#define PY_LIBRARIES_H

#include <Python.h>

/* libraries(): returns a new dict with the version of each library that the engine is
 * linked with, by its name, as the library itself reports it at run time. */
PyObject *libraries_versions(PyObject *mod, PyObject *ignored);

/* Adds to the module: VERSION, the version of bolide, defined only here; COMPILER and
 * OPTIMIZATION; BUILT_IN, whether the libraries are part of the extension instead of
 * the system's; CODINGS, a tuple of the codings that responses can have. Returns 0, or -1 with an exception. */
int libraries_describe(PyObject *mod);

#endif
