/* SPDX-License-Identifier: MIT */
/* tests/c/test_turn.c — how connections share turns: what a connection may do before
 * the others, in which order those continue that have spent their budget, and the
 * counts of those that wait to be served. Uses connections of a protocol that spends a
 * message on each byte. */
#include "server/turn.c"

#include <sys/socket.h> /* socketpair */
#include <unistd.h>     /* close */

#include "base/err.h"
#include "base/mem.h"
#include "server/conn.h"
#include "server/input.h"
#include "tap.h"

#define CONNS 3

static struct {
    struct conn *conns[CONNS]; /* NULL: closed */
    int peers[CONNS];          /* the other ends */
    char fed[256];             /* a digit for each byte that was fed, by connection */
    int nreads;
    int nscheduled;
    int ndeadlines;
    struct conn *victim; /* is closed when another one is served; NULL: none */
} story;

static int
number_of(const struct conn *conn)
{
    for (int i = 0; i < CONNS; i++) {
        if (story.conns[i] == conn)
            return i;
    }
    return -1;
}

static void
feed(struct wire *wire, void *session, struct slice *in)
{
    struct conn *conn = container_of(wire, struct conn, link.wire);
    size_t n = strlen(story.fed);

    (void)session;
    while (in->len > 0 && !wire_is_spent(wire)) {
        budget_spend(&wire->budget, BUDGET_MESSAGE);
        *in = slice_skip(*in, 1);
        if (n + 1 < sizeof story.fed)
            story.fed[n++] = (char)('0' + number_of(conn));
    }
    if (in->len > 0)
        wire->ops->yield(wire);
}

static void
before_flush(struct wire *wire, void *session)
{
    struct conn *victim = story.victim;

    (void)wire;
    (void)session;
    story.victim = NULL;
    if (victim != NULL)
        conn_abort(victim, 0);
}

static void
on_deadline(struct wire *wire, void *session)
{
    (void)session;
    wire->read_due_ms = TIMER_NEVER;
    story.ndeadlines++;
}

static void
nothing(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
}

static void
end_nothing(struct wire *wire, void *session, int why)
{
    (void)wire;
    (void)session;
    (void)why;
}

static void *
begin(struct wire *wire)
{
    wire->read_due_ms = TIMER_NEVER;
    wire->wants_read = true;
    return wire;
}

static const struct session_ops session_ops = {
    .feed = feed,
    .on_eof = nothing,
    .before_flush = before_flush,
    .on_drained = nothing,
    .on_deadline = on_deadline,
    .drain = nothing,
    .fini = end_nothing,
};

static const struct protocol protocol = {"bytes", &session_ops, begin};

static ssize_t
fake_read(struct io *io, char *at, size_t n)
{
    ok(n >= IO_READ_MIN, "a read has room");
    story.nreads++;
    ssize_t got = read(io->fd, at, n);
    return got > 0 ? got : ERR_AGAIN;
}

static void
fake_close(struct io *io, bool reset)
{
    (void)reset;
    close(io->fd);
    io->fd = -1;
}

static const struct io_ops fake_io = {.read = fake_read, .close = fake_close};

static void
schedule(void *owner)
{
    (void)owner;
    story.nscheduled++;
}

static void
link_gone(struct turn *turn)
{
    (void)turn;
}

static void
peer_gone(struct peer *peer)
{
    (void)peer;
}

static const struct stream_handler handler = {.on_peer_gone = peer_gone};
static const struct addr nobody = {.len = 0};

static void
set_up(struct turn *turn, struct tally *tally)
{
    *turn = (struct turn){.schedule = schedule, .on_link_gone = link_gone};
    turn->service.handler = &handler;
    turn->service.tally = tally;
    timer_wheel_init(&turn->wheel, 0);
    list_init(&turn->links);
    list_init(&turn->dirty);
    list_init(&turn->dead);
    list_init(&turn->later);
    list_init(&turn->queued);
    outq_pools_init(&turn->out_pools, 4);
    pool_init(&turn->conn_pool, sizeof(struct conn), 4);
    turn->next_due_ms = turn->armed_ms = TIMER_NEVER;
    turn->scratch = mem_alloc(TURN_SCRATCH_BYTES);
    is(poller_new(&turn->poller), 0, "a poller");
    memset(&story, 0, sizeof story);
    for (int i = 0; i < CONNS; i++) {
        int fds[2];
        is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0, "two sockets");
        story.peers[i] = fds[1];
        is(conn_open(turn, fds[0], &nobody, NULL, &protocol), 0, "a connection");
        story.conns[i] = container_of(turn->links.prev, struct conn, link.node);
        story.conns[i]->io->ops = &fake_io;
    }
    turn->is_running = true;
}

