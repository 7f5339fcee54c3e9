/* SPDX-License-Identifier: MIT */
/* tests/c/test_finish.c — how a connection of HTTP/1 ends. */
#include "http1/finish.c"

#include "fake_wire.h"
#include "http1/session.h"
#include "tap.h"

static struct fake fake;

static const struct stream_handler handler;

static struct h1_session *
begin_connection(void)
{
    ok(fake_init(&fake, &handler, NULL), "a connection begins");
    return fake.session;
}

static void
test_a_rejected_request_gets_a_response_and_ends_the_connection(void)
{
    struct h1_session *h = begin_connection();

    h1_refuse(h, ERR_BODY_TOO_LARGE, false);
    fake_flush(&fake.wire);
    ok(strncmp(fake.out, "HTTP/1.1 413 ", 13) == 0, "with the status of the reason");
    ok(strstr(fake.out, "\r\nconnection: close\r\n") != NULL, "and names the status");
    is(fake.finished, 1, "the connection ends");
    is(fake.finish_why, ERR_BODY_TOO_LARGE, "the reason is logged");
    ok(fake.wire.lingers, "the peer may still be sending");
    ok(fake.wire.read_due_ms == TIMER_NEVER, "nothing is waited for");
    fake_fini(&fake);
}

static void
test_a_refusal_replaces_a_held_head(void)
{
    struct h1_session *h = begin_connection();

    outq_hold(&fake.wire.out);
    (void)!outq_copy(&fake.wire.out, slice_of("HTTP/1.1 200 OK\r\n"));
    h1_refuse(h, ERR_SHUTDOWN, true);
    fake_flush(&fake.wire);
    ok(strncmp(fake.out, "HTTP/1.1 503 ", 13) == 0, "nothing else was sent");
    ok(strcmp(fake.out + fake.nout - 4, "\r\n\r\n") == 0, "to HEAD without a body");
    fake_fini(&fake);
}

static void
test_a_reason_without_a_status_only_ends_the_connection(void)
{
    struct h1_session *h = begin_connection();

    h1_refuse(h, ERR_RESET, false);
    fake_flush(&fake.wire);
    is(fake.nout, 0, "nothing is sent");
    is(fake.finished, 1, "the connection ends");
    fake_fini(&fake);
}

static void
test_without_memory_the_connection_is_aborted(void)
{
    struct h1_session *h = begin_connection();

    mem_fail_at(1);
    h1_refuse(h, ERR_HEAD_TIMEOUT, false);
    mem_fail_at(0);
    is(fake.aborted, 1, "at once");
    is(fake.finished, 0, "and not finished");
    fake_fini(&fake);
}

int
main(void)
{
    test_a_rejected_request_gets_a_response_and_ends_the_connection();
    test_a_refusal_replaces_a_held_head();
    test_a_reason_without_a_status_only_ends_the_connection();
    test_without_memory_the_connection_is_aborted();
    return tap_done();
}
