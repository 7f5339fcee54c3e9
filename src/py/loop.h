/* SPDX-License-Identifier: MIT */
/* py/loop.h — runs the engine on an asyncio event loop: the loop watches one descriptor
 * and calls the engine's turns; nothing else of the loop is used. */
#ifndef PY_LOOP_H
#define PY_LOOP_H

#include "py/server_object.h" /* ServerObject */

/* Makes self->bridge.loop watch self->server from now on, in a copy of the current
 * context, so that a later request does not see what an earlier one sets (ASGI A13).
 * Returns 0, or -1 with an exception. */
MUST_USE int loop_tie(ServerObject *self);

/* Ends that; may be called when nothing is watched, and when the loop is closed. */
void loop_untie(ServerObject *self);

/* server_config.schedule: `owner` is a ServerObject. */
void loop_schedule(void *owner);

/* bridge->wake: makes a turn run soon, without allocating memory. */
void loop_wake(struct bridge *bridge);

int loop_visit(struct loop_tie *tie, visitproc visit, void *arg);

#endif
