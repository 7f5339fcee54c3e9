/* SPDX-License-Identifier: MIT */
/* tests/c/test_conn.c — when a connection writes, and when it says that output has
 * drained: over a transport that takes as much as the test allows; and in which order many
 * are read and fed. */
#include "server/conn.c"

#include <sys/socket.h> /* socketpair */
#include <unistd.h>     /* close */

#include "base/mem.h"
#include "tap.h"

static size_t may_take; /* bytes that the transport still takes */
static int ndrained;    /* calls of on_drained */
static bool has_ended;  /* reading finds the end of the peer */
static int nends;       /* calls of on_eof */

/* What connections are read and fed, by their numbers from 1: "r1 r2 f1 f2 ". */
static struct {
    struct conn *conns[2];
    char text[64];
    void (*when_fed)(int number); /* NULL: nothing happens then */
} story;

static int
number_of(const struct conn *conn)
{
    return conn == story.conns[0] ? 1 : 2;
}

static void
tell(const char *what, const struct conn *conn)
{
    size_t n = strlen(story.text);
    snprintf(story.text + n, sizeof story.text - n, "%s%d ", what, number_of(conn));
}

static ssize_t
fake_read(struct io *io, char *at, size_t n)
{
    if (story.conns[0] == NULL)
        return has_ended ? ERR_EOF : ERR_AGAIN;
    tell("r", container_of(io, struct conn, plain));
    is(n >= TURN_AHEAD_BYTES, true, "there is room for the read");
    at[0] = 'x';
    return 1;
}

static ssize_t
fake_writev(struct io *io, const struct iovec *iov, int n)
{
    size_t taken = 0;

    (void)io;
    for (int i = 0; i < n; i++)
        taken += iov[i].iov_len;
    if (taken > may_take)
        taken = may_take;
    may_take -= taken;
    return taken > 0 ? (ssize_t)taken : ERR_AGAIN;
}

static void
fake_shutdown(struct io *io)
{
    (void)io;
}

static void
fake_close(struct io *io, bool reset)
{
    (void)reset;
    close(io->fd);
    io->fd = -1;
}

static const struct io_ops fake_io = {
    .read = fake_read,
    .writev = fake_writev,
    .shutdown = fake_shutdown,
    .close = fake_close,
};

static void
nothing(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
}

static void
count_drained(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
    ndrained++;
}

static void
take_all(struct wire *wire, void *session, struct slice *in)
{
    struct conn *conn = container_of(wire, struct conn, wire);

    (void)session;
    if (in->len == 0 || story.conns[0] == NULL)
        return;
    tell("f", conn);
    *in = slice_skip(*in, in->len);
    if (story.when_fed != NULL)
        story.when_fed(number_of(conn));
}

static void
end_nothing(struct wire *wire, void *session, int why)
{
    (void)wire;
    (void)session;
    (void)why;
}

static void *
begin_nothing(struct wire *wire)
{
    return wire;
}

static void
count_end(struct wire *wire, void *session)
{
    (void)session;
    is(wire->at_eof, true, "the end is known");
    nends++;
}

static const struct session_ops session_ops = {
    .feed = take_all,
    .on_eof = count_end,
    .before_flush = nothing,
    .on_drained = count_drained,
    .on_deadline = nothing,
    .drain = nothing,
    .fini = end_nothing,
};

static const struct protocol protocol = {"nothing", &session_ops, begin_nothing};

static void
schedule_nothing(void *owner)
{
    (void)owner;
}

static void
conn_gone(struct turn *turn)
{
    (void)turn;
}

static void
peer_gone(struct peer *peer)
{
    (void)peer;
}

static const struct stream_handler handler = {.on_peer_gone = peer_gone};

static struct tally tally;

static void
turn_set_up(struct turn *turn)
{
    *turn = (struct turn){.schedule = schedule_nothing, .on_conn_gone = conn_gone};
    turn->service.handler = &handler;
    turn->service.tally = &tally;
    turn->service.limits.send_stall_ms = 30000;
    timer_wheel_init(&turn->wheel, 0);
    list_init(&turn->conns);
    list_init(&turn->dirty);
    list_init(&turn->dead);
    list_init(&turn->later);
    list_init(&turn->queued);
    outq_pools_init(&turn->out_pools, 4);
    pool_init(&turn->conn_pool, sizeof(struct conn), 4);
    turn->next_due_ms = turn->armed_ms = TIMER_NEVER;
    turn->scratch = mem_alloc(TURN_SCRATCH_BYTES);
    is(poller_new(&turn->poller), 0, "a poller");
}

static struct conn *
connect_to(struct turn *turn)
{
    int fds[2];
    struct addr none = {.len = 0};

    is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0, "two sockets");
    close(fds[1]);
    is(conn_open(turn, fds[0], &none, NULL, &protocol), 0, "a connection");
    struct conn *conn = container_of(turn->conns.next, struct conn, link);
    conn->io->ops = &fake_io;
    may_take = 0;
    ndrained = 0;
    return conn;
}

