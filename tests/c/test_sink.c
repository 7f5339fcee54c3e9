/* SPDX-License-Identifier: MIT */
/* tests/c/test_sink.c — where lines go: to sockets at paths and to connected ones, and
 * what is reported about a sink that cannot be opened or written. */
#include "log/sink.c"

#include <fcntl.h>  /* open */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* mkdtemp */
#include <signal.h> /* SIGPIPE */

#include "tap.h"

static const bool never = false;

/* A receiver of datagrams at a path, and a socket that sends to it. */
struct receiver {
    char folder[32], path[64];
    int fd, sender;
};

static void
receiver_begin(struct receiver *r)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(r->folder, sizeof r->folder, "/tmp/bolide-sink-XXXXXX");
    ok(mkdtemp(r->folder) != NULL, "a folder");
    snprintf(r->path, sizeof r->path, "%s/socket", r->folder);
    memcpy(address.sun_path, r->path, strlen(r->path) + 1);
    r->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    r->sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    is(bind(r->fd, (struct sockaddr *)&address, sizeof address), 0, "a receiver");
}

static void
receiver_end(struct receiver *r)
{
    close(r->fd);
    close(r->sender);
    unlink(r->path);
    rmdir(r->folder);
}

/* Writes two lines of a sink of `kind`, and checks how each datagram begins and ends. */
static void
send_two(enum sink_kind kind, const char *begins, const char *ends)
{
    struct sink_config config = {.kind = kind};
    struct receiver r;
    struct sink sink;
    char got[512];
    unsigned nlost = 9;

    receiver_begin(&r);
    config.fd = r.sender;
    config.path = r.path;
    is(sink_init(&sink, &config), 0, "a sink");
    ok(sink.address_bytes > 0 && !sink.is_terminal, "which has an address");
    is(sink_write(&sink, slice_of("one\ntwo\n"), &never, &nlost), 0, "two lines");
    is(nlost, 0, "none is lost");
    for (int i = 0; i < 2; i++) {
        ssize_t n = recv(r.fd, got, sizeof got - 1, MSG_DONTWAIT);
        ok(n > 0, "datagram %d is received", i);
        got[n > 0 ? n : 0] = '\0';
        ok(strncmp(got, begins, strlen(begins)) == 0, "it begins as it should: %s",
           got);
        ok(strstr(got, i == 0 ? "one" : "two") != NULL, "with its line");
        size_t len = strlen(got), nends = strlen(ends);
        ok(len > nends && strcmp(got + len - nends, ends) == 0, "and ends with it");
    }
    is(sink_reopen(&sink), 0, "nothing is reopened");
    const bool gives_up = true;
    is(sink_write(&sink, slice_of("three\n"), &gives_up, &nlost), EAGAIN,
       "the write fails");
    is(nlost, 1, "the line is lost");
    receiver_end(&r);
    ok(sink_write(&sink, slice_of("four\nfive\n"), &never, &nlost) != 0,
       "there is no receiver");
    is(nlost, 2, "both lines are lost");
    sink_fini(&sink);
}

static void
test_each_line_is_a_datagram_to_the_path(void)
{
    send_two(SINK_SYSLOG, "<", "");
    send_two(SINK_JOURNAL, "PRIORITY=", "\n");
}

static void
test_a_connected_socket_needs_no_address(void)
{
    struct sink_config config = {.kind = SINK_SYSLOG};
    struct sink sink;
    unsigned nlost;
    char got[512];
    int ends[2];

    is(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0, "a pair");
    config.fd = ends[1];
    is(sink_init(&sink, &config), 0, "a sink");
    is(sink.address_bytes, 0, "without an address");
    is(sink_write(&sink, slice_of("no newline"), &never, &nlost), 0, "a line");
    ok(recv(ends[0], got, sizeof got, MSG_DONTWAIT) > 0, "is received");
    close(ends[0]);
    is(sink_write(&sink, slice_of("one\n"), &never, &nlost), ECONNREFUSED,
       "the receiver is closed");
    sink_fini(&sink);
    sink_fini(&sink); /* a second time it does nothing */
    close(ends[1]);
}

static void
test_what_cannot_be_opened_is_an_error(void)
{
    static char path[SINK_PATH_BYTES + 1];
    struct sink_config config = {.kind = SINK_FILE, .fd = -1, .path = path};
    struct sink sink;

    is(sink_init(&sink, &config), ERR_IO, "no descriptor");
    memset(path, 'x', SINK_PATH_BYTES);
    is(sink_init(&sink, &config), ERR_ADDRESS, "a path that is too long");
    path[200] = '\0';
    config.kind = SINK_SYSLOG;
    is(sink_init(&sink, &config), ERR_ADDRESS, "for a socket");
    path[0] = '\0';
    is(sink_init(&sink, &config), ERR_IO, "no path and no descriptor");
}

/* A full pipe does not block the writer: the rest of a line is lost, and the next one
 * begins a new line. */
static void
test_a_line_that_was_cut_is_ended_before_the_next(void)
{
    struct sink sink = {.kind = SINK_STREAM};
    const bool gives_up = true;
    char line[3000], drain[4096];
    unsigned nlost;
    int ends[2], error = 0;

    is(pipe2(ends, O_NONBLOCK), 0, "a pipe");
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    sink.fd = ends[1];
    for (int i = 0; i < 100 && error == 0; i++)
        error = sink_write(&sink, slice_new(line, sizeof line), &gives_up, &nlost);
    is(error, EAGAIN, "it is full");
    sink.is_torn = true;
    is(sink_write(&sink, slice_of("a\n"), &gives_up, &nlost), EAGAIN, "and stays so");
    is(nlost, 1, "the line is lost");
    while (read(ends[0], drain, sizeof drain) > 0)
        ;
    is(sink_write(&sink, slice_of("b\n"), &never, &nlost), 0, "there is room");
    ok(!sink.is_torn, "nothing is torn");
    is(read(ends[0], drain, sizeof drain), 3, "the newline came before");
    close(ends[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    is(sink_write(&sink, slice_of("c\n"), &never, &nlost), EPIPE, "no reader is left");
    close(ends[1]);
}

int
main(void)
{
    test_each_line_is_a_datagram_to_the_path();
    test_a_connected_socket_needs_no_address();
    test_what_cannot_be_opened_is_an_error();
    test_a_line_that_was_cut_is_ended_before_the_next();
    return tap_done();
}