static void
tear_down(struct turn *turn)
{
    for (int i = 0; i < CONNS; i++) {
        if (story.conns[i]->link.state != LINK_DEAD)
            conn_abort(story.conns[i], 0);
        close(story.peers[i]);
    }
    turn_end(turn);
    is(turn->nlinks, 0, "nothing is left");
    is(turn->ndirty, 0, "and none waits");
    mem_free(turn->scratch);
    poller_free(turn->poller);
    pool_fini(&turn->conn_pool);
    outq_pools_fini(&turn->out_pools);
}

/* Receives so many bytes on a connection, reported by the poller. */
static void
bring(struct turn *turn, int number, size_t n)
{
    char bytes[128] = {0};

    is(write(story.peers[number], bytes, n), (ssize_t)n, "bytes are sent");
    input_take(story.conns[number], POLLER_READ);
}

/* Returns how many bytes of a connection were fed after the first `from` of all
 * bytes. */
static int
fed_of(int number, size_t from)
{
    int n = 0;

    for (const char *at = story.fed + from; *at != '\0'; at++)
        n += *at == '0' + number;
    return n;
}

/* A deadline in the past would be due again at once, and the turn would never end. */
static void
test_a_deadline_that_passes_while_a_connection_is_queued_is_not_set_again(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    bring(&turn, 0, 70);
    input_feed_all(&turn);
    struct conn *conn = story.conns[0];
    ok(link_is_queued(&conn->link), "a connection has more to do");
    uint64_t now = turn.service.clock.ms = 1000;
    conn->link.wire.read_due_ms = now - 1;
    link_expire(&conn->link);
    is(story.ndeadlines, 0, "its session may have what it waits for");
    is(conn->link.timer.due_ms, TIMER_NEVER, "and no timer is set");
    turn_expire(&turn);
    turn_go_on(&turn);
    turn_go_on(&turn);
    ok(!link_is_queued(&conn->link), "when all is done");
    is(conn->link.timer.due_ms, now - 1, "the deadline counts again");
    tear_down(&turn);
}

static void
test_a_connection_stops_where_its_budget_ends(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    bring(&turn, 0, 70);
    bring(&turn, 1, 2);
    input_feed_all(&turn);
    is(fed_of(0, 0), 32, "a connection gets a budget");
    is(fed_of(1, 0), 2, "then the others have their turn");
    ok(link_is_queued(&story.conns[0]->link) && !link_is_queued(&story.conns[1]->link),
       "the one with more to do waits");
    is(story.conns[0]->link.wire.in.len, 38, "what it has brought is kept");
    turn_go_on(&turn);
    is(fed_of(0, 0), 64, "it continues by one budget");
    turn_go_on(&turn);
    is(fed_of(0, 0), 70, "until all is done");
    ok(!link_is_queued(&story.conns[0]->link), "and no longer waits");
    turn_go_on(&turn);
    tear_down(&turn);
}

static void
test_waiting_connections_continue_in_turn(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    bring(&turn, 0, 100);
    bring(&turn, 1, 100);
    input_feed_all(&turn);
    for (int i = 0; i < 2; i++) {
        size_t before = strlen(story.fed);
        turn_go_on(&turn);
        is(fed_of(i, before), 32, "one after the other");
        is(fed_of(1 - i, before), 0, "not both at once");
    }
    tear_down(&turn);
}

