/* SPDX-License-Identifier: MIT */
/* tests/c/test_poller.c — ready descriptors are reported as requested, the alarm
 * fires once, and another loop can watch both through one descriptor; the least recently
 * reported comes first. */
#include "net/poller.c"
#ifdef HAVE_KQUEUE
#include "net/poller_kqueue.c"
#else
#include "net/poller_epoll.c"
#endif

#include <poll.h>         /* poll */
#include <sys/resource.h> /* setrlimit */
#include <sys/socket.h>   /* socketpair */
#include <sys/wait.h>     /* waitpid */

#include "aborts.h"
#include "tap.h"

#define PAIRS_MAX 4

/* Two connected sockets; actions at the other end are visible at ours. */
struct pair {
    int ours, other;
    struct watch watch; /* of ours */
    unsigned told;      /* all events passed to on_ready */
    int ntold;
};

static void
on_ready(struct watch *watch, unsigned events)
{
    struct pair *pair = container_of(watch, struct pair, watch);

    pair->told |= events;
    pair->ntold++;
}

static struct pair
make_pair(void)
{
    int fds[2] = {-1, -1};

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
        printf("Bail out! no sockets\n");
    struct pair pair = {.ours = fds[0], .other = fds[1]};
    watch_init(&pair.watch, pair.ours, on_ready);
    return pair;
}

static void
close_pair(struct pair *pair)
{
    close(pair->ours);
    if (pair->other != -1)
        close(pair->other);
}

/* Returns the events reported for the pair; 0 if it is not ready. */
static unsigned
events_for(struct poller *poller, struct pair *pair)
{
    struct poller_ready ready[16];
    bool alarm = false;
    int n = poller_poll(poller, ready, 16, &alarm);

    pair->told = 0;
    for (int i = 0; i < n; i++)
        poller_tell(&ready[i]);
    return pair->told;
}

/* Returns whether a loop that watches the poller would wake up within `ms`. */
static bool
wakes_within(const struct poller *poller, int ms)
{
    struct pollfd set = {.fd = poller_fd(poller), .events = POLLIN};
    return poll(&set, 1, ms) == 1;
}

static void
do_nothing(struct pair *pair)
{
    (void)pair;
}

static void
send_byte(struct pair *pair)
{
    (void)!write(pair->other, "x", 1);
}

static void
shut_down(struct pair *pair)
{
    shutdown(pair->other, SHUT_WR);
}

static void
close_other(struct pair *pair)
{
    close(pair->other);
    pair->other = -1;
}

static void
send_and_close(struct pair *pair)
{
    send_byte(pair);
    close_other(pair);
}

static const struct {
    const char *about;
    void (*act)(struct pair *pair);
    unsigned asked, told;
} rows[] = {
    {"a quiet socket without events", do_nothing, 0, 0},
    {"a quiet socket is not readable", do_nothing, POLLER_READ, 0},
    {"an empty one is writable", do_nothing, POLLER_WRITE, POLLER_WRITE},
    {"both are watched", do_nothing, POLLER_READ | POLLER_WRITE, POLLER_WRITE},
    {"a byte is readable", send_byte, POLLER_READ, POLLER_READ},
    {"a byte and room", send_byte, POLLER_READ | POLLER_WRITE,
     POLLER_READ | POLLER_WRITE},
    {"a byte that is not watched", send_byte, 0, 0},
    {"a byte is no hang-up", send_byte, POLLER_HUP, 0},
    {"an end is readable", shut_down, POLLER_READ, POLLER_READ},
    {"an end that is watched", shut_down, POLLER_HUP, POLLER_HUP},
    {"an end that is not watched", shut_down, 0, 0},
    {"a reset peer is reported in any case", close_other, 0, POLLER_DEAD},
    {"the end of a dead peer is read", close_other, POLLER_READ, POLLER_READ},
    {"what it has sent is read first", send_and_close, POLLER_READ, POLLER_READ},
    {"and written to as before", send_and_close, POLLER_READ | POLLER_WRITE,
     POLLER_READ | POLLER_WRITE},
    {"it is reported even if not read", send_and_close, 0, POLLER_DEAD},
    {"and has hung up", close_other, POLLER_HUP, POLLER_HUP | POLLER_DEAD},
};

