/* SPDX-License-Identifier: MIT */
/* tests/c/test_status.c — status lines, and that every error has its status. */
#include "http/status.c"

#include <stdlib.h> /* atoi */

#include "tap.h"

static void
test_lines(void)
{
    ok(slice_equal(status_line(200), slice_of("200 OK")), "200");
    ok(slice_equal(status_line(431), slice_of("431 Request Header Fields Too Large")),
       "431");
    for (int code = -1; code < 1000; code++) {
        struct slice line = status_line(code);
        if (line.len > 0)
            is(atoi(line.ptr), code, "%s", line.ptr);
    }
    is(status_line(99).len, 0, "99 is not registered");
    is(status_line(299).len, 0, "nor is 299");
    is(status_line(512).len, 0, "nor is 512");
}

static void
test_codes_without_a_body(void)
{
    ok(status_has_no_body(101), "101");
    ok(status_has_no_body(204), "204");
    ok(status_has_no_body(304), "304");
    ok(!status_has_no_body(200), "not 200");
    ok(!status_has_no_body(205), "not 205");
    ok(!status_has_no_body(404), "not 404");
}

/* The errors without a response. A new error is either here or has its status. */
static const int unanswered[] = {
    ERR_AGAIN,
    ERR_IO,
    ERR_FILE,
    ERR_CLOSED,
    ERR_RESET,
    ERR_ADDRESS,
    ERR_ADDRESS_IN_USE,
    ERR_ADDRESS_DENIED,
    ERR_SEND_TIMEOUT,
    ERR_IDLE_TIMEOUT,
    /* TLS reports them in an alert, or there is no peer yet. */
    ERR_TLS,
    ERR_TLS_TIMEOUT,
    ERR_TLS_CONFIG,
    ERR_LOG_FORMAT,
    /* No response for peers that are not allowed. */
    ERR_PROXY_SENDER,
    ERR_PROXY_TIMEOUT,
    /* HTTP/2 reports them in a GOAWAY. */
    ERR_H2,
    ERR_H2_ENDED,
    ERR_H2_RESETS,
    ERR_H2_FLOOD,
    ERR_QUIC,
    ERR_H3,
    ERR_H3_RESETS,
    ERR_H3_FLOOD,
    ERR_H3_MEMORY,
    /* A WebSocket reports them in a close frame. */
    ERR_WS_FRAME,
    ERR_WS_UNMASKED,
    ERR_WS_ORDER,
    ERR_WS_CLOSE,
    ERR_WS_UTF8,
    ERR_WS_DEFLATE,
    ERR_WS_TOO_BIG,
    ERR_WS_FRAME_TOO_BIG,
    ERR_WS_FRAGMENTS,
    ERR_WT_CAPSULE,
    ERR_WT_STREAM,
    ERR_WS_CONTROLS,
    ERR_WS_PING_TIMEOUT,
    ERR_WS_CLOSE_CODE,
};

static bool
is_unanswered(int err)
{
    for (size_t i = 0; i < COUNT(unanswered); i++) {
        if (unanswered[i] == err)
            return true;
    }
    return false;
}

static void
test_every_error_has_its_status(void)
{
#define CHECK(name, text)                                                              \
    is(status_of_err(ERR_##name) == 0, is_unanswered(ERR_##name), "%s", #name);        \
    ok(status_of_err(ERR_##name) == 0 || status_line(status_of_err(ERR_##name)).len,   \
       "%s: a registered status", #name);
    ERR_LIST(CHECK)
#undef CHECK
    is(status_of_err(0), 0, "no error, no response");
    is(status_of_err(1), 0, "a count is not an error");
    is(status_of_err(-1000), 0, "nor is an arbitrary number");
    is(status_of_err(ERR_HEAD_TOO_LARGE), 431, "431 for a head over the limit");
    is(status_of_err(ERR_VERSION), 505, "505 for a version");
}

int
main(void)
{
    test_lines();
    test_codes_without_a_body();
    test_every_error_has_its_status();
    return tap_done();
}
