/* SPDX-License-Identifier: MIT */
/* net/poller.h — readiness of descriptors, and one alarm, behind a few functions.  epoll on
 * Linux; the interface is what kqueue can give as well.  The poller's own descriptor is
 * readable while events are pending, so that another event loop can watch it. */
#ifndef NET_POLLER_H
#define NET_POLLER_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

#include "base/compiler.h" /* MUST_USE */

enum poller_event {
    POLLER_READ = 1,  /* readable, or at the end */
    POLLER_WRITE = 2, /* writable */
    POLLER_HUP = 4,   /* the peer has shut down its writing side */
    POLLER_DEAD = 8,  /* reset, error, or closed by the peer: always reported, but not
                         together with POLLER_READ: what is there is read first, and the
                         read finds the end */
};

struct poller_ready {
    void *arg;       /* as given to poller_set */
    unsigned events; /* of enum poller_event */
};

struct poller; /* owns an epoll descriptor and a timer descriptor */

/* Makes a poller.  Returns 0, ERR_NOMEM, ERR_FD_LIMIT or ERR_IO. */
MUST_USE int poller_new(struct poller **out);

/* Closes its descriptors; NULL is fine.  Watched descriptors stay open. */
void poller_free(struct poller *poller);

/* The descriptor that another loop watches for reading; borrowed, the poller closes it. */
int poller_fd(const struct poller *poller);

/* In a process that was forked: gives the poller an epoll instance and an alarm of its
 * own, under the same numbers; nothing is watched then. */
void poller_disown(struct poller *poller);

/* Watches `fd` (level-triggered) for `events` (READ, WRITE, HUP or none) and remembers
 * `arg`.  `known`: whether fd is watched already.  Returns 0, ERR_NOMEM or ERR_IO. */
MUST_USE int poller_set(struct poller *poller, int fd, unsigned events, void *arg,
                        bool known);

/* Watches fd no longer; call it before the descriptor is closed. */
void poller_del(struct poller *poller, int fd);

/* Fills ready[0..max) with what is ready now; never waits.  Returns how many, 0 when
 * nothing is, or a negative enum err.  An alarm that has rung is swallowed and sets
 * *alarm to true. */
MUST_USE int poller_poll(struct poller *poller, struct poller_ready *ready, int max,
                         bool *alarm);

/* Rings in `ms` milliseconds (>= 0), replacing the alarm that was set; -1 switches it
 * off.  A system call: set it only when it changes. */
void poller_alarm(struct poller *poller, int64_t ms);

#endif
