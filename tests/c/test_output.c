/* SPDX-License-Identifier: MIT */
/* tests/c/test_output.c — what is queued leaves once and in order over a transport that
 * takes any number of bytes, and then no more. */
#include "server/output.c"

#include <stdlib.h> /* mkstemp */
#include <unistd.h> /* pread, unlink */

#include "tap.h"

#define BYTES 3000u /* of the file; as many before it and behind it */

static char taken[3 * BYTES + 1];
static size_t ntaken, step; /* bytes that one call takes at most; 0: none */

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
    (void)io;
    return n > 0 ? take(iov[0].iov_base, iov[0].iov_len) : 0;
}

static ssize_t
fake_write_file(struct io *io, int fd, uint64_t offset, size_t n)
{
    char bytes[BYTES];

    (void)io;
    ssize_t got = pread(fd, bytes, n < BYTES ? n : BYTES, narrow_off(offset));
    return got > 0 ? take(bytes, narrow_size(got)) : ERR_FILE;
}

static const struct io_ops fake_io = {
    .writev = fake_writev,
    .write_file = fake_write_file,
};

static struct turn turn;
static struct tally tally;

static void
queue(struct outq *out, const char *all, int fd)
{
    struct file *file = file_new(fd);

    is(outq_copy(out, slice_new(all, BYTES)), 0, "bytes");
    is(outq_lend_file(out, file, 0, BYTES), 0, "a file");
    is(outq_copy(out, slice_new(all + 2 * BYTES, BYTES)), 0, "bytes behind it");
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
test_all_leaves_once_and_in_order(void)
{
    static const size_t steps[] = {1, 7, 1000, BYTES - 1, BYTES, BYTES + 1, 1u << 20};
    char all[3 * BYTES];

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct conn conn = {.turn = &turn, .send_due_ms = TIMER_NEVER};
        int err = ERR_AGAIN;
        conn.io = &conn.plain;
        conn.plain.ops = &fake_io;
        outq_init(&conn.wire.out, &turn.out_pools);
        queue(&conn.wire.out, all, make_file(all + BYTES));
        ntaken = 0;
        for (int calls = 0; err == ERR_AGAIN && calls < 20000; calls++) {
            step = calls % 2 == 0 ? 0 : steps[i];
            size_t before = ntaken;
            err = output_write(&conn);
            if (step == 0 && ntaken != before)
                ok(false, "nothing leaves while the transport takes nothing");
        }
        is(err, 0, "all is out, %zu bytes at a time", steps[i]);
        is(ntaken, sizeof all, "no byte is lost, none is sent twice");
        ok(memcmp(taken, all, sizeof all) == 0, "in order");
        is(outq_ready(&conn.wire.out), 0, "nothing waits");
        outq_clear(&conn.wire.out);
    }
}

static void
test_a_file_that_ends_before_is_the_error(void)
{
    char all[3 * BYTES] = {0};
    struct conn conn = {.turn = &turn, .send_due_ms = TIMER_NEVER};

    conn.io = &conn.plain;
    conn.plain.ops = &fake_io;
    outq_init(&conn.wire.out, &turn.out_pools);
    int fd = make_file(all);
    queue(&conn.wire.out, all, fd);
    is(ftruncate(fd, 100), 0, "it becomes shorter");
    ntaken = 0;
    step = 1u << 20;
    int err = output_write(&conn);
    while (err == ERR_AGAIN)
        err = output_write(&conn);
    is(err, ERR_FILE, "the file is named as the reason");
    is(ntaken, BYTES + 100, "what was there has left, nothing behind it");
    outq_clear(&conn.wire.out);
}

int
main(void)
{
    turn.service.tally = &tally;
    clock_init(&turn.service.clock);
    outq_pools_init(&turn.out_pools, 4);
    test_all_leaves_once_and_in_order();
    test_a_file_that_ends_before_is_the_error();
    outq_pools_fini(&turn.out_pools);
    return tap_done();
}
