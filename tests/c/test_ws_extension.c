/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_extension.c — which offers of permessage-deflate are accepted, and
 * how (RFC 7692 7.1). */
#include "ws/extension.c"

#include "tap.h"
#include "ws_head.h"

#define PMD "permessage-deflate"
#define NO_TAKEOVER "; server_no_context_takeover; client_no_context_takeover"
#define OFFER(text) "Sec-WebSocket-Extensions: " text "\n"

static const struct ws_deflate_config wide = {
    .is_on = true,
    .server_bits = 15,
    .client_bits = 15,
    .server_takeover = true,
    .client_takeover = true,
};
static const struct ws_deflate_config small = WS_DEFLATE_CONFIG_DEFAULT;

static const struct {
    const struct ws_deflate_config *config;
    const char *lines, *want;
} offers[] = {
    {&wide, "", ""},
    {&wide, OFFER(PMD), PMD},
    {&wide, OFFER(PMD "; server_no_context_takeover"),
     PMD "; server_no_context_takeover"},
    {&wide, OFFER(PMD "; client_no_context_takeover"),
     PMD "; client_no_context_takeover"},
    {&wide, OFFER(PMD "; server_max_window_bits=10"),
     PMD "; server_max_window_bits=10"},
    {&wide, OFFER(PMD ";server_max_window_bits=9"), PMD "; server_max_window_bits=9"},
    {&wide, OFFER(PMD "; server_max_window_bits=15"),
     PMD "; server_max_window_bits=15"},
    {&wide, OFFER(PMD "; server_max_window_bits=\"10\""),
     PMD "; server_max_window_bits=10"},
    {&wide, OFFER(PMD "; client_max_window_bits"), PMD},
    {&wide, OFFER(PMD "; client_max_window_bits=10"),
     PMD "; client_max_window_bits=10"},
    {&wide, OFFER(PMD "; client_max_window_bits=8"), PMD "; client_max_window_bits=8"},
    {&small, OFFER(PMD), PMD NO_TAKEOVER "; server_max_window_bits=12"},
    {&small, OFFER(PMD "; client_max_window_bits"),
     PMD NO_TAKEOVER "; server_max_window_bits=12; client_max_window_bits=12"},
    {&small, OFFER(PMD "; client_max_window_bits=9; server_max_window_bits=11"),
     PMD NO_TAKEOVER "; server_max_window_bits=11; client_max_window_bits=9"},
    /* Offers that cannot be accepted. */
    {&wide, OFFER(PMD "; server_max_window_bits"), ""},
    {&wide, OFFER(PMD "; server_max_window_bits=8"), ""},
    {&wide, OFFER(PMD "; server_max_window_bits=7"), ""},
    {&wide, OFFER(PMD "; server_max_window_bits=16"), ""},
    {&wide, OFFER(PMD "; server_max_window_bits=010"), ""},
    {&wide, OFFER(PMD "; server_max_window_bits=1x"), ""},
    {&wide, OFFER(PMD "; server_max_window_bits="), ""},
    {&wide, OFFER(PMD "; server_max_window_bits=\"10"), ""},
    {&wide, OFFER(PMD "; client_max_window_bits=16"), ""},
    {&wide, OFFER(PMD "; server_no_context_takeover=1"), ""},
    {&wide, OFFER(PMD "; server_no_context_takeover; server_no_context_takeover"), ""},
    {&wide, OFFER(PMD "; server_max_window_bits=10; server_max_window_bits=10"), ""},
    {&wide, OFFER(PMD "; bogus"), ""},
    {&wide, OFFER(PMD "; bogus=1"), ""},
    {&wide, OFFER(PMD ";"), ""},
    {&wide, OFFER("permessage-deflate2"), ""},
    {&wide, OFFER(";;,="), ""},
    {&wide, OFFER("=,;,\","), ""},
    /* The first acceptable offer is used, over all lines. */
    {&wide, OFFER("x-webkit-deflate-frame, " PMD), PMD},
    {&wide, OFFER(PMD "; bogus, " PMD "; server_no_context_takeover, " PMD),
     PMD "; server_no_context_takeover"},
    {&wide, OFFER(PMD "; server_max_window_bits=8") OFFER("a; b=\"c,d\"," PMD), PMD},
    {&wide, OFFER(PMD "; a=\"b, " PMD "\", " PMD), PMD},
    {&wide, OFFER("foo bar, " PMD), PMD},
    {&wide, OFFER(",, ," PMD), PMD},
};

static void
test_offers(void)
{
    for (size_t i = 0; i < COUNT(offers); i++) {
        struct written_head h;
        struct ws_deflate_params params;
        char out[WS_EXTENSION_BYTES];
        struct slice answer = ws_extension_agree(write_head(&h, offers[i].lines),
                                                 offers[i].config, &params, out);
        if (!ok(slice_equal(answer, slice_of(offers[i].want)), "offer %zu: \"%s\"", i,
                offers[i].want))
            printf("# got %.*s\n", (int)answer.len, answer.ptr);
        is(params.is_on, answer.len > 0, "the parameters equal the response");
    }
}

static void
test_what_is_agreed(void)
{
    struct written_head h;
    struct ws_deflate_params params;
    char out[WS_EXTENSION_BYTES];
    ws_extension_agree(write_head(&h, OFFER(PMD)), &small, &params, out);
    ok(params.server_bits == 12 && params.client_bits == 15,
       "a client without client_max_window_bits may use the largest window");
    ok(!params.server_takeover && !params.client_takeover, "nothing is kept");
    struct ws_deflate_config off = wide;
    off.is_on = false;
    ws_extension_agree(write_head(&h, OFFER(PMD)), &off, &params, out);
    ok(!params.is_on, "nothing is accepted if compression is off");
}

static void
test_a_flood_of_offers_is_cut(void)
{
    struct written_head h;
    struct ws_deflate_params params;
    char out[WS_EXTENSION_BYTES], lines[1000] = "Sec-WebSocket-Extensions: ";
    for (int i = 0; i < WS_EXTENSION_OFFERS_MAX; i++)
        memcpy(lines + strlen(lines), "x,", 3);
    memcpy(lines + strlen(lines), PMD "\n", sizeof PMD "\n");
    ws_extension_agree(write_head(&h, lines), &wide, &params, out);
    ok(!params.is_on, "the offer after %d others", WS_EXTENSION_OFFERS_MAX);
}

int
main(void)
{
    test_offers();
    test_what_is_agreed();
    test_a_flood_of_offers_is_cut();
    return tap_done();
}
