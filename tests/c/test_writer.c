/* SPDX-License-Identifier: MIT */
/* tests/c/test_writer.c — lines that a thread writes: none is torn, none is waited for. */
#include "server/sink.c"
#include "server/writer.c"

#include <errno.h>    /* ENOSPC */
#include <fcntl.h>    /* open */
#include <poll.h>     /* poll */
#include <stdio.h>    /* snprintf */
#include <stdlib.h>   /* mkdtemp */
#include <sys/wait.h> /* waitpid */

#include "tap.h"

#define LONG_MS 20000

static void
put_lines(struct piece *piece, const char *text, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        memcpy(piece->bytes + piece->len, text, strlen(text));
        piece->len += (uint32_t)strlen(text);
        piece->nlines++;
    }
}

/* Reads `want` bytes at least. */
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

static void
test_pieces_are_written_in_order(void)
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
test_a_reader_that_has_stopped_stops_nobody(void)
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
    ok(npieces >= 4 && npieces < 8, "%d pieces were taken", npieces);
    ok(writer_take(writer) == NULL, "then there is no more");
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
test_a_full_disk_costs_lines(void)
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
    is(writer_free(writer, LONG_MS), 7, "which the end says again");
    close(config.fd);
}

static void
test_a_file_is_opened_again(void)
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
    is(state.nlost, 0, "and the old one goes on");
    is(writer_free(writer, LONG_MS), 0, "the end");
    close(config.fd);
}

static void
test_a_fork_leaves_the_thread_behind(void)
{
    struct sink_config config = {.kind = SINK_STREAM, .fd = 2};
    struct writer *writer;

    is(writer_new(&config, 2, &writer), 0, "a writer");
    pid_t pid = fork();
    if (pid == 0) {
        bool good = writer_take(writer) == NULL;
        writer_free(writer, LONG_MS);
        _exit(good ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    is(status, 0, "the child waits for nobody");
    writer_free(writer, LONG_MS);
}

static void
test_lines_are_not_torn(void)
{
    const bool never = false;
    struct sink sink = {.kind = SINK_STREAM}; /* as a socket: it takes parts of lines */
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

/* A receiver that reads nothing costs its lines, and the end is not later for it. */
static void
test_datagrams_that_nobody_takes_are_counted(void)
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
    uint64_t nlost = writer_free(writer, 10);
    while (recv(ends[0], out, sizeof out, MSG_DONTWAIT) > 0)
        nread++;
    ok(nread > 0 && nlost > 0, "%u were taken", nread);
    is(nread + nlost, 5000, "each line is taken or counted");
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    test_datagrams_that_nobody_takes_are_counted();
    test_pieces_are_written_in_order();
    test_a_reader_that_has_stopped_stops_nobody();
    test_a_full_disk_costs_lines();
    test_a_file_is_opened_again();
    test_a_fork_leaves_the_thread_behind();
    test_lines_are_not_torn();
    return tap_done();
}
