/* SPDX-License-Identifier: MIT */
/* tests/c/test_output.c — queued bytes are sent once and in order over a transport
 * that accepts any number of bytes and then blocks. */
#include "server/output.c"

#include <stdlib.h> /* mkstemp */
#include <unistd.h> /* pread, unlink */

#include "tap.h"

#define BYTES 3000u      /* of the file; as many before it and after it */
#define FILE_BYTES 2000u /* that one call may write of it */

static char taken[3 * BYTES + 1];
static size_t ntaken, step; /* bytes that one call accepts at most; 0: none */
static int nwrong;          /* calls that were not told whether more follows */

static ssize_t
take(const char *bytes, size_t n)
{
    n = n < step ? n : step;
    if (n == 0)
        return ERR_AGAIN;
    memcpy(taken + ntaken, bytes, n);
    ntaken += n;
    return narrow_ssize(n);
}

static ssize_t
fake_writev(struct io *io, const struct iovec *iov, int n)
{
    size_t end = ntaken;

    for (int i = 0; i < n; i++)
        end += iov[i].iov_len;
    nwrong += io->is_partial != (end < 3 * BYTES);
    return n > 0 ? take(iov[0].iov_base, iov[0].iov_len) : 0;
}

static ssize_t
fake_write_file(struct io *io, int fd, uint64_t offset, size_t n)
{
    char bytes[BYTES];

    nwrong += io->is_partial != (ntaken + n < 3 * BYTES) || n > FILE_BYTES;
    ssize_t got = pread(fd, bytes, n < BYTES ? n : BYTES, narrow_off(offset));
    return got > 0 ? take(bytes, narrow_size(got)) : ERR_FILE;
}

static const struct io_ops fake_io = {
    .writev = fake_writev,
    .write_file = fake_write_file,
    .file_bytes = FILE_BYTES,
};

static ssize_t
free_writev(struct io *io, const struct iovec *iov, int n)
{
    ssize_t sent = 0;

    (void)io;
    for (int i = 0; i < n; i++)
        sent += narrow_ssize(iov[i].iov_len);
    return sent;
}

/* Accepts everything at once, and stores nothing. */
static const struct io_ops free_io = {.writev = free_writev};

static struct turn turn;
static struct tally tally;

static void
queue(struct outq *out, const char *all, int fd)
{
    struct file *file = file_new(fd);

    is(outq_copy(out, slice_new(all, BYTES)), 0, "bytes");
    is(outq_lend_file(out, file, 0, BYTES), 0, "a file");
    is(outq_copy(out, slice_new(all + 2 * BYTES, BYTES)), 0, "bytes after it");
    file_release(file);
}

static int
make_file(const char *bytes)
{
    char path[] = "/tmp/bolide-test-output-XXXXXX";
    int fd = mkstemp(path);

    (void)unlink(path);
    is(write(fd, bytes, BYTES), BYTES, "a file is written");
    return fd;
}

static void
test_all_is_sent_once_and_in_order(void)
{
    static const size_t steps[] = {1, 7, 1000, BYTES - 1, BYTES, BYTES + 1, 1u << 20};
    char all[3 * BYTES];

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct conn conn = {.link.turn = &turn, .send_due_ms = TIMER_NEVER};
        int err = ERR_AGAIN;
        conn.io = &conn.plain;
        conn.plain.ops = &fake_io;
        outq_init(&conn.link.wire.out, &turn.out_pools);
        queue(&conn.link.wire.out, all, make_file(all + BYTES));
        ntaken = 0;
        nwrong = 0;
        for (int calls = 0; err == ERR_AGAIN && calls < 20000; calls++) {
            step = calls % 2 == 0 ? 0 : steps[i];
            size_t before = ntaken;
            err = output_write(&conn);
            if (step == 0 && ntaken != before)
                ok(false, "nothing is sent while the transport accepts nothing");
        }
        is(err, 0, "all is sent, %zu bytes at a time", steps[i]);
        is(ntaken, sizeof all, "no byte is lost, none is sent twice");
        ok(memcmp(taken, all, sizeof all) == 0, "in order");
        is(nwrong, 0,
           "the transport knows what follows, and gets no larger part than it takes");
        is(outq_ready(&conn.link.wire.out), 0, "nothing waits");
        outq_clear(&conn.link.wire.out);
    }
}

static void
test_a_file_that_is_too_short_is_an_error(void)
{
    char all[3 * BYTES] = {0};
    struct conn conn = {.link.turn = &turn, .send_due_ms = TIMER_NEVER};

    conn.io = &conn.plain;
    conn.plain.ops = &fake_io;
    outq_init(&conn.link.wire.out, &turn.out_pools);
    int fd = make_file(all);
    queue(&conn.link.wire.out, all, fd);
    is(ftruncate(fd, 100), 0, "it becomes shorter");
    ntaken = 0;
    step = 1u << 20;
    int err = output_write(&conn);
    while (err == ERR_AGAIN)
        err = output_write(&conn);
    is(err, ERR_FILE, "the file is named as the reason");
    is(ntaken, BYTES + 100, "what existed is sent, and nothing after it");
    outq_clear(&conn.link.wire.out);
}

