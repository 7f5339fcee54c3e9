/* SPDX-License-Identifier: MIT */
/* tests/c/test_poller.c — what is ready is told as it was asked for, the alarm rings once,
 * and another loop can watch both through one descriptor. */
#include "net/poller.c"

#include <poll.h>         /* poll */
#include <stdint.h>       /* intptr_t */
#include <sys/resource.h> /* setrlimit */
#include <sys/socket.h>   /* socketpair */
#include <sys/wait.h>     /* waitpid */

#include "tap.h"

#define PAIRS_MAX 4

/* Two connected sockets; what is done to the other end shows at ours. */
struct pair {
    int ours, other;
};

static struct pair
make_pair(void)
{
    int fds[2] = {-1, -1};

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
        printf("Bail out! no sockets\n");
    return (struct pair){fds[0], fds[1]};
}

static void
close_pair(struct pair *pair)
{
    close(pair->ours);
    if (pair->other != -1)
        close(pair->other);
}

/* What `arg` is ready for now; 0 when it is not reported. */
static unsigned
events_for(struct poller *poller, const void *arg)
{
    struct poller_ready ready[16];
    bool alarm = false;
    int n = poller_poll(poller, ready, 16, &alarm);

    for (int i = 0; i < n; i++) {
        if (ready[i].arg == arg)
            return ready[i].events;
    }
    return 0;
}

/* Whether a loop that watches the poller would wake up within `ms`. */
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
    {"nothing is asked of a quiet socket", do_nothing, 0, 0},
    {"a quiet socket is not readable", do_nothing, POLLER_READ, 0},
    {"an empty one is writable", do_nothing, POLLER_WRITE, POLLER_WRITE},
    {"both are asked", do_nothing, POLLER_READ | POLLER_WRITE, POLLER_WRITE},
    {"a byte is readable", send_byte, POLLER_READ, POLLER_READ},
    {"a byte and room", send_byte, POLLER_READ | POLLER_WRITE,
     POLLER_READ | POLLER_WRITE},
    {"a byte that nobody asks for", send_byte, 0, 0},
    {"a byte is no hang-up", send_byte, POLLER_HUP, 0},
    {"an end is readable", shut_down, POLLER_READ, POLLER_READ},
    {"an end that is asked for", shut_down, POLLER_HUP, POLLER_HUP},
    {"an end that nobody asks for", shut_down, 0, 0},
    {"a peer that is gone is dead in any case", close_other, 0, POLLER_DEAD},
    {"the end of a dead peer is read", close_other, POLLER_READ, POLLER_READ},
    {"what it has sent is read first", send_and_close, POLLER_READ, POLLER_READ},
    {"and written to as before", send_and_close, POLLER_READ | POLLER_WRITE,
     POLLER_READ | POLLER_WRITE},
    {"it is dead where nobody reads", send_and_close, 0, POLLER_DEAD},
    {"and has hung up", close_other, POLLER_HUP, POLLER_HUP | POLLER_DEAD},
};

static void
test_what_is_ready_is_told_as_it_was_asked_for(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct poller *poller = NULL;
        struct pair pair = make_pair();
        is(poller_new(&poller), 0, "a poller");
        is(poller_set(poller, pair.ours, rows[i].asked, &pair, false), 0, "watches");
        rows[i].act(&pair);
        is(events_for(poller, &pair), rows[i].told, "%s", rows[i].about);
        is(events_for(poller, &pair), rows[i].told, "and told again while it lasts");
        is(wakes_within(poller, 0), rows[i].told != 0, "another loop sees it");
        poller_del(poller, pair.ours);
        is(events_for(poller, &pair), 0, "nothing is told of what is not watched");
        close_pair(&pair);
        poller_free(poller);
    }
}

