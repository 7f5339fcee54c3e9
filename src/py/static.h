/* SPDX-License-Identifier: MIT */
/* py/static.h — reads the settings of static files from the mapping of a server. */
#ifndef PY_STATIC_H
#define PY_STATIC_H

#include <Python.h>

#include "base/compiler.h"  /* MUST_USE */
#include "static/statics.h" /* struct statics_config */

/* What a struct statics_config borrows from.  All zero at first; ended by
 * static_clear(). */
struct static_settings {
    PyObject *kept[5];           /* what the slices point to */
    struct static_mount *mounts; /* owned */
    struct pattern_rule *rules;  /* owned */
};

/* Reads the keys "static", "static_cache_control", "static_index", "static_fallback" and
 * "static_types" into `config`. Returns 0, or -1 with KeyError, TypeError, ValueError or
 * MemoryError. */
MUST_USE int static_read(struct static_settings *settings, PyObject *mapping,
                         struct statics_config *config);

/* Drops what static_read() took; may be called after a failure, and twice. */
void static_clear(struct static_settings *settings);

#endif
