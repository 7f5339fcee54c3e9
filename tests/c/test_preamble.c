/* SPDX-License-Identifier: MIT */
/* tests/c/test_preamble.c — a PROXY header comes off the socket however it is cut, and no
 * byte of what follows it does. */
#include "server/preamble.c"

#include <unistd.h> /* close */

#include "fake_wire.h"
#include "tap.h"

#define HEADER "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n"
#define REST "GET / HTTP/1.1\r\n"

static char scratch[TURN_SCRATCH_BYTES];
static struct endpoint endpoint = {.proxy = PROXY_V1 | PROXY_V2};
static const struct stream_handler handler;

/* A connection from a Unix socket that has a header to send; the other end. */
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
test_a_header_however_it_is_cut(void)
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
test_what_is_no_header(void)
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
        is(fake.wire.peer.via.kind, PEER_NONE, "nobody is spoken for");
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
test_a_local_header_changes_nobody(void)
{
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    static struct fake fake;
    int fd, peer = connect_to(&fake, &fd);

    fake.wire.peer.addr = (struct peer_addr){.kind = PEER_IPV4, .port = 9};
    (void)!send(peer, local, sizeof local - 1, 0);
    is(preamble_read(&fake.wire, fd, scratch), 0, "LOCAL of version 2");
    is(fake.wire.peer.addr.port, 9, "the proxy speaks for itself");
    is(fake.wire.peer.via.kind, PEER_NONE, "and for nobody else");
    finish(&fake, fd, peer);
}

static void
test_it_ends_by_itself(void)
{
    static struct fake fake;
    int fd, peer = connect_to(&fake, &fd);

    ok(fake.wire.read_due_ms != TIMER_NEVER, "there is a deadline");
    ok(fake.wire.wants_read, "until which is read");
    ops.drain(&fake.wire, fake.session);
    is(fake.finished, 1, "a stop ends it");
    ops.on_deadline(&fake.wire, fake.session);
    is(fake.aborted, 1, "so does the deadline");
    finish(&fake, fd, peer);
}

int
main(void)
{
    test_a_header_however_it_is_cut();
    test_what_is_no_header();
    test_without_memory_nothing_is_taken();
    test_a_local_header_changes_nobody();
    test_it_ends_by_itself();
    return tap_done();
}
