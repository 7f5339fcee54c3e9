/* SPDX-License-Identifier: MIT */
/* tests/c/test_link.c — links of a kind without a transport: turns, budgets,
 * deadlines, and the end, as turns, timers and a stop see them. */
#include "server/link.c"

#include "aborts.h"
#include "base/mem.h"
#include "tap.h"

#define LINKS 3

/* The calls of the links, by their numbers: "serve0 go1 timer2 ". */
static char heard[256];
static int nfreed, ngone, nscheduled;

static struct turn turn;
static struct tally tally;
static struct link links[LINKS];

static void
note(const char *what, const struct link *link)
{
    size_t n = strlen(heard);

    (void)snprintf(heard + n, sizeof heard - n, "%s%td ", what, link - links);
}

static void
serve(struct link *link)
{
    note("serve", link);
}

static void
go_on(struct link *link)
{
    note("go", link);
}

static void
on_timer(struct link *link)
{
    note("timer", link);
    link->wire.read_due_ms = TIMER_NEVER;
    link_update_timer(link, TIMER_NEVER);
}

static void
abort_now(struct link *link, int why)
{
    (void)why;
    note("abort", link);
    link_die(link);
}

static void
free_link(struct link *link)
{
    ok(link->session == NULL, "its session is freed before");
    nfreed++;
}

static void
disown(struct link *link, int dead)
{
    (void)dead;
    note("disown", link);
}

static void
close_now(struct link *link)
{
    note("close", link);
    link_die(link);
}

static const struct link_ops ops = {
    .serve = serve,
    .go_on = go_on,
    .on_timer = on_timer,
    .abort = abort_now,
    .close = close_now,
    .free = free_link,
    .disown = disown,
};

static const struct wire_ops wire_ops = {
    .touch = link_touch,
    .touch_later = link_touch_later,
    .yield = link_yield,
};

static enum session_idle
idle(const struct wire *wire, const void *session)
{
    (void)wire;
    (void)session;
    return SESSION_IDLE;
}

static void
fini(struct wire *wire, void *session, int why)
{
    (void)session;
    (void)why;
    note("fini", link_of(wire));
}

static const struct session_ops session_ops = {.idle = idle, .fini = fini};
static const struct protocol protocol = {"nothing", &session_ops, NULL};
static const struct protocol next_protocol = {"next", &session_ops, NULL};

static void
schedule(void *owner)
{
    (void)owner;
    nscheduled++;
}

static void
link_gone(struct turn *of)
{
    (void)of;
    ngone++;
}

static void
peer_gone(struct peer *peer)
{
    (void)peer;
}

static const struct stream_handler handler = {.on_peer_gone = peer_gone};
static const struct addr nobody = {.len = 0};

static void
set_up(void)
{
    turn = (struct turn){
        .schedule = schedule, .on_link_gone = link_gone, .next_due_ms = TIMER_NEVER};
    turn.service.handler = &handler;
    turn.service.tally = &tally;
    turn.service.limits.connections = LINKS;
    turn.service.limits.head_ms = 1000;
    turn.armed_ms = 0;            /* no alarm is set */
    turn.service.clock.ms = 1000; /* a fixed clock, which is not read */
    timer_wheel_init(&turn.wheel, 1000);
    list_init(&turn.links);
    list_init(&turn.dirty);
    list_init(&turn.dead);
    list_init(&turn.later);
    list_init(&turn.queued);
    outq_pools_init(&turn.out_pools, 4);
    nfreed = ngone = nscheduled = 0;
    for (int i = 0; i < LINKS; i++) {
        link_init(&links[i], &turn, &ops, &wire_ops, &protocol);
        link_set_peer(&links[i], &nobody, NULL);
        links[i].session = &links[i];
        links[i].wire.read_due_ms = TIMER_NEVER;
        link_begin(&links[i]);
    }
    is(turn.nlinks, LINKS, "all are there");
    turn.is_running = true;
    heard[0] = '\0';
}

