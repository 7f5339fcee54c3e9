/* SPDX-License-Identifier: MIT */
/* static/roots.h — detects that the directory of a prefix has been replaced by
 * another one, for example because a symbolic link now points to a new release. */
#ifndef STATIC_ROOTS_H
#define STATIC_ROOTS_H

#include <stdint.h> /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "static/state.h"  /* struct statics */

/* The minimum time between two checks. Without requests there are none. */
#define ROOTS_MS 1000u

/* Returns 0 or ERR_NOMEM. */
MUST_USE int roots_init(struct statics *statics);
void roots_fini(struct statics *statics);

/* Called for each request below mounts[mount]. If a check is due, a thread runs it;
 * if the directory has been replaced, all entries are dropped. */
void roots_check(struct statics *statics, unsigned mount, uint64_t now_ms);

#endif
