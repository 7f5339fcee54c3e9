/* SPDX-License-Identifier: MIT */
/* tests/c/test_writer.c — lines that a thread writes: none is torn, and writing
 * never blocks. */
#include <unistd.h> /* write */

static ssize_t disk_write(int fd, const void *bytes, size_t n);
#define write disk_write
#include "log/sink.c"
#undef write
#include "log/writer.c"

#include <errno.h>    /* ENOSPC */
#include <fcntl.h>    /* open */
#include <poll.h>     /* poll */
#include <stdio.h>    /* snprintf */
#include <stdlib.h>   /* mkdtemp */
#include <sys/wait.h> /* waitpid */

#include "base/mem.h"
#include "child.h"
#include "tap.h"

#define LONG_MS 20000

/* A disk that takes its time: while `is_slow`, a write waits for a byte of the pipe. */
static int slow[2];
static bool is_slow;

static ssize_t
disk_write(int fd, const void *bytes, size_t n)
{
    char byte;

    if (__atomic_load_n(&is_slow, __ATOMIC_ACQUIRE))
        (void)!read(slow[0], &byte, 1);
    return write(fd, bytes, n);
}

static void
put_lines(struct piece *piece, const char *text, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        memcpy(piece->bytes + piece->len, text, strlen(text));
        piece->len += (uint32_t)strlen(text);
        piece->nlines++;
    }
}

/* Reads at least `want` bytes. */
static size_t
read_some(int fd, char *out, size_t cap, size_t want)
{
    size_t n = 0;

    while (n < want) {
        ssize_t more = read(fd, out + n, cap - n);
        if (more <= 0)
            break;
        n += (size_t)more;
    }
    return n;
}

/* On a busy machine the thread may start late. */
static void
wait_for_bytes(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};

    is(poll(&look, 1, 60000), 1, "the thread writes");
}

static void
test_parts_are_written_in_order(void)
{
    struct sink_config config = {.kind = SINK_STREAM};
    struct writer *writer;
    int ends[2];
    char text[16] = "";

    is(pipe(ends), 0, "a pipe");
    config.fd = ends[1];
    is(writer_new(&config, 4, &writer), 0, "a writer");
    for (int i = 0; i < 3; i++) {
        struct piece *piece = writer_take(writer);
        put_lines(piece, i == 0 ? "a\n" : i == 1 ? "b\n" : "c\n", 1);
        writer_put(writer, piece);
    }
    writer_wait(writer, LONG_MS);
    is(writer_free(writer, LONG_MS), 0, "nothing is left");
    is(read_some(ends[0], text, sizeof text - 1, 6), 6, "six bytes came");
    is_text(text, "a\nb\nc\n", "in order");
    close(ends[0]);
    close(ends[1]);
}

static void
test_a_stopped_reader_blocks_no_writer(void)
{
    struct sink_config config = {.kind = SINK_STREAM};
    struct writer *writer;
    struct piece *piece;
    char line[101];
    int ends[2], npieces = 0;

    memset(line, 'x', 99);
    line[99] = '\n';
    line[100] = '\0';
    is(pipe(ends), 0, "a pipe");
    config.fd = ends[1];
    is(writer_new(&config, 4, &writer), 0, "a writer");
    for (int i = 0; i < 1000 && npieces < 8; i++) {
        piece = writer_take(writer);
        if (piece == NULL)
            break;
        put_lines(piece, line, 300);
        writer_put(writer, piece);
        npieces++;
    }
    /* A pipe has 64 KiB, two pieces and a bit; the third is being written. */
    ok(npieces >= 4 && npieces < 8, "%d blocks were accepted", npieces);
    ok(writer_take(writer) == NULL, "then no more are accepted");
    wait_for_bytes(ends[0]);
    uint64_t nlost = writer_free(writer, 10);
    ok(nlost >= 300, "%llu lines are lost", (unsigned long long)nlost);

    char *all = malloc(1 << 20);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    size_t n = read_some(ends[0], all, 1 << 20, 1);
    bool whole = n > 0;
    is(nlost + n / 100, (uint64_t)npieces * 300, "each line is written or counted");
    for (size_t i = 0; i < n; i++)
        whole &= (all[i] == '\n') == (i % 100 == 99);
    ok(whole, "%zu bytes of whole lines were in the pipe", n);
    free(all);
    close(ends[0]);
    close(ends[1]);
}