static void
tear_down(void)
{
    for (int i = 0; i < LINKS; i++)
        link_abort(&links[i], 0);
    turn.is_running = true;
    turn_end(&turn);
    is(turn.nlinks, 0, "nothing is left");
    is(nfreed, LINKS, "each is freed once");
    is(ngone, LINKS, "and the owner of the turn is notified");
    outq_pools_fini(&turn.out_pools);
}

static void
test_a_link_is_served_once_for_all_touches(void)
{
    set_up();
    link_touch(&links[1].wire);
    link_touch(&links[0].wire);
    link_touch(&links[1].wire);
    turn_serve(&turn);
    is_text(heard, "serve1 serve0 ", "in the order of their first touches");
    ok(turn.links.prev == &links[0].node, "the last to be served is the last of all");
    ok(turn.links.next == &links[2].node, "the first one is the one not yet served");
    link_touch_later(&links[2].wire);
    turn_serve(&turn);
    is_text(heard, "serve1 serve0 ", "link_touch_later() waits for the next turn");
    turn_end(&turn);
    is_text(heard, "serve1 serve0 ", "the end of the turn serves nothing more");
    turn_serve(&turn);
    is_text(heard, "serve1 serve0 serve2 ", "but the next");
    tear_down();
}

static void
test_outside_of_turns_a_turn_is_requested(void)
{
    set_up();
    turn.is_running = false;
    link_touch(&links[0].wire);
    link_touch(&links[1].wire);
    link_yield(&links[2].wire);
    is(nscheduled, 1, "once");
    ok(link_is_queued(&links[2]), "one that yields waits for its next budget");
    tear_down();
}

static void
test_a_busy_link_is_queued_after_the_others(void)
{
    set_up();
    struct link *link = &links[0];

    link_begin_budget(link);
    ok(!wire_is_spent(&link->wire), "a new budget");
    budget_spend(&link->wire.budget, BUDGET_POINTS);
    link_yield(&link->wire);
    link_yield(&link->wire);
    link_begin_budget(link);
    ok(wire_is_spent(&link->wire), "none while it is queued");
    turn_go_on(&turn);
    is_text(heard, "go0 ", "it continues, once");
    ok(!wire_is_spent(&link->wire), "with a new one");
    link->is_busy = true;
    link_touch(&links[1].wire);
    link_touch(&links[2].wire);
    link_begin_budget(link);
    ok(wire_is_spent(&link->wire), "one that was busy waits while others do");
    link_begin_budget(link);
    ok(!wire_is_spent(&link->wire), "once");
    tear_down();
}

static void
test_the_timer_is_set_to_the_first_deadline(void)
{
    set_up();
    struct link *link = &links[0];
    uint64_t now = turn_now_ms(&turn);

    link->wire.read_due_ms = now + 5000;
    link_update_timer(link, now + 9000);
    is(link->timer.due_ms, now + 5000, "that of the session");
    is(turn.next_due_ms, now + 5000, "for which the alarm will ring");
    link_update_timer(link, now + 3000);
    is(link->timer.due_ms, now + 3000, "that of its kind");
    link_yield(&link->wire);
    link_update_timer(link, TIMER_NEVER);
    ok(link->timer.due_ms == TIMER_NEVER, "none of the session's while it is queued");
    turn_go_on(&turn);
    link_update_timer(link, TIMER_NEVER);
    heard[0] = '\0';
    turn.service.clock.ms = now + 4000;
    turn_expire(&turn);
    is_text(heard, "", "nothing is due yet");
    turn.service.clock.ms = now + 6000;
    turn_expire(&turn);
    is_text(heard, "timer0 ", "then it is");
    tear_down();
}

static int nrung; /* links whose deadline has passed */

static void
ring(struct link *link)
{
    nrung++;
    link->wire.read_due_ms = TIMER_NEVER;
}

