/* SPDX-License-Identifier: MIT */
/* py/loop.h — the engine as a guest of an asyncio event loop: the loop watches one
 * descriptor and calls the engine's turns; nothing else of the loop is touched. */
#ifndef PY_LOOP_H
#define PY_LOOP_H

#include "py/server_type.h" /* ServerObject */

/* Has self->host.loop watch self->server from now on, in a copy of the current context,
 * so that what a request sets is not seen by the next (ASGI A13).  0, or -1 with an
 * exception. */
MUST_USE int loop_tie(ServerObject *self);

/* Ends that; fine when nothing is watched, and when the loop is closed. */
void loop_untie(ServerObject *self);

/* server_config.schedule: `owner` is a ServerObject. */
void loop_schedule(void *owner);

/* host->wake: a turn runs soon, though there is no memory. */
void loop_wake(struct host *host);

int loop_visit(struct loop_tie *tie, visitproc visit, void *arg);

#endif
