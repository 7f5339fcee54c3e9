/* SPDX-License-Identifier: MIT */
/* tests/c/test_preamble.c — a PROXY header is read from the socket however it is
 * split, and no byte of what follows it is. */
#include "server/preamble.c"

#include <errno.h>  /* EAGAIN */
#include <unistd.h> /* close */

#include "failing.h"
#include "fake_wire.h"
#include "tap.h"

#define HEADER "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n"
#define REST "GET / HTTP/1.1\r\n"

static char scratch[TURN_SCRATCH_BYTES];
static struct endpoint endpoint = {.proxy = PROXY_V1 | PROXY_V2};
static const struct stream_handler handler;

/* Creates a connection from a Unix socket that has to send a header; returns the
 * other end. */
static int
connect_to(struct fake *fake, int *fd)
{
    int pair[2];

    ok(fake_init_as(fake, &preamble_protocol, &handler, NULL), "a session");
    fake->wire.peer.endpoint = &endpoint;
    is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0, "two sockets");
    *fd = pair[0];
    return pair[1];
}

static void
finish(struct fake *fake, int fd, int peer)
{
    fake_fini(fake);
    close(fd);
    close(peer);
}

static void
test_a_header_may_be_split_anywhere(void)
{
    static const char all[] = HEADER REST;
    static struct fake fake;
    size_t header = sizeof HEADER - 1;

    for (size_t step = 1; step < sizeof all; step++) {
        char host[PEER_HOST_BYTES], rest[sizeof all];
        int fd, peer = connect_to(&fake, &fd), err = ERR_AGAIN;
        for (size_t at = 0; at < sizeof all - 1 && err == ERR_AGAIN; at += step) {
            size_t left = sizeof all - 1 - at;
            (void)!send(peer, all + at, step < left ? step : left, 0);
            err = preamble_read(&fake.wire, fd, scratch);
        }
        is(err, 0, "a header in pieces of %zu", step);
        (void)peer_host(&fake.wire.peer, host);
        is_text(host, "1.2.3.4", "names the client");
        is(fake.wire.peer.addr.port, 1000, "and its port");
        ok(fake.wire.in.len == 0, "nothing is kept of it");
        ssize_t n = recv(fd, rest, sizeof rest, 0);
        size_t sent = (header + step - 1) / step * step;
        size_t want = (sent < sizeof all - 1 ? sent : sizeof all - 1) - header;
        ok((n < 0 && want == 0) ||
               (n == (ssize_t)want && memcmp(rest, REST, want) == 0),
           "%zu bytes of what follows are still there", want);
        finish(&fake, fd, peer);
    }
}

static void
test_invalid_headers(void)
{
    static const struct {
        const char *bytes;
        int err;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", ERR_PROXY},
        {"PROXY TCP9 1.2.3.4 5.6.7.8 1 2\r\n", ERR_PROXY},
        {"\r\n\r\nX", ERR_PROXY},
        {"", ERR_EOF},
        {"PROXY", ERR_AGAIN},
    };
    static struct fake fake;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd, peer = connect_to(&fake, &fd);
        (void)!send(peer, cases[i].bytes, strlen(cases[i].bytes), 0);
        shutdown(peer, SHUT_WR);
        int err = preamble_read(&fake.wire, fd, scratch);
        is(err, cases[i].err, "case %zu", i);
        if (err == ERR_AGAIN)
            is(preamble_read(&fake.wire, fd, scratch), ERR_EOF, "half a header ends");
        is(fake.wire.peer.via.kind, PEER_NONE, "no client is named");
        finish(&fake, fd, peer);
    }
}

static void
test_without_memory_nothing_is_taken(void)
{
    static struct fake fake;
    int fd, peer = connect_to(&fake, &fd);

    (void)!send(peer, HEADER, sizeof HEADER - 1, 0);
    mem_fail_at(1);
    is(preamble_read(&fake.wire, fd, scratch), ERR_NOMEM, "there is no memory");
    mem_fail_at(0);
    is(preamble_read(&fake.wire, fd, scratch), 0, "the header is still there");
    finish(&fake, fd, peer);
}

static void
test_a_local_header_changes_no_client(void)
{
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    static struct fake fake;
    int fd, peer = connect_to(&fake, &fd);

    fake.wire.peer.addr = (struct peer_addr){.kind = PEER_IPV4, .port = 9};
    (void)!send(peer, local, sizeof local - 1, 0);
    is(preamble_read(&fake.wire, fd, scratch), 0, "LOCAL of version 2");
    is(fake.wire.peer.addr.port, 9, "the proxy is the client");
    is(fake.wire.peer.via.kind, PEER_NONE, "and no other client is named");
    finish(&fake, fd, peer);
}

static void
test_it_ends_by_itself(void)
{
    static struct fake fake;
    int fd, peer = connect_to(&fake, &fd);

    ok(fake.wire.read_due_ms != TIMER_NEVER, "there is a deadline");
    ok(fake.wire.wants_read, "until which is read");
    ops.on_deadline(&fake.wire, fake.session);
    is(fake.aborted, 1, "it ends it");
    fake.wire.read_due_ms = clock_due(&fake.service.clock, 10000);
    fake.service.is_draining = true;
    ops.drain(&fake.wire, fake.session);
    is(fake.wire.read_due_ms - clock_ms(&fake.service.clock),
       fake.service.limits.linger_ms,
       "a stop shortens its deadline to the linger time");
    ops.on_deadline(&fake.wire, fake.session);
    is(fake.finished, 1, "and ends it in order");
    finish(&fake, fd, peer);
}

static void
test_bytes_that_cannot_be_taken_end_it(void)
{
    static const struct {
        int error, want;
    } cases[] = {{EAGAIN, ERR_IO}, {ECONNRESET, ERR_RESET}};
    static struct fake fake;

    for (size_t i = 0; i < COUNT(cases); i++) {
        int fd, peer = connect_to(&fake, &fd);
        (void)!send(peer, HEADER, sizeof HEADER - 1, 0);
        fault_of("recv", 2, cases[i].error);
        int err = preamble_read(&fake.wire, fd, scratch);
        fault_stop();
        bool failed = fault_name()[0] != '\0';
        is(err, failed ? cases[i].want : 0, "case %zu", i);
        is(fake.wire.peer.via.kind, PEER_NONE, "no other client is named");
        finish(&fake, fd, peer);
    }
}

static void
test_it_is_no_request(void)
{
    static struct fake fake;
    int fd, peer = connect_to(&fake, &fd);

    is(ops.idle(&fake.wire, fake.session), SESSION_UNUSED, "none has begun");
    ops.notify(&fake.wire, fake.session, false);
    is(fake.finished + fake.aborted, 0, "so that a stop need not end one");
    finish(&fake, fd, peer);
}

int
main(void)
{
    test_a_header_may_be_split_anywhere();
    test_invalid_headers();
    test_without_memory_nothing_is_taken();
    test_a_local_header_changes_no_client();
    test_it_ends_by_itself();
    test_bytes_that_cannot_be_taken_end_it();
    test_it_is_no_request();
    return tap_done();
}
