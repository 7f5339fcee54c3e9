/* SPDX-License-Identifier: MIT */
/* py/tls.h — the settings of TLS that Server() is given, made into what connections
 * share. */
#ifndef PY_TLS_H
#define PY_TLS_H

#include <Python.h>

#include "asgi/state.h"  /* module_state */
#include "tls/context.h" /* struct tls_context */

/* Makes *out, a reference of the caller's, from `settings`, a mapping with the keys of
 * bolide/_engine.pyi; NULL from None.  `number` is one that no context of this server had
 * before.  0, or -1 with TLSError when a file or a name cannot be used, KeyError,
 * TypeError or ValueError. */
MUST_USE int tls_read(module_state *st, PyObject *settings, uint32_t number,
                      struct tls_context **out);

#endif