/* The events that are reported again: kqueue may report an end only once. */
static unsigned
again(unsigned told)
{
#ifdef HAVE_KQUEUE
    return told & (POLLER_READ | POLLER_WRITE);
#else
    return told;
#endif
}

static void
test_ready_events_are_reported_as_requested(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct poller *poller = NULL;
        struct pair pair = make_pair();
        is(poller_new(&poller), 0, "a poller");
        is(poller_watch(poller, &pair.watch, rows[i].asked), 0, "watches");
        is(pair.watch.events, rows[i].asked, "and knows for what");
        rows[i].act(&pair);
        is(events_for(poller, &pair), rows[i].told, "%s", rows[i].about);
        is(events_for(poller, &pair), again(rows[i].told),
           "and reported again while it lasts");
        is(wakes_within(poller, 0), again(rows[i].told) != 0, "another loop sees it");
        poller_unwatch(poller, &pair.watch);
        is(events_for(poller, &pair), 0,
           "nothing is reported about what is not watched");
        close_pair(&pair);
        poller_free(poller);
    }
}

static void
test_the_watched_events_can_change(void)
{
    struct poller *poller = NULL;
    struct pair pair = make_pair();
    struct watch other;

    is(poller_new(&poller), 0, "a poller");
    is(poller_watch(poller, &pair.watch, POLLER_READ), 0, "watches");
    is(events_for(poller, &pair), 0, "nothing is there to read");
    is(poller_watch(poller, &pair.watch, POLLER_WRITE), 0, "then for room");
    is(events_for(poller, &pair), POLLER_WRITE, "which is reported");
    is(poller_watch(poller, &pair.watch, 0), 0, "then for nothing");
    is(events_for(poller, &pair), 0, "and nothing is reported");
    ok(pair.watch.is_on, "but it is on");
#ifndef HAVE_KQUEUE /* which replaces the first one */
    watch_init(&other, pair.ours, on_ready);
    is(poller_watch(poller, &other, 0), ERR_IO, "a descriptor has one watch");
    ok(!other.is_on, "a second one is not on");
#endif
    watch_init(&other, -1, on_ready);
    is(poller_watch(poller, &other, 0), ERR_IO, "an invalid descriptor has none");
    poller_unwatch(poller, &other);
    poller_unwatch(poller, &pair.watch);
    poller_unwatch(poller, &pair.watch);
    ok(!pair.watch.is_on, "what is off can be switched off again");
    is(poller_watch(poller, &pair.watch, POLLER_WRITE), 0, "and on again");
    is(events_for(poller, &pair), POLLER_WRITE, "then it is reported");
    close_pair(&pair);
    poller_free(poller);
}

/* The callback of one may end another one that became ready with it. */
static void
test_a_watch_switched_off_meanwhile_is_not_reported(void)
{
    struct poller *poller = NULL;
    struct pair pairs[2] = {make_pair(), make_pair()};
    struct poller_ready ready[2];
    bool alarm = false;

    is(poller_new(&poller), 0, "a poller");
    for (int i = 0; i < 2; i++)
        is(poller_watch(poller, &pairs[i].watch, POLLER_WRITE), 0, "watches");
    is(poller_poll(poller, ready, 2, &alarm), 2, "both are ready");
    poller_tell(&ready[0]);
    poller_unwatch(poller, ready[1].watch);
    poller_tell(&ready[1]);
    is(pairs[0].ntold + pairs[1].ntold, 1, "one is reported");
    for (int i = 0; i < 2; i++)
        close_pair(&pairs[i]);
    poller_free(poller);
}

