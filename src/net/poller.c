/* SPDX-License-Identifier: MIT */
/* net/poller.c — see poller.h for the contract.  The epoll way. */
#include "net/poller.h"

#include <assert.h>      /* assert */
#include <errno.h>       /* errno */
#include <fcntl.h>       /* O_CLOEXEC */
#include <sys/epoll.h>   /* epoll_create1 */
#include <sys/timerfd.h> /* timerfd_create */
#include <unistd.h>      /* close, read */

#include "base/err.h"
#include "base/mem.h"

/* Events that one call can bring. */
#define POLL_EVENTS_MAX 256

struct poller {
    int epoll_fd;
    int timer_fd; /* in the epoll set, with the poller itself as its argument */
    struct epoll_event events[POLL_EVENTS_MAX];
};

int
poller_new(struct poller **out)
{
    int err = ERR_NOMEM;
    struct poller *poller = mem_calloc(1, sizeof *poller);
    if (poller == NULL)
        return err;
    poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    poller->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (poller->epoll_fd == -1 || poller->timer_fd == -1) {
        err = err_from_errno(errno);
        goto fail;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = poller};
    if (epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, poller->timer_fd, &event) == -1) {
        err = err_from_errno(errno);
        goto fail;
    }
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
    if (poller->timer_fd != -1)
        close(poller->timer_fd);
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
        (void)!dup3(epoll_fd, poller->epoll_fd, O_CLOEXEC);
        close(epoll_fd);
    }
    if (timer_fd != -1) {
        (void)!dup3(timer_fd, poller->timer_fd, O_CLOEXEC);
        close(timer_fd);
    }
}

int
poller_set(struct poller *poller, int fd, unsigned events, void *arg, bool known)
{
    struct epoll_event event = {.data.ptr = arg};

    if ((events & POLLER_READ) != 0)
        event.events |= EPOLLIN;
    if ((events & POLLER_WRITE) != 0)
        event.events |= EPOLLOUT;
    if ((events & POLLER_HUP) != 0)
        event.events |= EPOLLRDHUP;
    int op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    return epoll_ctl(poller->epoll_fd, op, fd, &event) == -1 ? err_from_errno(errno)
                                                             : 0;
}

void
poller_del(struct poller *poller, int fd)
{
    epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
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

static void
swallow_alarm(struct poller *poller)
{
    uint64_t times;
    ssize_t n = read(poller->timer_fd, &times, sizeof times);
    (void)n; /* a second reader finds nothing, which is as good */
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
        if (poller->events[i].data.ptr == poller) {
            swallow_alarm(poller);
            *alarm = true;
            continue;
        }
        ready[nready].arg = poller->events[i].data.ptr;
        ready[nready].events = events_of(poller->events[i].events);
        nready++;
    }
    return nready;
}

void
poller_alarm(struct poller *poller, int64_t ms)
{
    struct itimerspec when = {{0, 0}, {0, 0}};

    assert(ms >= -1);
    if (ms >= 0) {
        when.it_value.tv_sec = ms / 1000;
        when.it_value.tv_nsec = ms % 1000 * 1000000 + 1; /* 0 would switch it off */
    }
    timerfd_settime(poller->timer_fd, 0, &when, NULL);
}
