/* SPDX-License-Identifier: MIT */
/* net/poller_kqueue.c — see poller.h for the contract. The implementation with kqueue,
 * for macOS and the BSDs, and with libkqueue, which tests it on Linux.
 *
 * kqueue has no filter for hang-ups and errors alone. A watch that does not ask for
 * POLLER_READ has the read filter with EV_CLEAR, which reports each change once: what
 * is only data is dropped, and does not wake up again. */
#include <assert.h> /* assert */
#include <errno.h>  /* errno */
#include <fcntl.h>  /* fcntl */
#include <poll.h>   /* poll */
#include <stdio.h>  /* snprintf */
#include <string.h> /* strcmp */
/* clang-format off: in this order */
#include <sys/types.h> /* uintptr_t */
#include <sys/event.h> /* kqueue */
/* clang-format on */
#include <time.h>   /* struct timespec */
#include <unistd.h> /* close */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "net/poller.h"

/* Maximum number of events per call. */
#define POLL_EVENTS_MAX 256

/* Two filters are taken back, two are added. */
#define CHANGES_MAX 4

struct poller {
    int kqueue_fd;
    int loop_fd;      /* what another loop watches */
    bool has_alarm;   /* the timer is set and has not fired */
    uint64_t reports; /* in total */
    struct kevent events[POLL_EVENTS_MAX];
};

#ifdef __linux__
static bool
is_epoll(int fd)
{
    char path[32], name[32] = "";

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, name, sizeof name - 1) > 0 &&
           strcmp(name, "anon_inode:[eventpoll]") == 0;
}

/* The descriptor of libkqueue is a pipe, which is never readable. The epoll instance
 * that it serves is the first descriptor that libkqueue opens, unless its thread, which
 * closes those of earlier ones, has just freed a lower number. */
static int
open_kqueue(int *loop_fd)
{
    for (;;) {
        int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
        if (lowest == -1)
            return -1;
        close(lowest);
        int fd = kqueue();
        *loop_fd = lowest;
        if (fd == -1 || is_epoll(lowest))
            return fd;
        close(fd);
    }
}
#else
static int
open_kqueue(int *loop_fd)
{
    int fd = *loop_fd = kqueue();

    if (fd != -1)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}
#endif

int
poller_new(struct poller **out)
{
    struct poller *poller = mem_calloc(1, sizeof *poller);
    if (poller == NULL)
        return ERR_NOMEM;
    poller->kqueue_fd = open_kqueue(&poller->loop_fd);
    if (poller->kqueue_fd == -1) {
        int err = err_from_errno(errno);
        mem_free(poller);
        return err;
    }
    *out = poller;
    return 0;
}

void
poller_free(struct poller *poller)
{
    if (poller == NULL)
        return;
    if (poller->kqueue_fd != -1)
        close(poller->kqueue_fd);
    mem_free(poller);
}

int
poller_fd(const struct poller *poller)
{
    return poller->loop_fd;
}

/* A forked process does not inherit a kqueue: its number is free, or in use for
 * something else. */
void
poller_disown(struct poller *poller)
{
    poller->kqueue_fd = open_kqueue(&poller->loop_fd);
    poller->has_alarm = false;
}

static bool
has_read_filter(unsigned events)
{
    return (events & (POLLER_READ | POLLER_HUP)) != 0 || (events & POLLER_WRITE) == 0;
}

/* Appends the changes that add (or take back: EV_DELETE) the filters of `events`. The
 * write filter comes last. */
static int
add_changes(struct kevent *changes, struct watch *watch, unsigned events,
            unsigned short flags)
{
    uintptr_t fd = (uintptr_t)narrow_size(watch->fd);
    int n = 0;

    if (has_read_filter(events)) {
        bool is_level = (events & POLLER_READ) != 0 || flags == EV_DELETE;
        unsigned short once = is_level ? 0 : EV_CLEAR;
        EV_SET(&changes[n++], fd, EVFILT_READ, (unsigned short)(flags | once), 0, 0,
               watch);
    }
    if ((events & POLLER_WRITE) != 0)
        EV_SET(&changes[n++], fd, EVFILT_WRITE, flags, 0, 0, watch);
    return n;
}

