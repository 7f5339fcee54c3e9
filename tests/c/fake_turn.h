/* SPDX-License-Identifier: MIT */
/* tests/c/fake_turn.h — a turn and its connections without a server, over a
 * transport that accepts and provides as much as the test allows. Header only, so that
 * each test stays one file. */
#ifndef TESTS_FAKE_TURN_H
#define TESTS_FAKE_TURN_H

#include <sys/socket.h> /* socketpair */
#include <unistd.h>     /* close */

#include "base/err.h"
#include "base/mem.h"
#include "server/conn.h"
#include "server/input.h"
#include "server/turn.h"
#include "tap.h"

static size_t may_take; /* bytes that the transport still accepts */
static int ndrained;    /* calls of on_drained */
static bool has_ended;  /* a read reports the end of the peer */
static int nends;       /* calls of on_eof */

/* Which connections are read and fed, by their numbers from 1: "r1 r2 f1 f2 ". */
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
    struct conn *conn = container_of(wire, struct conn, link.wire);

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

static struct tally tally;

static void
turn_set_up(struct turn *turn)
{
    *turn = (struct turn){
        .schedule = schedule_nothing, .on_link_gone = link_gone, .number = 1};
    turn->service.handler = &handler;
    turn->service.tally = &tally;
    turn->service.limits.send_stall_ms = 30000;
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
}

static struct conn *
connect_to(struct turn *turn)
{
    int fds[2];
    struct addr none = {.len = 0};

    is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0, "two sockets");
    close(fds[1]);
    is(conn_open(turn, fds[0], &none, NULL, &protocol), 0, "a connection");
    struct conn *conn = container_of(turn->links.next, struct conn, link.node);
    conn->io->ops = &fake_io;
    may_take = 0;
    ndrained = 0;
    return conn;
}

/* Called at the end of a turn. */
static inline void
serve_now(struct conn *conn)
{
    turn_touch(conn->link.turn, &conn->link);
    turn_serve(conn->link.turn);
}

static void
disconnect(struct turn *turn, struct conn *conn)
{
    conn_abort(conn, 0);
    list_remove(&conn->link.dirty);
    link_free(&conn->link);
    is(turn->nlinks, 0, "nothing is left");
}

static void
turn_tear_down(struct turn *turn)
{
    mem_free(turn->scratch);
    poller_free(turn->poller);
    pool_fini(&turn->conn_pool);
    outq_pools_fini(&turn->out_pools);
}

#endif