/* One that missed a poll waits no longer than those that were ready in each. */
static void
test_the_least_recently_reported_comes_first(void)
{
    struct poller *poller = NULL;
    struct pair pairs[3] = {make_pair(), make_pair(), make_pair()};
    struct poller_ready ready[3];
    bool alarm = false;

    is(poller_new(&poller), 0, "a poller");
    for (int i = 0; i < 3; i++)
        is(poller_watch(poller, &pairs[i].watch, POLLER_READ), 0, "watches");
    send_byte(&pairs[0]);
    send_byte(&pairs[2]);
    is(poller_poll(poller, ready, 3, &alarm), 2, "two are ready");
    struct watch *order[3] = {&pairs[1].watch, ready[0].watch, ready[1].watch};
    send_byte(&pairs[1]);
    for (int round = 0; round < 4; round++) {
        is(poller_poll(poller, ready, 3, &alarm), 3, "all are ready");
        for (int i = 0; i < 3; i++)
            ok(ready[i].watch == order[i], "round %d: place %d is kept", round, i);
    }
    is(poller_poll(poller, ready, 1, &alarm), 1, "one fits");
    struct watch *only = ready[0].watch;
    is(poller_poll(poller, ready, 3, &alarm), 3, "all are ready");
    ok(ready[2].watch == only, "the one that was reported alone is the last");
    poller_unwatch(poller, order[0]);
    is(poller_watch(poller, order[0], POLLER_READ), 0, "switched on again");
    is(poller_poll(poller, ready, 3, &alarm), 3, "all are ready");
    ok(ready[0].watch != order[0], "one that is new has no advantage");
    for (int i = 0; i < 3; i++)
        close_pair(&pairs[i]);
    poller_free(poller);
}

static void
watch_nobody(void *arg)
{
    struct watch nobody = {.fd = 0};

    (void)!poller_watch(arg, &nobody, POLLER_READ);
}

static void
ask_for_dead(void *arg)
{
    struct watch watch;

    watch_init(&watch, 0, on_ready);
    (void)!poller_watch(arg, &watch, POLLER_DEAD);
}

static void
tell_nothing(void *arg)
{
    struct pair *pair = arg;

    poller_tell(&(struct poller_ready){&pair->watch, 0});
}

static void
test_broken_contracts_are_detected(void)
{
    struct poller *poller = NULL;
    struct pair pair = make_pair();

    is(poller_new(&poller), 0, "a poller");
    ok(aborts(watch_nobody, poller), "a watch without a callback");
    ok(aborts(ask_for_dead, poller),
       "events that are always reported cannot be requested");
    ok(aborts(tell_nothing, &pair), "a call without an event");
    close_pair(&pair);
    poller_free(poller);
}

static void
test_no_more_events_are_reported_than_fit(void)
{
    struct poller *poller = NULL;
    struct pair pairs[PAIRS_MAX];
    struct poller_ready ready[PAIRS_MAX + 1];
    bool alarm = false;

    is(poller_new(&poller), 0, "a poller");
    for (int i = 0; i < PAIRS_MAX; i++) {
        pairs[i] = make_pair();
        send_byte(&pairs[i]);
        is(poller_watch(poller, &pairs[i].watch, POLLER_READ), 0, "watch");
    }
    is(poller_poll(poller, ready, 2, &alarm), 2, "two fit");
    is(poller_poll(poller, ready, PAIRS_MAX + 1, &alarm), PAIRS_MAX, "all fit");
    for (int i = 0; i < PAIRS_MAX; i++)
        poller_tell(&ready[i]);
    for (int i = 0; i < PAIRS_MAX; i++) {
        is(pairs[i].ntold, 1, "socket %d is reported", i);
        close_pair(&pairs[i]);
    }
    ok(!alarm, "no alarm has fired");
    poller_free(poller);
}