static void
test_a_busy_connection_waits_for_the_others(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    bring(&turn, 0, 33);
    bring(&turn, 1, 33);
    input_feed_all(&turn);
    story.conns[0]->link.is_busy = true;
    list_remove(&story.conns[0]->link.queued);
    buf_release(&story.conns[0]->link.wire.in);
    size_t before = strlen(story.fed);
    bring(&turn, 0, 5);
    input_feed_all(&turn);
    is(fed_of(0, before), 0, "its new bytes follow those that are queued");
    turn_go_on(&turn);
    is(fed_of(1, before), 1, "which are first");
    turn_go_on(&turn);
    is(fed_of(0, before), 5, "then it is its turn");
    bring(&turn, 0, 5);
    input_feed_all(&turn);
    is(fed_of(0, before), 10, "and with nothing left it is like the others");
    tear_down(&turn);
}

static void
test_a_connection_is_not_read_while_it_waits(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    bring(&turn, 0, 100);
    input_feed_all(&turn);
    int before = story.nreads;
    bring(&turn, 0, 100);
    input_feed_all(&turn);
    is(story.nreads, before, "what is left comes first");
    is(turn.ntaken, 1, "and its bytes do not count as those of another");
    tear_down(&turn);
}

static void
test_no_deadline_fires_while_a_connection_waits(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    bring(&turn, 0, 100);
    input_feed_all(&turn);
    story.conns[0]->link.wire.read_due_ms = 0;
    link_expire(&story.conns[0]->link);
    is(story.ndeadlines, 0, "what it waits for may be in its buffer");
    turn_go_on(&turn);
    turn_go_on(&turn);
    turn_go_on(&turn);
    link_expire(&story.conns[0]->link);
    is(story.ndeadlines, 1, "the deadline passes when all input is processed");
    tear_down(&turn);
}

static void
test_the_end_of_a_turn_asks_for_another_while_some_wait(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    bring(&turn, 0, 100);
    input_feed_all(&turn);
    turn_end(&turn);
    is(story.nscheduled, 1, "another turn is scheduled");
    turn.is_scheduled = false;
    story.conns[0]->link.wire.ops->yield(&story.conns[0]->link.wire);
    is(story.nscheduled, 1, "one that waits already requests nothing");
    tear_down(&turn);
}

static void
test_a_connection_that_ends_while_it_waits_is_dropped(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    bring(&turn, 0, 100);
    input_feed_all(&turn);
    conn_abort(story.conns[0], 0);
    ok(list_is_empty(&turn.queued), "none is queued");
    turn_go_on(&turn);
    tear_down(&turn);
}

/* Serving one connection closes another that waits to be served in the same batch. */
static void
test_the_count_of_dirty_ones_is_exact(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    for (int i = 0; i < CONNS; i++)
        turn_touch(&turn, &story.conns[i]->link);
    is(turn.ndirty, CONNS, "all wait");
    story.victim = story.conns[1];
    turn_serve(&turn);
    is(turn.ndirty, 0, "none does");
    turn_touch(&turn, &story.conns[0]->link);
    is(turn.ndirty, 1, "one does");
    tear_down(&turn);
}

/* All buffers are full of other connections' input: a read would find no room and
 * could take that for the end of the connection. */
static void
test_no_read_without_room(void)
{
    struct turn turn;
    struct tally tally = {0};

    set_up(&turn, &tally);
    is(write(story.peers[0], "x", 1), 1, "a byte is sent");
    turn.scratch_used = TURN_SCRATCH_BYTES;
    conn_on_event(story.conns[0], POLLER_READ);
    is(story.nreads, 0, "nothing is read");
    is(story.conns[0]->link.state, LINK_OPEN, "and nothing has ended");
    turn.scratch_used = 0;
    conn_on_event(story.conns[0], POLLER_READ);
    is(fed_of(0, 0), 1, "later it is");
    tear_down(&turn);
}

int
main(void)
{
    test_a_connection_stops_where_its_budget_ends();
    test_a_deadline_that_passes_while_a_connection_is_queued_is_not_set_again();
    test_waiting_connections_continue_in_turn();
    test_a_busy_connection_waits_for_the_others();
    test_a_connection_is_not_read_while_it_waits();
    test_no_deadline_fires_while_a_connection_waits();
    test_the_end_of_a_turn_asks_for_another_while_some_wait();
    test_a_connection_that_ends_while_it_waits_is_dropped();
    test_the_count_of_dirty_ones_is_exact();
    test_no_read_without_room();
    return tap_done();
}
