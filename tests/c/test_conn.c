/* SPDX-License-Identifier: MIT */
/* tests/c/test_conn.c — when a connection writes, and when it reports that output
 * has drained: over a transport that accepts as much as the test allows. */
#include "server/conn.c"

#include "http1/state.h" /* struct h1_session */

#include "fake_turn.h"

static void
queue(struct conn *conn, size_t n)
{
    char *bytes = mem_calloc(1, n);
    is(outq_copy(&conn->link.wire.out, slice_new(bytes, n)), 0, "%zu bytes wait", n);
    mem_free(bytes);
}

/* A waiting send() is woken even if its output is written at once. */
static void
test_drained_is_reported_even_if_one_write_clears_the_high_mark(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    queue(conn, 1000);
    may_take = 500;
    conn->link.wire.ops->flush(&conn->link.wire);
    is(conn->wants_write, true, "the transport is full");
    queue(conn, HTTP_OUT_HIGH_BYTES + 1);
    conn->link.wire.ops->flush(&conn->link.wire);
    may_take = SIZE_MAX;
    serve_now(conn);
    is(conn->link.wire.out.bytes, 0, "all went out at once");
    is(ndrained, 1, "and the session was notified");
    disconnect(turn, conn);
}

static void
test_drained_waits_for_the_low_mark(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    queue(conn, HTTP_OUT_HIGH_BYTES + HTTP_OUT_LOW_BYTES);
    may_take = HTTP_OUT_HIGH_BYTES - 1;
    serve_now(conn);
    is(ndrained, 0, "one byte above the low mark is not drained");
    may_take = 1;
    serve_now(conn);
    is(ndrained, 1, "at the low mark it is");
    may_take = SIZE_MAX;
    serve_now(conn);
    is(ndrained, 1, "once");
    disconnect(turn, conn);
}

static void
test_drained_is_not_reported_for_little_output(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    queue(conn, HTTP_OUT_HIGH_BYTES);
    may_take = 1;
    serve_now(conn);
    may_take = SIZE_MAX;
    serve_now(conn);
    is(ndrained, 0, "output that never was above the high mark does not drain");
    disconnect(turn, conn);
}

static void
test_an_event_of_a_closed_connection_is_nothing(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    conn_abort(conn, 0);
    conn_on_event(conn, POLLER_READ);
    conn_on_event(conn, POLLER_DEAD);
    is(conn->link.state, LINK_DEAD, "it has ended");
    disconnect(turn, conn);
}

static void
test_nothing_is_discarded_without_room(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    conn->link.wire.lingers = true;
    conn->link.state = LINK_FINISHING;
    ending_begin(conn);
    is(conn->link.state, LINK_LINGERING, "its last bytes are discarded");
    turn->scratch_used = TURN_SCRATCH_BYTES - 1;
    has_ended = true;
    ending_discard(conn);
    is(conn->link.state, LINK_LINGERING, "not while others use the memory");
    turn->scratch_used = 0;
    ending_discard(conn);
    is(conn->link.state, LINK_DEAD, "then its end is read");
    has_ended = false;
    disconnect(turn, conn);
}

static void
test_an_idle_connection_is_small(void)
{
    ok(sizeof(struct conn) <= 440 && sizeof(struct h1_session) <= 40,
       "malloc takes 448 and 48 bytes for %zu and %zu", sizeof(struct conn),
       sizeof(struct h1_session));
}

int
main(void)
{
    struct turn turn;

    test_an_idle_connection_is_small();
    turn_set_up(&turn);
    test_drained_is_reported_even_if_one_write_clears_the_high_mark(&turn);
    test_drained_waits_for_the_low_mark(&turn);
    test_drained_is_not_reported_for_little_output(&turn);
    test_an_event_of_a_closed_connection_is_nothing(&turn);
    test_nothing_is_discarded_without_room(&turn);
    turn_tear_down(&turn);
    return tap_done();
}
