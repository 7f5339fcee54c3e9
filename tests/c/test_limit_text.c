/* SPDX-License-Identifier: MIT */
/* tests/c/test_limit_text.c — a refusal names the option that causes it, and its
 * value. */
#include "http/limit_text.c"

#include "tap.h"

static const char *
text_of(int err, const struct http_limits *limits)
{
    static char text[LIMIT_TEXT_BYTES + 1];
    struct slice slice = limit_text(err, limits, text);

    text[slice.len] = '\0';
    return text;
}

int
main(void)
{
    struct http_limits limits = HTTP_LIMITS_DEFAULT;

    limits.body_bytes = UINT64_C(1) << 33;
    limits.head_ms = 100;
    is_text(text_of(ERR_TARGET_TOO_LONG, &limits),
            "a request line over --limit-request-line 16384", "a number");
    is_text(text_of(ERR_BODY_TOO_LARGE, &limits), "a body over --limit-body 8589934592",
            "a number of 64 bits");
    is_text(text_of(ERR_HEAD_TIMEOUT, &limits),
            "the head did not arrive within --timeout-head 0.1", "a time in seconds");
    is_text(text_of(ERR_WS_TOO_BIG, &limits), "a WebSocket message over --ws-max-size",
            "an option of another table has no value");
    is_text(text_of(ERR_REQUEST_LINE, &limits), "a malformed request line",
            "an error without an option has a plain text");
    for (int err = -1; err > -ERR_POSITIVE_END; err--) {
        if (!ok(text_of(err, &limits)[0] != '\0', "error %d has a text", err))
            break;
    }
    return tap_done();
}