static void
test_an_alarm_fires_once_and_not_early(void)
{
    struct poller *poller = NULL;
    struct poller_ready ready[1];
    struct timespec before, after;
    bool alarm = false;

    is(poller_new(&poller), 0, "a poller");
    clock_gettime(CLOCK_MONOTONIC, &before);
    poller_alarm(poller, 20);
    ok(wakes_within(poller, 10000), "another loop wakes up");
    clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t ns = (int64_t)(after.tv_sec - before.tv_sec) * 1000000000 +
                 (after.tv_nsec - before.tv_nsec);
    ok(ns >= 20000000, "not before its time");
    is(poller_poll(poller, ready, 1, &alarm), 0, "an alarm is no event");
    ok(alarm, "but it is reported");
    alarm = false;
    is(poller_poll(poller, ready, 1, &alarm), 0, "and the alarm is cleared");
    ok(!alarm, "so that it fires once");
    ok(!wakes_within(poller, 0), "and it wakes no event loop");
    poller_free(poller);
}

static void
test_an_alarm_is_replaced_or_switched_off(void)
{
    struct poller *poller = NULL;

    is(poller_new(&poller), 0, "a poller");
    poller_alarm(poller, 1);
    poller_alarm(poller, -1);
    ok(!wakes_within(poller, 30), "an alarm that is switched off does not fire");
    poller_alarm(poller, 1);
    poller_alarm(poller, 3600000);
    ok(!wakes_within(poller, 30), "nor does one replaced by a later one");
    poller_alarm(poller, 1);
    ok(wakes_within(poller, 10000), "a sooner one does");
    poller_alarm(poller, 3600000);
    ok(!wakes_within(poller, 0), "and is dropped when it is set again");
    poller_alarm(poller, 0);
    ok(wakes_within(poller, 10000), "no time at all is soon");
    poller_free(poller);
}

static void
test_a_poller_that_cannot_be_made_leaves_nothing(void)
{
    struct poller *poller = NULL;
    struct rlimit before, few;
    int lowest = dup(0);

    close(lowest);
    mem_fail_at(1);
    int err = poller_new(&poller);
    mem_fail_at(0);
    if (err == 0) /* a release build fails no allocation */
        poller_free(poller);
    else
        is(err, ERR_NOMEM, "no memory");
    getrlimit(RLIMIT_NOFILE, &before);
    for (int room = 0; room < 2; room++) {
        few = before;
        few.rlim_cur = (rlim_t)(lowest + room);
        is(setrlimit(RLIMIT_NOFILE, &few), 0, "room for %d descriptors", room);
        is(poller_new(&poller), ERR_FD_LIMIT, "is not enough");
        is(setrlimit(RLIMIT_NOFILE, &before), 0, "then there is more");
#ifndef HAVE_KQUEUE /* libkqueue closes later, in a thread */
        int next = dup(0);
        is(next, lowest, "and nothing was left open");
        close(next);
#endif
    }
    poller_free(NULL);
}

static void
test_a_fork_does_not_affect_the_parent_s_poller(void)
{
    struct pair pair = make_pair();
    struct poller *poller = NULL;
    struct poller_ready ready[4];
    bool alarm = false;
    int status = -1;

    is(poller_new(&poller), 0, "a poller");
    is(poller_watch(poller, &pair.watch, POLLER_READ), 0, "watches");
    pid_t child = fork();
    if (child == 0) {
        poller_disown(poller);
        int n = poller_poll(poller, ready, 4, &alarm);
        poller_unwatch(poller, &pair.watch);
        poller_alarm(poller, -1);
        poller_free(poller);
        _exit(n);
    }
    is(waitpid(child, &status, 0), child, "its child ends");
    is(status, 0, "having seen nothing");
    is(write(pair.other, "x", 1), 1, "a byte comes");
    is(events_for(poller, &pair), POLLER_READ, "and is seen by the parent");
    close_pair(&pair);
    poller_free(poller);
}

int
main(void)
{
    test_ready_events_are_reported_as_requested();
    test_the_watched_events_can_change();
    test_a_watch_switched_off_meanwhile_is_not_reported();
    test_the_least_recently_reported_comes_first();
    test_broken_contracts_are_detected();
    test_no_more_events_are_reported_than_fit();
    test_an_alarm_fires_once_and_not_early();
    test_an_alarm_is_replaced_or_switched_off();
    test_a_fork_does_not_affect_the_parent_s_poller();
    test_a_poller_that_cannot_be_made_leaves_nothing();
    return tap_done();
}