int
poller_watch(struct poller *poller, struct watch *watch, unsigned events)
{
    struct kevent changes[CHANGES_MAX];
    int n = 0;

    assert(watch->on_ready != NULL && (events & POLLER_DEAD) == 0);
    if (watch->fd < 0)
        return ERR_IO;
    if (watch->is_on)
        n = add_changes(changes, watch, watch->events, EV_DELETE);
    n += add_changes(changes + n, watch, events, EV_ADD);
    assert(n <= CHANGES_MAX);
    if (kevent(poller->kqueue_fd, changes, n, NULL, 0, NULL) == -1)
        return err_from_errno(errno);
    if (!watch->is_on)
        watch->last = poller->reports;
    watch->events = narrow_u8(events);
    watch->is_on = true;
    return 0;
}

void
poller_unwatch(struct poller *poller, struct watch *watch)
{
    struct kevent changes[CHANGES_MAX];

    if (!watch->is_on)
        return;
    assert(watch->fd != -1); /* it may be closed only after that */
    int n = add_changes(changes, watch, watch->events, EV_DELETE);
    (void)kevent(poller->kqueue_fd, changes, n, NULL, 0, NULL);
    watch->is_on = false;
    watch->events = 0;
}

/* Returns POLLER_HUP or POLLER_DEAD for an event of the read filter, which reports the
 * end of what the peer sends and errors in the same way. */
static unsigned
look_for_end(const struct kevent *event)
{
#ifdef POLLRDHUP
    struct pollfd look = {.fd = (int)event->ident, .events = POLLRDHUP};
    unsigned found = 0;

    if (poll(&look, 1, 0) <= 0)
        return 0;
    if ((look.revents & (POLLRDHUP | POLLHUP)) != 0)
        found |= POLLER_HUP;
    if ((look.revents & (POLLHUP | POLLERR)) != 0)
        found |= POLLER_DEAD;
    return found;
#else
    if ((event->flags & EV_EOF) == 0)
        return 0;
    return event->fflags != 0 ? POLLER_HUP | POLLER_DEAD : POLLER_HUP;
#endif
}

static unsigned
events_of_filter(const struct kevent *event)
{
    const struct watch *watch = event->udata;
    unsigned events = POLLER_READ;

    if (event->filter == EVFILT_WRITE) {
        bool is_dead = (event->flags & EV_EOF) != 0;
        events = POLLER_WRITE;
        if (is_dead && (watch->events & POLLER_READ) == 0)
            events |= POLLER_DEAD;
    } else if ((watch->events & POLLER_READ) == 0) {
        events = look_for_end(event) & (watch->events | POLLER_DEAD);
    } else if ((watch->events & POLLER_HUP) != 0 && (event->flags & EV_EOF) != 0) {
        events |= POLLER_HUP;
    }
    assert((events & (POLLER_READ | POLLER_DEAD)) != (POLLER_READ | POLLER_DEAD));
    return events;
}

int
poller_poll(struct poller *poller, struct poller_ready *ready, int max, bool *alarm)
{
    static const struct timespec at_once;

    assert(max > 0);
    int limit = max < POLL_EVENTS_MAX ? max : POLL_EVENTS_MAX;
    int n = kevent(poller->kqueue_fd, NULL, 0, poller->events, limit, &at_once);
    if (n == -1)
        return errno == EINTR ? 0 : err_from_errno(errno);

    int nready = 0;
    for (int i = 0; i < n; i++) {
        const struct kevent *event = &poller->events[i];
        if (event->filter == EVFILT_TIMER) {
            poller->has_alarm = false;
            *alarm = true;
            continue;
        }
        struct poller_ready found = {event->udata, events_of_filter(event)};
        assert(found.watch->is_on);
        if (found.events != 0)
            ready[nready++] = found;
    }
    poller_order(ready, nready, &poller->reports);
    return nready;
}

/* A timer that fires again and again could be late once only, so it fires once. */
void
poller_alarm(struct poller *poller, int64_t ms)
{
    struct kevent changes[2];
    int n = 0;

    assert(ms >= -1);
    if (poller->has_alarm)
        EV_SET(&changes[n++], 0, EVFILT_TIMER, EV_DELETE, 0, 0, NULL);
    if (ms >= 0) /* libkqueue takes 0 for no timer */
        EV_SET(&changes[n++], 0, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0,
               (intptr_t)(ms > 0 ? ms : 1), NULL);
    poller->has_alarm = ms >= 0;
    if (n > 0)
        (void)kevent(poller->kqueue_fd, changes, n, NULL, 0, NULL);
}
