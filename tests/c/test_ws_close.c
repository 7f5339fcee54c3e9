/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_close.c — which codes may be sent, what a close frame may contain,
 * and where a long reason is cut. */
#include "ws/close.c"

#include "base/compiler.h" /* COUNT */
#include "tap.h"

static void
test_codes(void)
{
    static const struct {
        unsigned from, to;
        bool is_valid;
    } ranges[] = {
        {0, 999, false},      {1000, 1003, true},  {1004, 1006, false},
        {1007, 1014, true},   {1015, 2999, false}, {3000, 4999, true},
        {5000, 65535, false},
    };
    for (size_t i = 0; i < COUNT(ranges); i++) {
        unsigned nwrong = 0;
        for (unsigned code = ranges[i].from; code <= ranges[i].to; code++)
            nwrong += ws_code_is_valid(code) != ranges[i].is_valid;
        is(nwrong, 0, "codes %u to %u", ranges[i].from, ranges[i].to);
    }
    unsigned nwrong = 0;
    for (int err = ERR_WS_FRAME; err >= ERR_WS_PING_TIMEOUT; err--)
        nwrong += !ws_code_is_valid(ws_code_of_err(err));
    is(nwrong, 0, "every error has a code that may be sent");
    is(ws_code_of_err(ERR_RESET), WS_CODE_LOST, "a lost connection has 1006");
}

static void
test_payloads(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        int want;
        unsigned code;
        const char *reason, *about;
    } payloads[] = {
        {"", 0, 0, 1005, "", "nothing"},
        {"\x03", 1, ERR_WS_CLOSE, 0, "", "half a code"},
        {"\x03\xE8", 2, 0, 1000, "", "a code"},
        {"\x0F\xA1"
         "bye",
         5, 0, 4001, "bye", "a code and a reason"},
        {"\x03\xED", 2, ERR_WS_CLOSE, 0, "", "1005 on the wire"},
        {"\x03\xE7", 2, ERR_WS_CLOSE, 0, "", "999"},
        {"\x03\xE8\xFF", 3, ERR_WS_UTF8, 0, "", "a reason that is not UTF-8"},
        {"\x03\xE8\xC3", 3, ERR_WS_UTF8, 0, "", "a reason that stops in a character"},
    };
    for (size_t i = 0; i < COUNT(payloads); i++) {
        unsigned code;
        struct slice reason;
        int err = ws_close_parse(ws_utf8_best(),
                                 slice_new(payloads[i].bytes, payloads[i].len), &code,
                                 &reason);
        is(err, payloads[i].want, "%s", payloads[i].about);
        if (err == 0)
            ok(code == payloads[i].code &&
                   slice_equal(reason, slice_of(payloads[i].reason)),
               "%s: code and reason", payloads[i].about);
    }
}

static void
test_written(void)
{
    char out[2 + WS_REASON_BYTES], reason[200];
    is(ws_close_write(out, WS_CODE_NO_CODE, slice_of("x")), 0,
       "1005 is an empty frame");
    is(ws_close_write(out, 4001, slice_of("bye")), 5, "a code and a reason");
    ok(memcmp(out,
              "\x0F\xA1"
              "bye",
              5) == 0,
       "they are in order");
    memset(reason, 'x', sizeof reason);
    is(ws_close_write(out, 1000, slice_new(reason, 123)), 125, "123 bytes fit");
    is(ws_close_write(out, 1000, slice_new(reason, 200)), 125, "200 are cut to 123");
    memcpy(reason + 121, "\xE2\x82\xAC", 3);
    is(ws_close_write(out, 1000, slice_new(reason, 200)), 2 + 121,
       "they are cut before an incomplete character");
    memset(reason, 'x', sizeof reason);
    memcpy(reason + 120, "\xE2\x82\xAC", 3);
    is(ws_close_write(out, 1000, slice_new(reason, 200)), 125,
       "and after a complete one");
}

int
main(void)
{
    test_codes();
    test_payloads();
    test_written();
    return tap_done();
}
