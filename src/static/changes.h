/* SPDX-License-Identifier: MIT */
/* static/changes.h — finds the entries that are affected by changes that the file
 * system reports. */
#ifndef STATIC_CHANGES_H
#define STATIC_CHANGES_H

#include <stdbool.h> /* bool */

#include "static/state.h" /* struct statics */

/* Starts watching for changes; called once. If the system cannot report changes,
 * statics->changes is -1. */
void changes_init(struct statics *statics);

/* Stops watching; may be called without changes_init(). */
void changes_fini(struct statics *statics);

/* Records the directories that a load of a path below mounts[mount] watches. Returns
 * true if changes in them will be reported. Returns false if one of them is already
 * known by another path, or if too many are watched. */
bool changes_note(struct statics *statics, unsigned mount, const struct load *load);

#endif
