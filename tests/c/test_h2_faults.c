/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_faults.c — HTTP/2 connections on which one call of nghttp2 fails, or an
 * allocation, and a session that is fed from its own handler. */
#include "http2/goaway.h"
#include "http2/output.h"

#include "failing.h"
#include "h2_app.h"

static bool
has_failed(void)
{
    fault_stop();
    return fault_name()[0] != '\0';
}

static void
test_a_stop_that_cannot_be_announced_ends_the_connection(void)
{
    static const char *const calls[] = {"nghttp2_submit_shutdown_notice",
                                        "nghttp2_submit_ping"};

    for (size_t i = 0; i < COUNT(calls); i++) {
        begin();
        H2_PUT_HEADERS(&script, 1, H2_GET, true);
        feed();
        fault_of(calls[i], 1, 0);
        h2_protocol.ops->drain(&fake.wire, fake.session);
        is(fake.aborted, has_failed(), "%s fails", calls[i]);
        fake_serve(&fake);
        end();
    }
}

static void
test_an_end_that_cannot_be_announced_is_an_abort(void)
{
    for (int fails = 0; fails < 2; fails++) {
        begin();
        feed();
        if (fails)
            fault_of("nghttp2_session_terminate_session", 1, 0);
        h2_end(fake.session, NGHTTP2_NO_ERROR, 0);
        bool failed = fails && has_failed();
        is(fake.aborted, failed, "the connection is aborted");
        is(fake.finished, !failed, "or has a proper end");
        end();
    }
}

static void
test_too_many_resets_without_memory_end_the_connection(void)
{
    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    for (int32_t id = 3; id < 3 + 2 * 1000; id += 2) {
        H2_PUT_HEADERS(&script, id, H2_GET, true);
        h2_put_number(&script, NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
    }
    fault_of("nghttp2_submit_goaway", 1, 0);
    feed();
    is(fake.aborted, has_failed(), "the peer cannot be told");
    is(fake.complaint, ERR_H2_RESETS, "the log is");
    end();
}

static void
test_a_request_without_memory_ends_the_connection(void)
{
    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    fault_of("nghttp2_session_set_stream_user_data", 1, 0);
    feed();
    bool failed = has_failed();
    is(fake.aborted, failed, "its stream cannot be found later");
    is(app.nrequests, !failed, "it does not begin");
    if (failed)
        is(fake.service.h2_streams.ntaken, 0, "and leaves nothing");
    end();
}

/* HTTP/1 continues if a connection cannot change to HTTP/2. */
static void
test_an_upgrade_without_memory_changes_nothing(void)
{
    const struct http_head head = {
        .method = slice_of("GET"),
        .target = slice_of("/"),
        .content_length = HTTP_LENGTH_NONE,
    };
    unsigned long n = 0;
    void *session = NULL;

    for (n = 1; session == NULL && n < 100; n++) {
        memset(&app, 0, sizeof app);
        ok(fake_init(&fake, &handler, &app), "HTTP/1");
        const uint64_t due_ms = fake.wire.read_due_ms;
        mem_fail_at(n);
        session = h2_begin_upgraded(&fake.wire, &head, slice_of(""));
        mem_fail_at(0);
        if (session == NULL) {
            is(app.nrequests, 0, "allocation %lu fails: nothing has begun", n);
            is(fake.service.h2_streams.ntaken, 0, "and nothing is left");
            ok(fake.wire.read_due_ms == due_ms && fake.wire.out.bytes == 0,
               "HTTP/1 continues");
        } else {
            h2_protocol.ops->fini(&fake.wire, session, ERR_CLOSED);
            is(app.nclosed, app.nrequests, "with enough memory it begins");
        }
        fake_fini(&fake);
    }
    ok(session != NULL, "after %lu", n);
}

static int
feed_on_request(struct stream *s, const struct http_head *head)
{
    struct slice more = slice_of("inside");
    int err = on_request(s, head);

    h2_protocol.ops->feed(&fake.wire, fake.session, &more);
    is(more.len, 6, "nothing is taken");
    return err;
}

static void
test_a_session_that_is_being_fed_takes_nothing(void)
{
    struct stream_handler feeding = handler;

    feeding.on_request = feed_on_request;
    memset(&app, 0, sizeof app);
    app.body_bytes = 5;
    ok(fake_init_as(&fake, &h2_protocol, &feeding, &app), "a session begins");
    h2_put_preface(&script);
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    is(app.nrequests, 1, "a request");
    is(h2_look(&fake, NGHTTP2_DATA, 1).bytes, 5, "gets its response");
    is(fake.finished + fake.aborted, 0, "the connection continues");
    end();
}

int
main(void)
{
    h2_app_fill_body();
    test_a_stop_that_cannot_be_announced_ends_the_connection();
    test_an_end_that_cannot_be_announced_is_an_abort();
    test_too_many_resets_without_memory_end_the_connection();
    test_a_request_without_memory_ends_the_connection();
    test_an_upgrade_without_memory_changes_nothing();
    test_a_session_that_is_being_fed_takes_nothing();
    return tap_done();
}
