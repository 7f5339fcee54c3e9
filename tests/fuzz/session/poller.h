/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/poller.h — a scripted poller, which replaces the engine's: one
 * descriptor and one alarm of the scripted clock (session/world.h). */
#ifndef FUZZ_SESSION_POLLER_H
#define FUZZ_SESSION_POLLER_H

#include <stdint.h> /* uint64_t */

#include "net/poller.h" /* struct watch */

struct poller {
    struct watch *watch; /* NULL: none */
    uint64_t alarm_ns;   /* 0: off */
};

/* There is one. */
extern struct poller the_poller;

/* Defined by each world: the descriptor that may be watched, and for which events of
 * enum poller_event it is ready; `watched` are those of the watch. */
int world_fd(void);
unsigned world_events(unsigned watched);

#endif
