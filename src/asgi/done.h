/* SPDX-License-Identifier: MIT */
/* asgi/done.h — a coroutine that has finished with None. One object,
 * module_state.done, is the result of every send() that does not have to wait. */
#ifndef ASGI_DONE_H
#define ASGI_DONE_H

#include <Python.h>

extern PyType_Spec done_spec;

#endif
