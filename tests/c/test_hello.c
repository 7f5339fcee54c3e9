/* SPDX-License-Identifier: MIT */
/* tests/c/test_hello.c — a connection while its handshake runs: for a limited time, and no
 * longer than the server. */
#include "server/hello.c"

#include "fake_wire.h"
#include "tap.h"

static const struct stream_handler handler;

static void
test_each_end(void)
{
    static const struct {
        const char *what;
        void (*end)(struct wire *wire, void *session);
        int finished, aborted;
    } cases[] = {
        {"a peer that leaves", on_eof, 0, 1},
        {"a peer that is too slow", on_deadline, 0, 1},
        {"a stop", drain, 1, 0},
        {"a flush", do_nothing, 0, 0},
    };
    static struct fake fake;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ok(fake_init_as(&fake, &hello_protocol, &handler, NULL), "a session");
        ok(fake.wire.wants_read, "it is read");
        is(fake.wire.read_due_ms - clock_ms(&fake.service.clock),
           fake.service.limits.handshake_ms, "for as long as a handshake may take");
        cases[i].end(&fake.wire, fake.session);
        is(fake.finished, cases[i].finished, "%s: the end in order", cases[i].what);
        is(fake.aborted, cases[i].aborted, "or at once");
        fake_fini(&fake);
    }
}

static void
test_bytes_are_left_for_the_session_that_follows(void)
{
    static struct fake fake;
    struct slice in = slice_of("GET / HTTP/1.1\r\n");

    ok(fake_init_as(&fake, &hello_protocol, &handler, NULL), "a session");
    ops.feed(&fake.wire, fake.session, &in);
    is(in.len, 16, "nothing is taken");
    notify(&fake.wire, fake.session, false);
    is(fake.finished + fake.aborted, 0, "there is nobody to be notified");
    ok(ops.is_idle == NULL, "and it never waits for a request");
    fake_fini(&fake);
}

int
main(void)
{
    test_each_end();
    test_bytes_are_left_for_the_session_that_follows();
    return tap_done();
}
