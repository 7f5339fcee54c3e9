/* SPDX-License-Identifier: MIT */
/* tests/c/test_input.c — in which order many connections are read and fed, and that
 * the end of a peer is reported once. */
#include "server/input.c"

#include "fake_turn.h"

/* The poller may have reported bytes before the end was read, and report the end
 * later. */
static void
test_the_end_is_reported_once(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    has_ended = true;
    nends = 0;
    conn->link.wire.wants_read = true;
    turn->is_running = true;
    for (int i = 0; i < 3; i++)
        input_take(conn, POLLER_READ);
    conn_on_event(conn, POLLER_READ);
    turn->is_running = false;
    is(nends, 1, "a later event brings no second end");
    has_ended = false;
    disconnect(turn, conn);
}

/* Two connections have events in one turn, the first one in its handshake if
 * `first_shakes`; `when_fed` is what happens in it. */
static void
two_have_events(struct turn *turn, bool first_shakes, void (*when_fed)(int number))
{
    for (int i = 0; i < 2; i++) {
        struct conn *conn = connect_to(turn);
        for (int j = 0; j < i; j++)
            conn = container_of(conn->link.node.next, struct conn, link.node);
        story.conns[i] = conn;
    }
    story.text[0] = '\0';
    story.when_fed = when_fed;
    turn->is_running = true;
    turn->nfound = 2;
    turn->ntaken = 0;
    for (int i = 0; i < 2; i++) {
        struct conn *conn = story.conns[i];
        conn->io->is_ready = i > 0 || !first_shakes;
        conn->io->ops = &fake_io;
        conn->link.wire.wants_read = true;
        input_take(conn, POLLER_READ);
    }
    input_feed_all(turn);
}

static void
two_are_ready(struct turn *turn, void (*when_fed)(int number))
{
    two_have_events(turn, false, when_fed);
}

static void
two_go(struct turn *turn)
{
    struct conn *conns[2] = {story.conns[0], story.conns[1]};

    story.conns[0] = story.conns[1] = NULL;
    for (int i = 0; i < 2; i++) {
        conn_abort(conns[i], 0);
        list_remove(&conns[i]->link.dirty);
        link_free(&conns[i]->link);
    }
    turn->ndirty = 0;
    turn->is_running = false;
}

static void
test_many_are_read_before_the_first_is_fed(struct turn *turn)
{
    two_are_ready(turn, NULL);
    ok(strcmp(story.text, "r1 r2 f1 f2 ") == 0, "both are read, then fed: %s",
       story.text);
    is(turn->scratch_used, 0, "their memory is free again");
    two_go(turn);
}

/* The first one's application has both served at once, while the second one's
 * transport has more to read. */
static void
serve_both(int number)
{
    struct turn *turn = story.conns[0]->link.turn;

    if (number != 1)
        return;
    turn_touch(turn, &story.conns[0]->link);
    turn_touch(turn, &story.conns[1]->link);
    turn->waiting_ns = 0;
    turn->service.clock.ns = TURN_FLUSH_NS;
    story.conns[1]->io->has_more = true;
}

static void
test_connections_are_fed_in_the_order_read(struct turn *turn)
{
    two_are_ready(turn, serve_both);
    ok(strncmp(story.text, "r1 r2 f1 f2 ", 12) == 0, "no read overtakes: %s",
       story.text);
    story.conns[1]->io->has_more = false;
    two_go(turn);
}

static void
close_the_second(int number)
{
    if (number == 1)
        conn_abort(story.conns[1], 0);
}

static void
test_a_connection_that_has_ended_is_not_fed(struct turn *turn)
{
    two_are_ready(turn, close_the_second);
    ok(strcmp(story.text, "r1 r2 f1 ") == 0, "only the first is fed: %s", story.text);
    two_go(turn);
}

static void
test_a_handshake_waits_for_those_that_are_ready(struct turn *turn)
{
    two_have_events(turn, true, NULL);
    ok(strcmp(story.text, "r2 f2 ") == 0, "the handshake waits: %s", story.text);
    is(turn->ntaken, 1, "it does not count as another's request");
    turn_go_on(turn);
    ok(strcmp(story.text, "r2 f2 r1 f1 ") == 0, "it has its turn: %s", story.text);
    is(list_is_empty(&turn->queued), true, "the queue is empty");
    two_go(turn);
}

static void
test_a_handshake_alone_does_not_wait(struct turn *turn)
{
    two_have_events(turn, true, NULL);
    turn_go_on(turn);
    turn->nfound = 1;
    turn->ndirty = 0;
    story.text[0] = '\0';
    input_take(story.conns[0], POLLER_READ);
    ok(strcmp(story.text, "r1 f1 ") == 0, "it is read at once: %s", story.text);
    two_go(turn);
}

int
main(void)
{
    struct turn turn;

    turn_set_up(&turn);
    test_the_end_is_reported_once(&turn);
    test_many_are_read_before_the_first_is_fed(&turn);
    test_connections_are_fed_in_the_order_read(&turn);
    test_a_connection_that_has_ended_is_not_fed(&turn);
    test_a_handshake_waits_for_those_that_are_ready(&turn);
    test_a_handshake_alone_does_not_wait(&turn);
    turn_tear_down(&turn);
    return tap_done();
}