static void
disconnect(struct turn *turn, struct conn *conn)
{
    conn_abort(conn, 0);
    list_remove(&conn->dirty);
    conn_bury(conn);
    is(turn->nconns, 0, "nothing is left");
}

static void
queue(struct conn *conn, size_t n)
{
    char *bytes = mem_calloc(1, n);
    is(outq_copy(&conn->wire.out, slice_new(bytes, n)), 0, "%zu bytes wait", n);
    mem_free(bytes);
}

/* A send() that waits is woken even when what it waits for goes out in one write. */
static void
test_drained_is_said_after_a_high_mark_that_one_write_clears(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    queue(conn, 1000);
    may_take = 500;
    wire_flush(&conn->wire);
    is(conn->wants_write, true, "the transport is full");
    queue(conn, HTTP_OUT_HIGH_BYTES + 1);
    wire_flush(&conn->wire);
    may_take = SIZE_MAX;
    conn_serve(conn);
    is(conn->wire.out.bytes, 0, "all went out at once");
    is(ndrained, 1, "and the session was told");
    disconnect(turn, conn);
}

static void
test_drained_waits_for_the_low_mark(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    queue(conn, HTTP_OUT_HIGH_BYTES + HTTP_OUT_LOW_BYTES);
    may_take = HTTP_OUT_HIGH_BYTES - 1;
    conn_serve(conn);
    is(ndrained, 0, "one byte above the low mark is not drained");
    may_take = 1;
    conn_serve(conn);
    is(ndrained, 1, "at the low mark it is");
    may_take = SIZE_MAX;
    conn_serve(conn);
    is(ndrained, 1, "once");
    disconnect(turn, conn);
}

static void
test_drained_is_not_said_of_little(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    queue(conn, HTTP_OUT_HIGH_BYTES);
    may_take = 1;
    conn_serve(conn);
    may_take = SIZE_MAX;
    conn_serve(conn);
    is(ndrained, 0, "output that never was above the high mark does not drain");
    disconnect(turn, conn);
}

/* The poller may have reported bytes before the end was read, and the event comes after. */
static void
test_the_end_is_told_once(struct turn *turn)
{
    struct conn *conn = connect_to(turn);

    has_ended = true;
    nends = 0;
    conn->wire.wants_read = true;
    turn->is_running = true;
    for (int i = 0; i < 3; i++)
        turn_take(turn, conn, POLLER_READ);
    conn_on_event(conn, POLLER_READ);
    turn->is_running = false;
    is(nends, 1, "a later event brings no second end");
    has_ended = false;
    disconnect(turn, conn);
}

/* Two connections are ready in one turn; `when_fed` is what happens inside of it. */
static void
two_are_ready(struct turn *turn, void (*when_fed)(int number))
{
    for (int i = 0; i < 2; i++) {
        struct conn *conn = connect_to(turn);
        for (int j = 0; j < i; j++)
            conn = container_of(conn->link.next, struct conn, link);
        story.conns[i] = conn;
    }
    story.text[0] = '\0';
    story.when_fed = when_fed;
    turn->is_running = true;
    for (int i = 0; i < 2; i++) {
        struct conn *conn = story.conns[i];
        conn->io->is_ready = true;
        conn->io->ops = &fake_io;
        conn->wire.wants_read = true;
        turn_take(turn, conn, POLLER_READ);
    }
    turn_feed(turn);
}

static void
two_go(struct turn *turn)
{
    struct conn *conns[2] = {story.conns[0], story.conns[1]};

    story.conns[0] = story.conns[1] = NULL;
    for (int i = 0; i < 2; i++) {
        conn_abort(conns[i], 0);
        list_remove(&conns[i]->dirty);
        conn_bury(conns[i]);
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

/* The first one's application has both served at once, where the second's transport has
 * more to read. */
static void
serve_both(int number)
{
    struct turn *turn = story.conns[0]->turn;

    if (number != 1)
        return;
    turn_touch(turn, story.conns[0]);
    turn_touch(turn, story.conns[1]);
    turn->waiting_ns = 0;
    turn->service.clock.ns = TURN_FLUSH_NS;
    story.conns[1]->io->has_more = true;
}

static void
test_what_was_read_first_is_fed_first(struct turn *turn)
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
test_a_connection_that_has_died_is_not_fed(struct turn *turn)
{
    two_are_ready(turn, close_the_second);
    ok(strcmp(story.text, "r1 r2 f1 ") == 0, "the first alone is fed: %s", story.text);
    two_go(turn);
}

int
main(void)
{
    struct turn turn;

    turn_set_up(&turn);
    test_drained_is_said_after_a_high_mark_that_one_write_clears(&turn);
    test_drained_waits_for_the_low_mark(&turn);
    test_drained_is_not_said_of_little(&turn);
    test_the_end_is_told_once(&turn);
    test_many_are_read_before_the_first_is_fed(&turn);
    test_what_was_read_first_is_fed_first(&turn);
    test_a_connection_that_has_died_is_not_fed(&turn);
    mem_free(turn.scratch);
    poller_free(turn.poller);
    pool_fini(&turn.conn_pool);
    outq_pools_fini(&turn.out_pools);
    return tap_done();
}
