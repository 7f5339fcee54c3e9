/* SPDX-License-Identifier: MIT */
/* static/threads.h — starts the threads that open and read files, and the watching
 * for changes, when they are first needed. */
#ifndef STATIC_THREADS_H
#define STATIC_THREADS_H

#include "base/compiler.h" /* MUST_USE */
#include "net/offload.h"   /* struct offload_job */
#include "static/state.h"  /* struct statics */

/* Starts the threads and the watching for changes, unless they have started. Returns
 * 0, or ERR_NOMEM, ERR_FD_LIMIT or ERR_IO. */
MUST_USE int threads_start(struct statics *statics);

/* Passes a job to the threads. Returns as threads_start() and offload_put() do. */
MUST_USE int threads_put(struct statics *statics, struct offload_job *job);

/* Stops both; may be called without threads_start(). */
void threads_fini(struct statics *statics);

#endif
