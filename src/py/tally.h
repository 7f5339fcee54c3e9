/* SPDX-License-Identifier: MIT */
/* py/tally.h — describes the numbers of a tally (http/tally.h) to Python. */
#ifndef PY_TALLY_H
#define PY_TALLY_H

#include <Python.h>

#include "base/compiler.h" /* MUST_USE */

/* Adds to the module: TALLY_NAMES, the names of the 64-bit numbers of a tally in their
 * order; TALLY_STATE, how many of them are a worker's present state; TALLY_BYTES, the
 * length of a tally; TALLY_BOUNDS, the upper ends of the latency buckets in seconds,
 * the last one being infinity. Returns 0, or -1 with an exception. */
MUST_USE int tally_describe(PyObject *module);

#endif
