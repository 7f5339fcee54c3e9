/* SPDX-License-Identifier: MIT */
/* tests/c/test_notice.c — short responses of the server itself. */
#include "http/notice.c"

#include "base/err.h"
#include "tap.h"

static bool
has(const struct notice *notice, const char *name)
{
    for (uint32_t i = 0; i < notice->res.nfields; i++) {
        if (slice_equal(notice->res.fields[i].name, slice_of(name)))
            return true;
    }
    return false;
}

int
main(void)
{
    struct notice notice;

    notice_init(&notice, 500, 0);
    is(notice.res.status, 500, "the status");
    ok(slice_equal(notice.text, slice_of("Internal Server Error\n")), "its reason");
    ok(has(&notice, "content-type"), "plain text");
    ok(!has(&notice, "retry-after") && !has(&notice, "allow"), "and nothing else");
    notice_init(&notice, 413, ERR_BODY_TOO_LARGE);
    ok(notice.text.len > strlen("Content Too Large\n"), "the reason is named");
    notice_init(&notice, 503, ERR_OVERLOAD);
    ok(has(&notice, "retry-after"), "503 has Retry-After");
    notice_init(&notice, 405, ERR_METHOD_REFUSED);
    ok(has(&notice, "allow"), "405 has Allow");
    return tap_done();
}
