/* SPDX-License-Identifier: MIT */
/* tests/c/test_wt_settings.c — the settings and the error codes of WebTransport. */
#include "http3/wt_code.c"
#include "http3/wt_settings.c"

#include "tap.h"

/* A control stream's type, and a SETTINGS frame with one setting. */
static char written[] = "\x00\x04\x02\x33\x01";

static bool
make(struct wt_settings *s, const char *bytes, size_t n, size_t cut)
{
    struct iovec iov[2] = {{(char *)bytes, cut}, {(char *)bytes + cut, n - cut}};

    return wt_settings_make(s, iov, 2, 16);
}

static void
test_settings_are_added_to_the_frame(void)
{
    for (size_t cut = 0; cut <= 5; cut++) {
        struct wt_settings s = {0};
        ok(make(&s, written, 5, cut), "made, cut at %zu", cut);
        struct slice rest = slice_new(s.bytes + 2, s.len - 2);
        uint64_t len, id, value, sum = 0;
        ok(s.bytes[0] == 0 && s.bytes[1] == 4, "the type and the frame");
        ok(varint_take(&rest, &len) && len == rest.len, "the length of the frame");
        while (varint_take(&rest, &id) && varint_take(&rest, &value))
            sum += id == 0x33 || id == 0x2b603742 || id == 0xc671706a;
        ok(rest.len == 0 && sum == 3, "the old setting and the new ones");
    }
}

static void
test_what_follows_the_frame_is_kept(void)
{
    struct wt_settings s = {0};

    ok(make(&s, "\x00\x04\x00\x07\x01\x08", 6, 3), "made");
    ok(memcmp(s.bytes + s.len - 3, "\x07\x01\x08", 3) == 0, "the next frame");
}

static void
test_anything_else_is_left_alone(void)
{
    struct wt_settings s = {0};
    char large[WT_SETTINGS_BYTES] = "\x00\x04\x40\xb0";

    ok(!make(&s, "\x00\x07\x01\x00", 4, 4), "another frame");
    ok(!make(&s, "\x00\x04\x05\x33\x01", 5, 5), "a frame that is not complete");
    ok(!make(&s, "\x00", 1, 1), "a part of it");
    ok(!make(&s, large, 180, 90), "a frame that is too large");
    is(s.len, 0, "nothing was made");
}

static void
test_sending_and_acknowledgements(void)
{
    struct wt_settings s = {0};
    struct h3_output out = {.id = -1};

    ok(!wt_settings_next(&s, 3, &out), "nothing at first");
    ok(make(&s, written, 5, 5), "made");
    const size_t len = s.len;
    ok(wt_settings_next(&s, 3, &out) && out.id == 3, "the first part");
    is(h3_output_size(&out), len, "all of it");
    ok(wt_settings_wrote(&s, 4), "some of it was sent");
    ok(wt_settings_next(&s, 3, &out) && h3_output_size(&out) == len - 4, "the rest");
    s.is_blocked = true;
    ok(!wt_settings_next(&s, 3, &out), "nothing while the stream is blocked");
    s.is_blocked = false;
    ok(wt_settings_next(&s, 3, &out), "the rest again");
    ok(wt_settings_wrote(&s, len - 4), "which was sent");
    ok(!wt_settings_next(&s, 3, &out) && !wt_settings_wrote(&s, 9), "no more");
    is(wt_settings_acked(&s, 10), 0, "acknowledged bytes are these");
    is(wt_settings_acked(&s, len), 10, "and those after them are nghttp3's");
    is(wt_settings_acked(&s, 7), 7, "as all later ones");
}

/* draft-ietf-webtrans-http3 4.4: codes of HTTP/3 for greasing are left out. */
static void
test_codes(void)
{
    static const uint32_t codes[] = {0, 1, 29, 30, 31, 59, 60, 0x7fffffff, UINT32_MAX};
    uint32_t code;

    ok(wt_code_to(0) == UINT64_C(0x52e4a40fa8db), "the first one");
    ok(wt_code_to(UINT32_MAX) == UINT64_C(0x52e5ac983162), "the last one");
    for (size_t i = 0; i < COUNT(codes); i++) {
        uint64_t http = wt_code_to(codes[i]);
        ok((http - 0x21) % 0x1f != 0, "%u is no code for greasing", codes[i]);
        ok(wt_code_from(http, &code) && code == codes[i], "and it comes back");
    }
    ok(!wt_code_from(UINT64_C(0x52e4a40fa8da), &code), "one below");
    ok(!wt_code_from(UINT64_C(0x52e5ac983163), &code), "one above");
    ok(!wt_code_from(UINT64_C(0x52e4a40fa8f9), &code), "one for greasing");
    ok(!wt_code_from(0x10c, &code), "one of HTTP/3");
}

static void
test_a_part_that_is_too_large_is_left_alone(void)
{
    struct wt_settings s = {0};
    char large[2 * WT_SETTINGS_BYTES] = "\x00\x04\x40\xb0";

    for (size_t cut = 0; cut <= sizeof large; cut += WT_SETTINGS_BYTES)
        ok(!make(&s, large, sizeof large, cut), "cut at %zu", cut);
    is(s.len, 0, "nothing was made");
}

int
main(void)
{
    test_settings_are_added_to_the_frame();
    test_what_follows_the_frame_is_kept();
    test_anything_else_is_left_alone();
    test_sending_and_acknowledgements();
    test_codes();
    test_a_part_that_is_too_large_is_left_alone();
    return tap_done();
}
