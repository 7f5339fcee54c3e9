/* SPDX-License-Identifier: MIT */
/* py/tally.h — tells Python where in a tally (http/tally.h) which number is. */
#ifndef PY_TALLY_H
#define PY_TALLY_H

#include <Python.h>

#include "base/compiler.h" /* MUST_USE */

/* Adds to the module: TALLY_NAMES, the names of the 64-bit numbers of a tally in their
 * order; TALLY_STATE, how many of them are a worker's present state; TALLY_BYTES, the
 * length of a tally; TALLY_BOUNDS, where the buckets of the latency end, in seconds, the
 * last one at infinity.  0, or -1 with an exception. */
MUST_USE int tally_describe(PyObject *module);

#endif
