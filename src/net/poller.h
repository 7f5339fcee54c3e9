/* SPDX-License-Identifier: MIT */
/* net/poller.h — readiness of descriptors, and one alarm. poller_epoll.c has the
 * implementation for Linux, poller_kqueue.c the one for macOS and the BSDs. The poller's
 * own descriptor is readable while events are pending, so that another event loop can
 * watch it. */
#ifndef NET_POLLER_H
#define NET_POLLER_H

#include <assert.h>  /* assert */
#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

#include "base/compiler.h" /* MUST_USE, LIKELY */

enum poller_event {
    POLLER_READ = 1,  /* readable, or at the end */
    POLLER_WRITE = 2, /* writable */
    POLLER_HUP = 4,   /* the peer has shut down its writing side */
    POLLER_DEAD = 8,  /* reset, error, or closed by the peer: always reported, but not
                         together with POLLER_READ: available data is read first, and
                         the read finds the end */
};

/* Waits for a descriptor to become ready. It is a part of the connection, the listener
 * or another owner of the descriptor, which on_ready finds with container_of. */
struct watch {
    /* Called by the poller when the descriptor is ready for `events`, of enum
     * poller_event. */
    void (*on_ready)(struct watch *watch, unsigned events);
    uint64_t last;  /* when it was reported, or switched on, in reports of the poller */
    int fd;         /* borrowed; not closed while the watch is on */
    uint8_t events; /* the last argument of poller_watch() */
    bool is_on;     /* registered: between poller_watch() and poller_unwatch() */
};

static inline void
watch_init(struct watch *watch, int fd,
           void (*on_ready)(struct watch *watch, unsigned events))
{
    *watch = (struct watch){.on_ready = on_ready, .fd = fd};
}

struct poller_ready {
    struct watch *watch;
    unsigned events; /* of enum poller_event */
};

struct poller; /* owns its descriptor, and with epoll one of a timer */

/* Creates a poller. On success *out is owned by the caller, who frees it with
 * poller_free(). Returns 0, ERR_NOMEM, ERR_FD_LIMIT or ERR_IO. */
MUST_USE int poller_new(struct poller **out);

/* Closes its descriptors; `poller` may be NULL. Watched descriptors stay open. */
void poller_free(struct poller *poller);

/* Returns the descriptor that another loop watches for reading; borrowed, closed by the
 * poller. */
int poller_fd(const struct poller *poller);

/* Called in a forked process: gives the poller a separate instance and alarm; watches
 * that are on are then not watched any more. With epoll they have the same descriptor
 * numbers; a forked process does not inherit a kqueue, and gets any number. */
void poller_disown(struct poller *poller);

/* Watches watch->fd for `events` (READ, WRITE, HUP or none), which replace earlier
 * ones. READ and WRITE are level-triggered; HUP, and DEAD without WRITE, may be reported
 * once only (kqueue). `watch` must not move while it is on, and its memory must stay
 * valid until all events of the last poller_poll() have been delivered. Returns 0,
 * ERR_NOMEM or ERR_IO. */
MUST_USE int poller_watch(struct poller *poller, struct watch *watch, unsigned events);

/* Stops watching; must be called before the descriptor is closed. Does nothing if the
 * watch is not on. */
void poller_unwatch(struct poller *poller, struct watch *watch);

/* Delivers the events to the watch, unless it is not on any more. */
static inline void
poller_tell(const struct poller_ready *ready)
{
    struct watch *watch = ready->watch;

    assert(watch->on_ready != NULL && ready->events != 0);
    if (LIKELY(watch->is_on))
        watch->on_ready(watch, ready->events);
}

/* Fills ready[0..max) with what is ready now, for poller_tell(); never waits. The least
 * recently reported comes first. Returns how many there are, or a negative enum err. An
 * alarm that has fired is consumed and sets *alarm to true. */
MUST_USE int poller_poll(struct poller *poller, struct poller_ready *ready, int max,
                         bool *alarm);

/* Sets the alarm to fire in `ms` milliseconds (>= 0), replacing the earlier one; -1
 * disables it. It is a system call: set it only when it changes. */
void poller_alarm(struct poller *poller, int64_t ms);

/* For the implementations: puts `n` reports into that order; *reports counts all of the
 * poller. */
void poller_order(struct poller_ready *ready, int n, uint64_t *reports);

#endif