static void
test_a_full_disk_causes_dropped_lines(void)
{
    struct sink_config config = {.kind = SINK_STREAM};
    struct writer_state state;
    struct writer *writer;

    config.fd = open("/dev/full", O_WRONLY);
    is(writer_new(&config, 2, &writer), 0, "a writer");
    struct piece *piece = writer_take(writer);
    put_lines(piece, "line\n", 7);
    writer_put(writer, piece);
    writer_wait(writer, LONG_MS);
    writer_state(writer, &state);
    is(state.nlost, 7, "seven are lost");
    is(state.error, ENOSPC, "and it is known why");
    is(writer_free(writer, LONG_MS), 7, "which is reported again at the end");
    close(config.fd);
}

static void
test_a_file_is_reopened(void)
{
    char folder[] = "/tmp/bolide-XXXXXX", path[64], moved[64], text[16] = "";
    struct sink_config config = {.kind = SINK_FILE, .path = path};
    struct writer_state state;
    struct writer *writer;

    ok(mkdtemp(folder) != NULL, "a folder");
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/log.1", folder);
    config.fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    is(writer_new(&config, 4, &writer), 0, "a writer");
    is(rename(path, moved), 0, "the file is moved");
    writer_reopen(writer);
    struct piece *piece = writer_take(writer);
    put_lines(piece, "new\n", 1);
    writer_put(writer, piece);
    writer_wait(writer, LONG_MS);
    int fd = open(path, O_RDONLY);
    is(read_some(fd, text, sizeof text, 4), 4, "the line is in the new one");
    close(fd);

    unlink(path);
    unlink(moved);
    rmdir(folder);
    writer_reopen(writer);
    piece = writer_take(writer);
    put_lines(piece, "more\n", 1);
    writer_put(writer, piece);
    writer_wait(writer, LONG_MS);
    writer_state(writer, &state);
    is(state.reopen_error, ENOENT, "without its folder it cannot be");
    is(state.nreopens, 2, "which was the second time");
    is(state.nlost, 0, "and the old one is still used");
    is(writer_free(writer, LONG_MS), 0, "the end");
    close(config.fd);
}