static void
test_what_is_asked_for_can_change(void)
{
    struct poller *poller = NULL;
    struct pair pair = make_pair();
    int other_arg;

    is(poller_new(&poller), 0, "a poller");
    is(poller_set(poller, pair.ours, POLLER_READ, &pair, false), 0, "watches");
    is(events_for(poller, &pair), 0, "nothing is there to read");
    is(poller_set(poller, pair.ours, POLLER_WRITE, &other_arg, true), 0, "then writes");
    is(events_for(poller, &other_arg), POLLER_WRITE, "told with the new argument");
    is(poller_set(poller, pair.ours, 0, &other_arg, true), 0, "then nothing");
    is(events_for(poller, &other_arg), 0, "and nothing is told");
    is(poller_set(poller, pair.ours, 0, &pair, false), ERR_IO,
       "it cannot be new twice");
    is(poller_set(poller, -1, 0, &pair, false), ERR_IO, "nor be no descriptor");
    close_pair(&pair);
    poller_free(poller);
}

static void
test_no_more_is_told_than_there_is_room_for(void)
{
    struct poller *poller = NULL;
    struct pair pairs[PAIRS_MAX];
    struct poller_ready ready[PAIRS_MAX + 1];
    bool alarm = false, seen[PAIRS_MAX] = {false};

    is(poller_new(&poller), 0, "a poller");
    for (intptr_t i = 0; i < PAIRS_MAX; i++) {
        pairs[i] = make_pair();
        send_byte(&pairs[i]);
        is(poller_set(poller, pairs[i].ours, POLLER_READ, (void *)i, false), 0,
           "watch");
    }
    is(poller_poll(poller, ready, 2, &alarm), 2, "two fit");
    is(poller_poll(poller, ready, PAIRS_MAX + 1, &alarm), PAIRS_MAX, "all fit");
    for (int i = 0; i < PAIRS_MAX; i++)
        seen[(intptr_t)ready[i].arg] = true;
    for (int i = 0; i < PAIRS_MAX; i++) {
        ok(seen[i], "socket %d is told", i);
        close_pair(&pairs[i]);
    }
    ok(!alarm, "no alarm has rung");
    poller_free(poller);
}

static void
test_an_alarm_rings_once_and_not_early(void)
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
    ok(alarm, "but told");
    alarm = false;
    is(poller_poll(poller, ready, 1, &alarm), 0, "and swallowed");
    ok(!alarm, "so that it is told once");
    ok(!wakes_within(poller, 0), "and wakes nobody");
    poller_free(poller);
}

static void
test_an_alarm_is_replaced_or_switched_off(void)
{
    struct poller *poller = NULL;

    is(poller_new(&poller), 0, "a poller");
    poller_alarm(poller, 1);
    poller_alarm(poller, -1);
    ok(!wakes_within(poller, 30), "what is switched off does not ring");
    poller_alarm(poller, 1);
    poller_alarm(poller, 3600000);
    ok(!wakes_within(poller, 30), "nor what was replaced by something later");
    poller_alarm(poller, 1);
    ok(wakes_within(poller, 10000), "something sooner does");
    poller_alarm(poller, 3600000);
    ok(!wakes_within(poller, 0), "and is forgotten when it is set anew");
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
        int next = dup(0);
        is(next, lowest, "and nothing was left open");
        close(next);
    }
    poller_free(NULL);
}

static void
test_a_fork_takes_nothing_out_of_its_parents_poller(void)
{
    struct pair pair = make_pair();
    struct poller *poller = NULL;
    struct poller_ready ready[4];
    bool alarm = false;
    int status = -1;

    is(poller_new(&poller), 0, "a poller");
    is(poller_set(poller, pair.ours, POLLER_READ, &pair, false), 0, "watches");
    pid_t child = fork();
    if (child == 0) {
        poller_disown(poller);
        int n = poller_poll(poller, ready, 4, &alarm);
        poller_del(poller, pair.ours);
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
    test_what_is_ready_is_told_as_it_was_asked_for();
    test_what_is_asked_for_can_change();
    test_no_more_is_told_than_there_is_room_for();
    test_an_alarm_rings_once_and_not_early();
    test_an_alarm_is_replaced_or_switched_off();
    test_a_fork_takes_nothing_out_of_its_parents_poller();
    test_a_poller_that_cannot_be_made_leaves_nothing();
    return tap_done();
}
