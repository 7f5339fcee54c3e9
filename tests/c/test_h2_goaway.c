/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_goaway.c — how a connection stops accepting streams. */
#include "http2/goaway.c"

#include "h2_app.h"

static void
test_a_drain_ends_after_the_last_stream(void)
{
    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    fake.service.is_draining = true;
    h2_protocol.ops->drain(&fake.wire, fake.session);
    fake_serve(&fake);
    is(h2_look(&fake, NGHTTP2_GOAWAY, 0).frames, 1, "told");
    H2_PUT_HEADERS(&script, 3, H2_GET, true);
    feed();
    is(app.nrequests, 2, "requests in transit are served");
    pass_ms(2000);
    is(h2_look(&fake, NGHTTP2_GOAWAY, 0).frames, 2, "GOAWAY is sent again");
    fake_serve(&fake);
    is(h2_look(&fake, NGHTTP2_GOAWAY, 0).frames, 2, "once");
    is(fake.finished, 0, "not over");
    is(answer(app.stream, 1), 0, "the one");
    fake_serve(&fake);
    is(fake.finished, 0, "nor now");
    h2_protocol.ops->notify(&fake.wire, fake.session, false);
    fake_serve(&fake);
    is(fake.finished, 1, "over");
    end();
}

/* A client that accepts no data sends `n` requests, and resets them `after` the
 * response. */
static void
reset_many(int n, bool with_window, bool answers, int status_code)
{
    begin();
    app.body_bytes = answers ? 5 : 0;
    if (!with_window)
        h2_put_frame(&script, NGHTTP2_SETTINGS, 0, 0, H2_LITERAL("\0\4\0\0\0\0"));
    for (int i = 0; i < n && !fake.finished; i++) {
        int32_t id = 2 * i + 1;
        H2_PUT_HEADERS(&script, id, H2_POST, false);
        if (with_window && answers)
            feed();
        h2_put_number(&script, NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
        feed();
        fake.nout = 0;
    }
    is(fake.complaint, status_code, "%d resets", n);
}

static void
test_resets_that_waste_work_are_counted(void)
{
    reset_many(2000, true, true, 0);
    is(app.nrequests, 2000, "of streams whose response is out: none counts");
    is(fake.finished, 0, "the connection continues");
    end();

    reset_many(400, true, false, 0);
    is(fake.finished, 0, "of streams without a response: up to the limit");
    end();

    reset_many(2000, true, false, ERR_H2_RESETS);
    is(fake.finished, 1, "and not more");
    is(app.nrequests, 401, "what came late was not begun");
    end();

    reset_many(2000, false, true, ERR_H2_RESETS);
    is(fake.finished, 1, "unread responses count as wasted work too");
    end();
}

static void
test_running_streams_are_served_when_no_other_may_begin(void)
{
    struct stream *first;

    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    first = app.stream;
    for (int32_t id = 3; id < 3 + 2 * 1000; id += 2) {
        H2_PUT_HEADERS(&script, id, H2_GET, true);
        h2_put_number(&script, NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
    }
    feed();
    is(fake.complaint, ERR_H2_RESETS, "one too many");
    is(app.nrequests, 402, "later ones do not begin");
    is(h2_look(&fake, NGHTTP2_GOAWAY, 0).code, NGHTTP2_ENHANCE_YOUR_CALM, "told");
    is(fake.finished, 0, "but the first one runs");
    app.stream = first;
    is(answer(first, 5), 0, "gets its response");
    fake_serve(&fake);
    ok(h2_look(&fake, NGHTTP2_DATA, 1).ended, "to its end");
    fake_serve(&fake);
    is(fake.finished, 1, "and then the connection ends");
    end();
}

static void
test_a_connection_drains_once(void)
{
    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    fake.service.is_draining = true;
    for (int i = 0; i < 2; i++) {
        h2_protocol.ops->drain(&fake.wire, fake.session);
        fake_serve(&fake);
        is(h2_look(&fake, NGHTTP2_GOAWAY, 0).frames, 1, "told once");
        is(h2_look(&fake, NGHTTP2_PING, 0).frames, 1, "and asked once");
    }
    end();
}

int
main(void)
{
    h2_app_fill_body();
    test_a_drain_ends_after_the_last_stream();
    test_resets_that_waste_work_are_counted();
    test_running_streams_are_served_when_no_other_may_begin();
    test_a_connection_drains_once();
    return tap_done();
}