/* Creates a connection of the turn with `n` bytes to write. */
static void
begin_much(struct conn *conn, size_t n)
{
    static char bytes[OUTPUT_TURN_BYTES];

    *conn = (struct conn){.link.turn = &turn, .send_due_ms = TIMER_NEVER};
    conn->io = &conn->plain;
    conn->plain.ops = &free_io;
    list_init(&conn->link.dirty);
    list_init(&conn->link.later);
    outq_init(&conn->link.wire.out, &turn.out_pools);
    is(outq_copy(&conn->link.wire.out, slice_new(bytes, n)), 0, "%zu bytes are queued",
       n);
}

static void
begin_turn(unsigned nsenders)
{
    turn.number++;
    turn.nsenders = nsenders;
    turn.nsending = 0;
    turn.ahead_bytes = turn.written_bytes = 0;
    turn.is_running = true;
}

static void
test_all_connections_share_the_limit_of_written_bytes(void)
{
    struct conn conns[4];

    begin_turn(4);
    for (int i = 0; i < 4; i++) {
        begin_much(&conns[i], 100u << 10);
        ok(output_ahead(&conns[i]), "connection %d writes", i);
        is(outq_ready(&conns[i].link.wire.out), 0, "all of it");
        is(outq_copy(&conns[i].link.wire.out, slice_of("more")), 0, "more is queued");
        ok(output_ahead(&conns[i]), "and is sent, as its share is 128 KiB");
        outq_clear(&conns[i].link.wire.out);
        begin_much(&conns[i], 100u << 10);
        conns[i].ahead_turn = (uint32_t)turn.number;
        conns[i].ahead_bytes = OUTPUT_AHEAD_BYTES / 4;
        ok(!output_ahead(&conns[i]), "not more than its share");
        ok(!list_is_empty(&conns[i].link.dirty),
           "the rest is sent at the end of the turn");
        list_remove(&conns[i].link.dirty);
        outq_clear(&conns[i].link.wire.out);
    }
    is(turn.nsending, 4, "each is counted once");
    begin_turn(1);
    begin_much(&conns[0], 500u << 10);
    ok(output_ahead(&conns[0]), "one alone writes");
    begin_much(&conns[1], 100u << 10);
    ok(output_ahead(&conns[1]), "another one gets what is left");
    begin_much(&conns[2], 100u << 10);
    ok(!output_ahead(&conns[2]), "a third one gets nothing");
    is(outq_ready(&conns[2].link.wire.out), 100u << 10, "all of it waits");
    list_remove(&conns[2].link.dirty);
    for (int i = 0; i < 3; i++)
        outq_clear(&conns[i].link.wire.out);
}

/* A connection that has never written ahead is then taken for one that has. */
static void
test_a_turn_whose_number_has_no_low_bits_is_like_others(void)
{
    uint64_t before = turn.number;
    struct conn conn;

    turn.number = UINT64_C(0xffffffff);
    begin_turn(0);
    begin_much(&conn, 100u << 10);
    ok(output_ahead(&conn), "it writes");
    is(outq_ready(&conn.link.wire.out), 0, "all of it");
    outq_clear(&conn.link.wire.out);
    turn.number = before;
}

static void
test_a_muted_or_blocked_connection_writes_nothing(void)
{
    struct conn conn;

    begin_turn(0);
    begin_much(&conn, 100u << 10);
    conn.wants_write = true;
    ok(!output_ahead(&conn), "blocked");
    conn.wants_write = false;
    conn.is_mute = true;
    ok(!output_ahead(&conn), "mute");
    is(outq_ready(&conn.link.wire.out), 100u << 10, "nothing is lost before the turn");
    output_flush(&conn);
    is(outq_ready(&conn.link.wire.out), 0,
       "a connection without output drops it in the turn");
    ok(conn.was_high, "after which its senders continue");
    is(turn.ahead_bytes, 0, "others are not charged for it");
}

static void
test_a_turn_limits_what_connections_write(void)
{
    struct conn conns[3], small;

    begin_turn(0);
    begin_much(&conns[0], 600u << 10);
    begin_much(&conns[1], 600u << 10);
    begin_much(&conns[2], 600u << 10);
    begin_much(&small, 1u << 10);
    output_flush(&conns[0]);
    output_flush(&conns[1]);
    is(turn.written_bytes, 1200u << 10, "two write");
    output_flush(&conns[2]);
    is(outq_ready(&conns[2].link.wire.out), 600u << 10, "the third one waits");
    ok(!list_is_empty(&conns[2].link.later), "for the next turn");
    output_flush(&small);
    is(outq_ready(&small.link.wire.out), 0,
       "a response of 1 KiB does not wait for others");
    begin_turn(0);
    output_flush(&conns[2]);
    is(outq_ready(&conns[2].link.wire.out), 0, "the third one writes in the next turn");
    list_remove(&conns[2].link.later);
    for (int i = 0; i < 3; i++)
        outq_clear(&conns[i].link.wire.out);
}

int
main(void)
{
    turn.service.tally = &tally;
    clock_init(&turn.service.clock);
    outq_pools_init(&turn.out_pools, 4);
    test_all_is_sent_once_and_in_order();
    test_a_file_that_is_too_short_is_an_error();
    list_init(&turn.dirty);
    list_init(&turn.later);
    test_all_connections_share_the_limit_of_written_bytes();
    test_a_turn_whose_number_has_no_low_bits_is_like_others();
    test_a_muted_or_blocked_connection_writes_nothing();
    test_a_turn_limits_what_connections_write();
    outq_pools_fini(&turn.out_pools);
    return tap_done();
}