static void
test_a_fork_does_not_copy_the_thread(void)
{
    struct sink_config config = {.kind = SINK_STREAM, .fd = 2};
    struct writer *writer;

    is(writer_new(&config, 2, &writer), 0, "a writer");
    pid_t pid = fork();
    if (pid == 0) {
        bool good = writer_take(writer) == NULL;
        writer_free(writer, LONG_MS);
        child_exit(good ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    is(status, 0, "the child does not wait");
    writer_free(writer, LONG_MS);
}

static void
test_lines_are_not_torn(void)
{
    const bool never = false;
    struct sink sink = {.kind =
                            SINK_STREAM}; /* like a socket: it accepts parts of lines */
    char out[64], lines[10000];
    unsigned nlost;
    int ends[2], error = 0;

    is_text((some_lines(slice_of("ab\ncd\n"), 5)).ptr, "ab\ncd\n", "whole lines");
    is(some_lines(slice_of("ab\ncd\n"), 5).len, 3, "as many as fit");
    is(some_lines(slice_of("abcdef\ncd\n"), 3).len, 7, "one at least");
    is(pipe2(ends, O_NONBLOCK), 0, "a pipe");
    memset(lines, 'x', sizeof lines);
    lines[sizeof lines - 1] = '\n';
    sink.fd = ends[1];
    sink.is_torn = true;
    is(sink_write(&sink, slice_of("next\n"), &never, &nlost), 0, "written");
    is(read(ends[0], out, sizeof out), 6, "a torn line is ended first");
    const bool gives_up = true;
    for (int i = 0; i < 7; i++)
        error = sink_write(&sink, slice_new(lines, sizeof lines), &gives_up, &nlost);
    is(error, EAGAIN, "the pipe is full");
    ok(sink.is_torn && nlost == 1, "a line that was cut off is known");
    close(ends[0]);
    close(ends[1]);
}

/* A receiver that does not read loses its lines, and does not delay the end. */
static void
test_datagrams_that_cannot_be_sent_are_counted(void)
{
    struct sink_config config = {.kind = SINK_SYSLOG};
    struct writer *writer;
    unsigned nread = 0;
    char out[256];
    int ends[2];

    is(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0, "a pair");
    config.fd = ends[1];
    is(writer_new(&config, 4, &writer), 0, "a writer");
    struct piece *piece = writer_take(writer);
    put_lines(piece, "line\n", 5000);
    writer_put(writer, piece);
    wait_for_bytes(ends[0]);
    uint64_t nlost = writer_free(writer, 10);
    while (recv(ends[0], out, sizeof out, MSG_DONTWAIT) > 0)
        nread++;
    ok(nread > 0 && nlost > 0, "%u were taken", nread);
    is(nread + nlost, 5000, "each line is taken or counted");
    close(ends[0]);
    close(ends[1]);
}

/* Each allocation and call of a writer's beginning fails in turn. */
static void
test_a_writer_that_cannot_begin_leaves_nothing(void)
{
    static char path[SINK_PATH_BYTES + 1];
    struct sink_config config = {.kind = SINK_STREAM, .fd = 2};
    struct writer *writer;

    mem_fail_at(1);
    is(writer_new(&config, 2, &writer), ERR_NOMEM, "no memory");
    mem_fail_at(0);
    config.fd = -1;
    is(writer_new(&config, 2, &writer), ERR_IO, "no descriptor");
    memset(path, 'x', SINK_PATH_BYTES);
    config.path = path;
    is(writer_new(&config, 2, &writer), ERR_ADDRESS, "no such address");
    is(writer_free(NULL, LONG_MS), 0, "freeing NULL loses no line");

    config = (struct sink_config){.kind = SINK_STREAM, .fd = 2};
    is(writer_new(&config, 2, &writer), 0, "a writer");
    mem_fail_at(1);
    ok(writer_take(writer) == NULL, "no memory for a piece");
    mem_fail_at(0);
    is(writer_free(writer, LONG_MS), 0, "nothing is lost");
}

static void
test_buffers_of_a_burst_are_freed_after_it(void)
{
    struct sink_config config = {.kind = SINK_STREAM};
    struct piece *pieces[KEPT_PIECES + 3];
    struct writer *writer;
    int ends[2];

    is(pipe(ends), 0, "a pipe");
    config.fd = ends[1];
    is(writer_new(&config, COUNT(pieces), &writer), 0, "a writer");
    for (size_t i = 0; i < COUNT(pieces); i++) {
        pieces[i] = writer_take(writer);
        put_lines(pieces[i], "a\n", 1);
    }
    for (size_t i = 0; i < COUNT(pieces); i++)
        writer_put(writer, pieces[i]);
    writer_wait(writer, LONG_MS);
    is(writer->nfree, COUNT(pieces), "all are free again");
    pieces[0] = writer_take(writer);
    is(writer->npieces, COUNT(pieces) - 1, "one is freed");
    put_lines(pieces[0], "a\n", 1);
    writer_put(writer, pieces[0]);
    is(writer_free(writer, LONG_MS), 0, "nothing is lost");
    close(ends[0]);
    close(ends[1]);
}

/* The thread cannot be interrupted in a write: it is left, and frees the writer itself
 * when the disk answers. */
static void
test_a_disk_that_hangs_is_not_waited_for(void)
{
    char path[] = "/tmp/bolide-writer-XXXXXX", text[16] = "";
    struct sink_config config = {.kind = SINK_FILE, .path = path};
    struct writer *writer;

    is(pipe(slow), 0, "a pipe");
    config.fd = mkstemp(path);
    is(writer_new(&config, 4, &writer), 0, "a writer");
    __atomic_store_n(&is_slow, true, __ATOMIC_RELEASE);
    for (unsigned i = 1; i < 3; i++) {
        struct piece *piece = writer_take(writer);
        put_lines(piece, "line\n", i);
        writer_put(writer, piece);
    }
    writer_wait(writer, 1);
    is(writer_free(writer, 1), 3, "the lines are counted as lost");
    __atomic_store_n(&is_slow, false, __ATOMIC_RELEASE);
    is(write(slow[1], "x", 1), 1, "the slow write continues");
    for (int i = 0; i < LONG_MS && pread(config.fd, text, 5, 0) < 5; i++)
        (void)poll(NULL, 0, 1);
    is_text(text, "line\n", "what was being written is written");
    close(config.fd);
    unlink(path);
}

int
main(void)
{
    test_a_writer_that_cannot_begin_leaves_nothing();
    test_buffers_of_a_burst_are_freed_after_it();
    test_a_disk_that_hangs_is_not_waited_for();
    test_datagrams_that_cannot_be_sent_are_counted();
    test_parts_are_written_in_order();
    test_a_stopped_reader_blocks_no_writer();
    test_a_full_disk_causes_dropped_lines();
    test_a_file_is_reopened();
    test_a_fork_does_not_copy_the_thread();
    test_lines_are_not_torn();
    return tap_done();
}
