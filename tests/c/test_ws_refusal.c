/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_refusal.c — a refused peer: one complaint, one close frame, one
 * on_close, for every reason, however the bytes are split. */
#include "ws/control.c"
#include "ws/session.c"

#include "tap.h"
#include "ws_talk.h"

struct part {
    unsigned first; /* byte of the frame */
    const char *payload;
};

static const struct refusal {
    int why;
    unsigned code;
    bool compresses;
    struct part parts[4];
} refusals[] = {
    {ERR_WS_FRAME, 1002, false, {{0x83, "x"}}},
    {ERR_WS_FRAME, 1002, false, {{0xC1, "x"}}},
    {ERR_WS_FRAME, 1002, false, {{0x09, "x"}}},
    {ERR_WS_ORDER, 1002, false, {{0x80, "x"}}},
    {ERR_WS_ORDER, 1002, false, {{0x01, "x"}, {0x81, "y"}}},
    {ERR_WS_CLOSE, 1002, false, {{0x88, "x"}}},
    {ERR_WS_CLOSE, 1002, false, {{0x88, "\x03\xEE"}}},
    {ERR_WS_UTF8, 1007, false, {{0x81, "\xFF"}}},
    {ERR_WS_UTF8, 1007, false, {{0x81, "\xC3"}}},
    {ERR_WS_UTF8, 1007, false, {{0x88, "\x03\xE8\xFF"}}},
    {ERR_WS_DEFLATE, 1007, true, {{0xC1, "\xFF\xFF\xFF"}}},
    {ERR_WS_TOO_BIG, 1009, false, {{0x02, "12345678"}, {0x80, "901234567"}}},
    {ERR_WS_FRAME_TOO_BIG, 1009, false, {{0x82, "12345678901"}}},
    {ERR_WS_FRAGMENTS, 1008, false, {{0x01, ""}, {0x00, ""}, {0x00, ""}}},
    {ERR_WS_CONTROLS, 1008, false, {{0x8A, ""}, {0x8A, ""}, {0x8A, ""}}},
};

static struct talk *
talk_of_refusal(bool compresses)
{
    struct ws_config config = WS_CONFIG_DEFAULT;
    struct ws_deflate_params params = {
        .is_on = compresses, .server_bits = 12, .client_bits = 12};

    config.message_bytes = 16;
    config.frame_bytes = 10;
    config.fragments = 2;
    config.controls = 2;
    return talk_new(&config, &params);
}

static void
write_parts(const struct refusal *r, struct script *script)
{
    for (size_t i = 0; i < COUNT(r->parts) && r->parts[i].payload != NULL; i++)
        script_frame(script, r->parts[i].first, slice_of(r->parts[i].payload));
}

static void
check(struct talk *talk, const struct refusal *r, size_t i, const char *how)
{
    char want[100];

    (void)snprintf(want, sizeof want, ">close(%u) >end closed(%u) ", r->code, r->code);
    is_text(talk->text, want, "refusal %zu, %s", i, how);
    is(talk->complaint, r->why, "its reason");
    is(talk->ncomplaints, 1u, "is reported once");
    is(talk->nclosed, 1u, "and so is the end");
    is(talk->ws.why, r->why, "with the reason");
    ws_fail(&talk->ws, ERR_WS_FRAME);
    ws_on_eof(&talk->ws);
    ws_lost(&talk->ws, ERR_RESET);
    is(talk->ncomplaints, 1u, "nothing follows");
    is(talk->nclosed, 1u, "at all");
    is(talk->ws.why, r->why, "and the reason does not change");
}

static void
test_each_reason(void)
{
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct script script = {0};
        write_parts(r, &script);

        struct talk *talk = talk_of_refusal(r->compresses);
        talk_feed(talk, script_bytes(&script));
        check(talk, r, i, "whole");
        talk_free(talk);

        talk = talk_of_refusal(r->compresses);
        for (size_t j = 0; j < script.len && !talk->has_ended; j++)
            talk_feed(talk, slice_new(script.bytes + j, 1));
        check(talk, r, i, "byte by byte");
        talk_free(talk);
        free(script.bytes);
    }
}

static void
test_without_a_mask(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    talk_feed(talk, slice_new("\x81\x01x", 3));
    is(talk->complaint, ERR_WS_UNMASKED, "a frame without a mask");
    is_text(talk->text, ">close(1002) >end closed(1002) ", "is rejected");
    talk_free(talk);
}

static void
test_after_our_close(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    is(ws_close(&talk->ws, 1000, slice_of("")), 0, "we close");
    talk_feed(talk, slice_new("\x83\x80", 2));
    is(talk->complaint, ERR_WS_FRAME, "the peer breaks a rule");
    is_text(talk->text, ">close(1000) closed(1000) >end ", "no second close frame");
    talk_free(talk);
}

static void
test_no_pong(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    for (int i = 0; i < 2; i++) {
        talk->clock.ms = talk->due_ms;
        ws_on_deadline(&talk->ws);
    }
    is(talk->complaint, ERR_WS_PING_TIMEOUT, "a ping gets no reply");
    is_text(talk->text, ">ping() >close(1011) >end closed(1011) ", "the end");
    talk_free(talk);
}

/* Sending the refusal finds that the tunnel is lost: the complaint is made before. */
static void
test_over_a_lost_tunnel(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    talk->send_says = ERR_CLOSED;
    talk_feed(talk, slice_new("\x83\x80", 2));
    is(talk->complaint, ERR_WS_FRAME, "the reason is reported");
    is_text(talk->text, "closed(1002) ", "and the end");
    talk_free(talk);
}

int
main(void)
{
    test_each_reason();
    test_without_a_mask();
    test_after_our_close();
    test_no_pong();
    test_over_a_lost_tunnel();
    return tap_done();
}
