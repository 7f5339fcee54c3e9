/* SPDX-License-Identifier: MIT */
/* tests/c/test_handshake.c — a connection during its handshake: for a limited time,
 * and not longer than the server. */
#include "server/handshake.c"

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
        {"a peer that leaves", handshake_on_eof, 0, 1},
        {"a peer that is too slow", handshake_on_deadline, 0, 1},
        {"a stop", handshake_drain, 0, 0},
        {"a flush", handshake_do_nothing, 0, 0},
    };
    static struct fake fake;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ok(fake_init_as(&fake, &handshake_protocol, &handler, NULL), "a session");
        ok(fake.wire.wants_read, "it is read");
        is(fake.wire.read_due_ms - clock_ms(&fake.service.clock),
           fake.service.limits.handshake_ms, "for as long as a handshake may take");
        cases[i].end(&fake.wire, fake.session);
        is(fake.finished, cases[i].finished, "%s: the end in order", cases[i].what);
        is(fake.aborted, cases[i].aborted, "or at once");
        fake_fini(&fake);
    }
}

/* A request may follow the handshake, but the wait for it is short. */
static void
test_a_stop_waits_for_a_moment(void)
{
    static struct fake fake;

    ok(fake_init_as(&fake, &handshake_protocol, &handler, NULL), "a session");
    fake.service.is_draining = true;
    fake.touched = false;
    ops.drain(&fake.wire, fake.session);
    ok(fake.touched, "the deadline is another one");
    is(fake.wire.read_due_ms - clock_ms(&fake.service.clock),
       fake.service.limits.linger_ms, "it has as long as a last response");
    ops.on_deadline(&fake.wire, fake.session);
    is(fake.finished, 1, "then it ends");
    is(fake.aborted, 0, "in order");
    is(fake.wire.read_due_ms, TIMER_NEVER, "once");
    fake_fini(&fake);
}

static void
test_bytes_are_left_for_the_session_that_follows(void)
{
    static struct fake fake;
    struct slice in = slice_of("GET / HTTP/1.1\r\n");

    ok(fake_init_as(&fake, &handshake_protocol, &handler, NULL), "a session");
    ops.feed(&fake.wire, fake.session, &in);
    is(in.len, 16, "nothing is taken");
    handshake_notify(&fake.wire, fake.session, false);
    is(fake.finished + fake.aborted, 0, "there is no session to be notified");
    is(ops.idle(&fake.wire, fake.session), SESSION_UNUSED, "there was no request yet");
    fake_fini(&fake);
}

int
main(void)
{
    test_each_end();
    test_a_stop_waits_for_a_moment();
    test_bytes_are_left_for_the_session_that_follows();
    return tap_done();
}
