/* SPDX-License-Identifier: MIT */
/* static/statics.h — serves files below directories, without the application: one
 * link of the chain of handlers (http/handler.h), used by all protocols. Files are
 * opened and read in threads. What is known about a path is cached until the file
 * system reports a change, or for a limited time. docs/STATIC.md describes the
 * responses. */
#ifndef STATIC_STATICS_H
#define STATIC_STATICS_H

#include "base/compiler.h" /* MUST_USE */
#include "static/state.h"  /* struct statics */

/* Initializes a struct that is all zero. If `config` has no mounts, no files are
 * served. Returns 0 or ERR_NOMEM. */
MUST_USE int statics_init(struct statics *statics, const struct statics_config *config);

/* Frees everything; may be called twice, and for a struct that is all zero. No exchange
 * may be running. */
void statics_fini(struct statics *statics);

#endif
