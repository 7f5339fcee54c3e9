/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/poller.c — see poller.h. */
#include "session/poller.h"

#include "session/world.h"

struct poller the_poller;

int
poller_new(struct poller **out)
{
    the_poller = (struct poller){.watch = NULL};
    *out = &the_poller;
    return 0;
}

void
poller_free(struct poller *poller)
{
    CHECK(poller->watch == NULL);
}

int
poller_fd(const struct poller *poller)
{
    (void)poller;
    return -1;
}

int
poller_watch(struct poller *poller, struct watch *watch, unsigned events)
{
    CHECK(watch->fd == world_fd() && watch->is_on == (poller->watch == watch));
    poller->watch = watch;
    watch->events = (uint8_t)events;
    watch->is_on = true;
    return 0;
}

void
poller_unwatch(struct poller *poller, struct watch *watch)
{
    CHECK(watch->is_on == (poller->watch == watch));
    if (!watch->is_on)
        return;
    CHECK(watch->fd == world_fd());
    poller->watch = NULL;
    watch->is_on = false;
}

int
poller_poll(struct poller *poller, struct poller_ready *ready, int max, bool *alarm)
{
    CHECK(max > 0);
    world_step();
    if (poller->alarm_ns != 0 && poller->alarm_ns <= world_now_ns()) {
        poller->alarm_ns = 0;
        *alarm = true;
    }
    if (poller->watch == NULL)
        return 0;
    unsigned events = world_events(poller->watch->events);
    *ready = (struct poller_ready){poller->watch, events};
    return events != 0;
}

void
poller_alarm(struct poller *poller, int64_t ms)
{
    CHECK(ms == -1 || ms >= 1);
    poller->alarm_ns = ms == -1 ? 0 : world_now_ns() + (uint64_t)ms * 1000000;
}
