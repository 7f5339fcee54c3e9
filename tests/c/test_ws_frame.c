/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_frame.c — headers by the rules of RFC 6455 5.2, whole and byte by
 * byte: a verdict is given at the first byte that allows it, however they arrive. */
#include "ws/frame.c"

#include "base/compiler.h" /* COUNT */
#include "tap.h"

#define AGAIN ERR_AGAIN

static const struct {
    const char *bytes;
    size_t len;
    int want;       /* the header's length, or the error */
    size_t told_at; /* bytes that the verdict needs */
    uint64_t payload;
    const char *about;
} headers[] = {
#define H(text) text, sizeof text - 1
    {H("\x81\x85\x37\xfa\x21\x3d"), 6, 6, 5, "text of 5 (5.7)"},
    {H("\x82\xFE\x01\x00\x01\x02\x03\x04"), 8, 8, 256, "binary of 256 (5.7)"},
    {H("\x82\xFF\0\0\0\0\0\1\0\0\1\2\3\4"), 14, 14, 65536, "binary of 64 KiB (5.7)"},
    {H("\x89\x80\1\2\3\4"), 6, 6, 0, "an empty ping"},
    {H("\x8A\xFD\1\2\3\4"), 6, 6, 125, "a pong of 125"},
    {H("\x00\x80\1\2\3\4"), 6, 6, 0, "an empty continuation"},
    {H("\x01\xFE\xFF\xFF\1\2\3\4"), 8, 8, 65535, "the longest 16-bit length"},
    {H("\x02\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1\2\3\4"), 14, 14, INT64_MAX,
     "the longest 63-bit length"},
    {H("\x81\xFE\0\x7D\1\2\3\4"), ERR_WS_FRAME, 4, 0, "125 in 16 bits"},
    {H("\x81\xFE\0\x7E\1\2\3\4"), 8, 8, 126, "126 in 16 bits"},
    {H("\x81\xFF\0\0\0\0\0\0\xFF\xFF\1\2\3\4"), ERR_WS_FRAME, 10, 0, "65535 in 64"},
    {H("\x81\xFF\x80\0\0\0\0\1\0\0\1\2\3\4"), ERR_WS_FRAME, 10, 0, "the highest bit"},
    {H("\x83\x80"), ERR_WS_FRAME, 1, 0, "opcode 3"},
    {H("\x87\x80"), ERR_WS_FRAME, 1, 0, "opcode 7"},
    {H("\x8B\x80"), ERR_WS_FRAME, 1, 0, "opcode 11"},
    {H("\x8F\x80"), ERR_WS_FRAME, 1, 0, "opcode 15"},
    {H("\xC1\x80\1\2\3\4"), ERR_WS_FRAME, 1, 0, "RSV1 that was not agreed"},
    {H("\xA1\x80"), ERR_WS_FRAME, 1, 0, "RSV2"},
    {H("\x91\x80"), ERR_WS_FRAME, 1, 0, "RSV3"},
    {H("\x09\x80"), ERR_WS_FRAME, 1, 0, "a ping without FIN"},
    {H("\x88\xFE\0\x7E"), ERR_WS_FRAME, 2, 0, "a close of 126"},
    {H("\x89\xFF"), ERR_WS_FRAME, 2, 0, "a ping in 64 bits"},
    {H("\x81\x02hi"), ERR_WS_UNMASKED, 2, 0, "text without a mask"},
    {H("\x89\x01x"), ERR_WS_UNMASKED, 2, 0, "a ping without a mask"},
#undef H
};

static void
test_headers(void)
{
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct slice whole = {headers[i].bytes, headers[i].len};
        struct ws_frame frame = {0};
        is(ws_frame_parse(whole, false, &frame), headers[i].want, "%s",
           headers[i].about);
        if (headers[i].want > 0)
            is(frame.len, headers[i].payload, "%s: its length", headers[i].about);
        size_t n = 0;
        while (n < whole.len &&
               ws_frame_parse(slice_first(whole, n), false, &frame) == ERR_AGAIN)
            n++;
        is(n, headers[i].told_at, "%s: told at byte %zu", headers[i].about,
           headers[i].told_at);
    }
}

static void
test_fields(void)
{
    struct ws_frame frame;
    uint32_t key;
    memcpy(&key, "\1\2\3\4", 4);
    is(ws_frame_parse(slice_new("\x02\x83\1\2\3\4", 6), true, &frame), 6, "a fragment");
    ok(!frame.fin && frame.opcode == WS_BINARY && !frame.compressed, "its flags");
    ok(frame.key == key, "its key");
    is(ws_frame_parse(slice_new("\xC1\x83\1\2\3\4", 6), true, &frame), 6,
       "RSV1 agreed");
    ok(frame.fin && frame.opcode == WS_TEXT && frame.compressed, "its flags");
    is(ws_frame_parse(slice_new("\xC0\x83", 2), true, &frame), ERR_WS_FRAME,
       "RSV1 on a continuation");
    is(ws_frame_parse(slice_new("\xC9\x83", 2), true, &frame), ERR_WS_FRAME,
       "RSV1 on a ping");
}

static void
test_written(void)
{
    static const struct {
        uint64_t len;
        const char *header;
        size_t want;
    } frames[] = {
        {0, "\x82\x00", 2},
        {125, "\x82\x7D", 2},
        {126, "\x82\x7E\x00\x7E", 4},
        {65535, "\x82\x7E\xFF\xFF", 4},
        {65536, "\x82\x7F\0\0\0\0\0\1\0\0", 10},
        {UINT64_C(1) << 40, "\x82\x7F\0\0\1\0\0\0\0\0", 10},
    };
    char out[WS_HEADER_OUT_BYTES];
    for (size_t i = 0; i < COUNT(frames); i++) {
        size_t n = ws_frame_write(out, WS_BINARY, false, frames[i].len);
        ok(n == frames[i].want && memcmp(out, frames[i].header, n) == 0,
           "the header of %llu bytes", (unsigned long long)frames[i].len);
    }
    ws_frame_write(out, WS_TEXT, true, 5);
    ok(memcmp(out, "\xC1\x05", 2) == 0, "the header of a compressed text");
}

int
main(void)
{
    test_headers();
    test_fields();
    test_written();
    return tap_done();
}