/* Thousands that expire together end together; others have their turns in between. */
static void
test_a_turn_handles_a_limited_number_of_deadlines(void)
{
    static struct link crowd[2 * TURN_DEADLINES + 1];
    static const struct link_ops ringing = {.on_timer = ring};
    unsigned n = sizeof crowd / sizeof crowd[0];

    set_up();
    nrung = 0;
    for (unsigned i = 0; i < n; i++) {
        crowd[i] = (struct link){.ops = &ringing, .turn = &turn};
        timer_init(&crowd[i].timer);
        timer_set(&turn.wheel, &crowd[i].timer, turn_now_ms(&turn) + 10);
    }
    turn.service.clock.ms += 1000;
    turn_expire(&turn);
    is(nrung, TURN_DEADLINES, "a turn ends so many");
    is(turn.next_due_ms, turn_now_ms(&turn) + 1, "and there is another one at once");
    turn_expire(&turn);
    turn_expire(&turn);
    is(nrung, (int)n, "all deadlines are reported");
    tear_down();
}

static void
test_a_dead_link_is_never_called(void)
{
    set_up();
    for (int i = 0; i < LINKS; i++) {
        link_touch(&links[i].wire);
        link_touch_later(&links[i].wire);
        link_yield(&links[i].wire);
    }
    links[0].wire.read_due_ms = turn_now_ms(&turn) + 1;
    link_update_timer(&links[0], TIMER_NEVER);
    link_abort(&links[0], 0);
    link_abort(&links[0], 0);
    ok(links[0].wire.is_dead, "its session can see it");
    is(turn.ndirty, 2, "two wait to be served");
    link_touch(&links[0].wire);
    link_touch_later(&links[0].wire);
    link_yield(&links[0].wire);
    link_serve(&links[0]);
    link_expire(&links[0]);
    turn.service.clock.ms += 1000;
    turn_expire(&turn);
    turn_serve(&turn);
    while (!list_is_empty(&turn.queued))
        turn_go_on(&turn);
    is_text(heard, "abort0 serve1 serve2 go1 go2 ", "its callbacks are not called");
    is(nfreed, 0, "it is there until the end of the turn");
    turn_end(&turn);
    is(nfreed, 1, "then it is freed");
    is(turn.nlinks, LINKS - 1, "and does not count");
    for (int i = 1; i < LINKS; i++)
        link_abort(&links[i], 0);
    turn.is_running = true;
    turn_end(&turn);
    is(turn.nlinks, 0, "nothing is left");
    outq_pools_fini(&turn.out_pools);
}

static void
test_a_link_has_one_session_at_a_time(void)
{
    set_up();
    link_change_session(&links[0], &next_protocol, &turn);
    is_text(heard, "fini0 ", "the old one is freed");
    ok(links[0].protocol == &next_protocol && links[0].session == &turn,
       "the next one is there");
    tear_down();
}

static void
test_what_is_idle(void)
{
    set_up();
    struct link *link = &links[0];

    ok(link_idle(link) == SESSION_IDLE, "one whose session is idle");
    link->is_ahead = true;
    ok(link_idle(link) == SESSION_BUSY, "not one with pending output");
    link->is_ahead = false;
    link->is_evicted = true;
    ok(link_idle(link) == SESSION_BUSY, "not one that ends");
    link->is_evicted = false;
    is(buf_append(&link->wire.in, slice_of("x")), 0, "a byte is kept");
    ok(link_idle(link) == SESSION_BUSY, "not one with unread input");
    buf_release(&link->wire.in);
    link->state = LINK_FINISHING;
    ok(link_idle(link) == SESSION_BUSY, "not one that finishes");
    link->state = LINK_OPEN;
    link_disown(link, 0);
    link_close(link);
    is_text(heard, "disown0 close0 ", "a fork and a close ask the kind");
    tear_down();
}

