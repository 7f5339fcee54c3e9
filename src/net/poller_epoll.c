/* SPDX-License-Identifier: MIT */
/* net/poller_epoll.c — see poller.h for the contract. The implementation with epoll. */
#include "net/poller.h"

#include <assert.h>      /* assert */
#include <errno.h>       /* errno */
#include <sys/epoll.h>   /* epoll_create1 */
#include <sys/timerfd.h> /* timerfd_create */
#include <unistd.h>      /* close, read */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "net/os.h"

/* Maximum number of events per call. */
#define POLL_EVENTS_MAX 256

struct poller {
    int epoll_fd;
    uint64_t reports;   /* in total */
    struct watch alarm; /* of the poller's timer descriptor */
    struct epoll_event events[POLL_EVENTS_MAX];
};

static void
swallow_alarm(struct watch *watch, unsigned events)
{
    uint64_t times;

    (void)events;
    ssize_t n = read(watch->fd, &times, sizeof times);
    (void)n; /* a second reader finds nothing, which is correct */
}

int
poller_new(struct poller **out)
{
    int err = ERR_NOMEM;
    struct poller *poller = mem_calloc(1, sizeof *poller);
    if (poller == NULL)
        return err;
    poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch_init(&poller->alarm,
               timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
               swallow_alarm);
    if (poller->epoll_fd == -1 || poller->alarm.fd == -1) {
        err = err_from_errno(errno);
        goto fail;
    }
    err = poller_watch(poller, &poller->alarm, POLLER_READ);
    if (err != 0)
        goto fail;
    *out = poller;
    return 0;

fail:
    poller_free(poller);
    return err;
}

void
poller_free(struct poller *poller)
{
    if (poller == NULL)
        return;
    if (poller->epoll_fd != -1)
        close(poller->epoll_fd);
    if (poller->alarm.fd != -1)
        close(poller->alarm.fd);
    mem_free(poller);
}

int
poller_fd(const struct poller *poller)
{
    return poller->epoll_fd;
}

void
poller_disown(struct poller *poller)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (epoll_fd != -1) {
        os_replace(poller->epoll_fd, epoll_fd);
        close(epoll_fd);
    }
    if (timer_fd != -1) {
        os_replace(poller->alarm.fd, timer_fd);
        close(timer_fd);
    }
}

int
poller_watch(struct poller *poller, struct watch *watch, unsigned events)
{
    struct epoll_event event = {.data.ptr = watch};

    assert(watch->on_ready != NULL && (events & POLLER_DEAD) == 0);
    if ((events & POLLER_READ) != 0)
        event.events |= EPOLLIN;
    if ((events & POLLER_WRITE) != 0)
        event.events |= EPOLLOUT;
    if ((events & POLLER_HUP) != 0)
        event.events |= EPOLLRDHUP;
    int op = watch->is_on ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(poller->epoll_fd, op, watch->fd, &event) == -1)
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
    if (!watch->is_on)
        return;
    assert(watch->fd != -1); /* it may be closed only after that */
    epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->is_on = false;
    watch->events = 0;
}

static unsigned
events_of(uint32_t epoll_events)
{
    unsigned events = 0;

    if ((epoll_events & EPOLLIN) != 0)
        events |= POLLER_READ;
    if ((epoll_events & EPOLLOUT) != 0)
        events |= POLLER_WRITE;
    if ((epoll_events & EPOLLRDHUP) != 0)
        events |= POLLER_HUP;
    if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0 && (events & POLLER_READ) == 0)
        events |= POLLER_DEAD;
    assert((events & (POLLER_READ | POLLER_DEAD)) != (POLLER_READ | POLLER_DEAD));
    return events;
}

int
poller_poll(struct poller *poller, struct poller_ready *ready, int max, bool *alarm)
{
    assert(max > 0);
    int limit = max < POLL_EVENTS_MAX ? max : POLL_EVENTS_MAX;
    int n = epoll_wait(poller->epoll_fd, poller->events, limit, 0);
    if (n == -1)
        return errno == EINTR ? 0 : err_from_errno(errno);

    int nready = 0;
    for (int i = 0; i < n; i++) {
        struct watch *watch = poller->events[i].data.ptr;
        struct poller_ready found = {watch, events_of(poller->events[i].events)};
        assert(watch->is_on);
        if (watch == &poller->alarm) {
            poller_tell(&found);
            *alarm = true;
            continue;
        }
        ready[nready++] = found;
    }
    poller_order(ready, nready, &poller->reports);
    return nready;
}

void
poller_alarm(struct poller *poller, int64_t ms)
{
    struct itimerspec when = {{0, 0}, {0, 0}};

    assert(ms >= -1);
    if (ms >= 0) {
        when.it_value.tv_sec = ms / 1000;
        when.it_value.tv_nsec = ms % 1000 * 1000000 + 1; /* 0 would disarm it */
    }
    timerfd_settime(poller->alarm.fd, 0, &when, NULL);
}
