/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_output.c — output of frames, and the end of the connection. */
#include "http2/output.c"

#include "h2_app.h"

static void
test_a_blocked_socket_holds_frames(void)
{
    begin();
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 0, 1 << 24);
    app.body_bytes = 60000;
    for (int32_t id = 1; id < 40; id += 2)
        H2_PUT_HEADERS(&script, id, H2_GET, true);
    fake.takes = 0;
    feed();
    ok(fake.wire.out.bytes < 2u * HTTP_OUT_HIGH_BYTES + 16384, "bounded: %zu bytes",
       fake.wire.out.bytes);
    end();
}

static void
test_the_end_of_the_connection_is_reported(void)
{
    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    fake.wire.at_eof = true;
    h2_protocol.ops->on_eof(&fake.wire, fake.session);
    is(app.nclosed, 1, "closed");
    is(app.why, ERR_EOF, "by the end");
    is(fake.finished, 1, "the connection ends");
    end();
}

static void
test_a_complete_response_is_sent_before_the_end(void)
{
    begin();
    app.body_bytes = 5;
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    ok(fake_feed(&fake, slice_new(script.bytes, script.n)), "a request, and the end");
    is(app.nclosed, 0, "complete, but not written");
    fake.wire.at_eof = true;
    h2_protocol.ops->on_eof(&fake.wire, fake.session);
    fake_flush(&fake.wire);
    ok(h2_look(&fake, NGHTTP2_DATA, 1).ended, "the response is sent");
    is(app.nclosed, 1, "and is over");
    is(app.why, 0, "whole");
    is(fake.finished, 1, "then the connection ends");
    end();
}

static void
test_a_connection_ends_once(void)
{
    begin();
    feed();
    h2_end(fake.session, NGHTTP2_PROTOCOL_ERROR, ERR_H2);
    h2_end(fake.session, NGHTTP2_NO_ERROR, 0);
    fake_serve(&fake);
    is(h2_look(&fake, NGHTTP2_GOAWAY, 0).frames, 1, "it is told once");
    is(h2_look(&fake, NGHTTP2_GOAWAY, 0).code, NGHTTP2_PROTOCOL_ERROR, "why");
    is(fake.finish_why, ERR_H2, "which is recorded");
    end();
}

int
main(void)
{
    h2_app_fill_body();
    test_a_blocked_socket_holds_frames();
    test_the_end_of_the_connection_is_reported();
    test_a_complete_response_is_sent_before_the_end();
    test_a_connection_ends_once();
    return tap_done();
}