static void
test_one_too_many_is_rejected(void)
{
    struct link more;

    set_up();
    link_init(&more, &turn, &ops, &wire_ops, &protocol);
    link_set_peer(&more, &nobody, NULL);
    more.session = &more;
    more.wire.read_due_ms = TIMER_NEVER;
    link_begin(&more);
    ok(more.is_over, "it is over the limit");
    is(more.wire.refusal, ERR_CONNECTION_LIMIT, "so that its requests are rejected");
    ok(more.wire.read_due_ms != TIMER_NEVER, "its first request has a deadline");
    is(turn.nextra, 1, "it counts as one too many");
    link_die(&more);
    turn_end(&turn);
    is(turn.nextra, 0, "until it is freed");
    nfreed = ngone = 0;
    tear_down();
}

static void
begin_again(void *arg)
{
    link_begin(arg);
}

static void
free_alive(void *arg)
{
    link_free(arg);
}

static void
die_twice(void *arg)
{
    link_die(arg);
    link_die(arg);
}

static void
set_timer_of_dead(void *arg)
{
    link_die(arg);
    link_update_timer(arg, 5);
}

static void
change_to_the_same(void *arg)
{
    link_change_session(arg, &protocol, arg);
}

static void
go_on_queued(void *arg)
{
    link_yield(&((struct link *)arg)->wire);
    link_go_on(arg);
}

static void
serve_dirty(void *arg)
{
    link_touch(&((struct link *)arg)->wire);
    link_serve(arg);
}

static void
keep_a_deadline(struct link *link)
{
    (void)link;
}

static void
expire_for_ever(void *arg)
{
    static const struct link_ops lazy = {.on_timer = keep_a_deadline};
    struct link *link = arg;

    link->ops = &lazy;
    link->timer.due_ms = 0;
    link_expire(link);
}

static void
abort_nothing(struct link *link, int why)
{
    (void)link;
    (void)why;
}

static void
abort_without_an_end(void *arg)
{
    static const struct link_ops stubborn = {.abort = abort_nothing};
    struct link *link = arg;

    link->ops = &stubborn;
    link_abort(link, 0);
}

static void
test_broken_contracts_are_detected(void)
{
    set_up();
    ok(aborts(begin_again, &links[0]), "beginning a link twice");
    ok(aborts(free_alive, &links[0]), "freeing a link that has not ended");
    ok(aborts(die_twice, &links[0]), "ending a link twice");
    ok(aborts(set_timer_of_dead, &links[0]), "a deadline of a link that has ended");
    ok(aborts(change_to_the_same, &links[0]), "a session in its own place");
    ok(aborts(go_on_queued, &links[0]), "to continue while it is queued");
    ok(aborts(serve_dirty, &links[0]), "to serve one that waits to be served");
    ok(aborts(expire_for_ever, &links[0]), "a deadline that stays passed");
    ok(aborts(abort_without_an_end, &links[0]), "an abort that does not end it");
    tear_down();
}

static void
test_a_touch_for_later_outside_of_a_turn_is_one_for_the_next(void)
{
    set_up();
    turn.is_running = false;
    link_touch_later(&links[1].wire);
    is(nscheduled, 1, "a turn is requested");
    turn_serve(&turn);
    is_text(heard, "serve1 ", "which serves it");
    tear_down();
}

int
main(void)
{
    test_a_link_is_served_once_for_all_touches();
    test_outside_of_turns_a_turn_is_requested();
    test_a_busy_link_is_queued_after_the_others();
    test_the_timer_is_set_to_the_first_deadline();
    test_a_turn_handles_a_limited_number_of_deadlines();
    test_a_dead_link_is_never_called();
    test_a_link_has_one_session_at_a_time();
    test_what_is_idle();
    test_one_too_many_is_rejected();
    test_broken_contracts_are_detected();
    test_a_touch_for_later_outside_of_a_turn_is_one_for_the_next();
    return tap_done();
}
