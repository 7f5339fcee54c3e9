/* SPDX-License-Identifier: MIT */
/* py/tls.h — converts the TLS settings that Server() is given to a context that
 * connections share. */
#ifndef PY_TLS_H
#define PY_TLS_H

#include <Python.h>

#include "asgi/state.h"  /* module_state */
#include "tls/context.h" /* struct tls_context */

/* Creates *out from `settings`, a mapping with the keys of bolide/_engine.pyi; NULL
 * from None. The caller owns a reference to *out. `number` is one that no earlier
 * context of this server had. Returns 0, or -1 with TLSError if a file or a name cannot
 * be used, KeyError, TypeError or ValueError. */
MUST_USE int tls_read(module_state *st, PyObject *settings, uint32_t number,
                      struct tls_context **out);

#endif
