/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_session.c — how a WebSocket ends: by either side, by silence, by
 * loss; and what it does while its output is backed up. */
#include "ws/control.c"
#include "ws/session.c"

#include "tap.h"
#include "ws_talk.h"

/* Feeds one frame of the client. */
static void
hears(struct talk *talk, unsigned first, const char *payload)
{
    struct script script = {0};
    script_frame(&script, first, slice_of(payload));
    talk_feed(talk, script_bytes(&script));
    free(script.bytes);
}

/* Lets time pass, and calls on_deadline if the deadline has passed. */
static void
passes(struct talk *talk, uint64_t ms)
{
    talk->clock.ms += ms;
    if (talk->due_ms <= talk->clock.ms) {
        talk->due_ms = TIMER_NEVER;
        ws_on_deadline(&talk->ws);
    }
}

static void
test_our_close(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    is(ws_close(&talk->ws, 4000, slice_of("bye")), 0, "we close");
    is_text(talk->text, ">close(4000) closed(4000 bye) ", "and the user is notified");
    is(ws_close(&talk->ws, 1000, slice_of("")), ERR_CLOSED, "only once");
    hears(talk, 0x81, "late");
    hears(talk, 0x89, "late");
    is_text(talk->text, ">close(4000) closed(4000 bye) ",
            "what is received now is dropped");
    hears(talk, 0x88, "\x0F\xA0");
    is_text(talk->text, ">close(4000) closed(4000 bye) >end ", "the reply ends it");
    passes(talk, 100000);
    ws_on_eof(&talk->ws);
    ws_lost(&talk->ws, ERR_EOF);
    is_text(talk->text, ">close(4000) closed(4000 bye) >end ", "once and for all");
    talk_free(talk);
}

static void
test_codes_that_may_not_be_sent(void)
{
    static const unsigned codes[] = {0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65536};
    struct talk *talk = talk_new(NULL, NULL);
    for (size_t i = 0; i < COUNT(codes); i++)
        is(ws_close(&talk->ws, codes[i], slice_of("")), ERR_WS_CLOSE_CODE, "code %u",
           codes[i]);
    is_text(talk->text, "", "nothing is sent");
    is(talk->ws.state, WS_OPEN, "it is still open");
    talk_free(talk);
}

static void
test_a_peer_that_does_not_reply(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    is(ws_close(&talk->ws, 1001, slice_of("")), 0, "a server stops");
    passes(talk, 9999);
    ok(!talk->has_ended, "its peer has 10 s");
    hears(talk, 0x82, "still sending");
    passes(talk, 1);
    is_text(talk->text, ">close(1001) closed(1001) >end ", "then it is over");
    talk_free(talk);

    talk = talk_new(NULL, NULL);
    is(ws_close(&talk->ws, 1000, slice_of("")), 0, "a peer that only hangs up");
    ws_on_eof(&talk->ws);
    is_text(talk->text, ">close(1000) closed(1000) >end ",
            "is treated as if it had replied");
    talk_free(talk);

    talk = talk_new(NULL, NULL);
    is(ws_close(&talk->ws, 1000, slice_of("")), 0,
       "a peer that replies with a wrong frame");
    hears(talk, 0x83, "x");
    is_text(talk->text, ">close(1000) closed(1000) >end ",
            "is treated as if it had replied");
    talk_free(talk);

    talk = talk_new(NULL, NULL);
    is(ws_close(&talk->ws, 1000, slice_of("")), 0, "a reply in the middle of data");
    talk_free(talk);
    talk = talk_new(NULL, NULL);
    talk_feed(talk, slice_new("\x82\x85\0\0\0\0ab", 8));
    is(ws_close(&talk->ws, 1000, slice_of("")), 0, "a close in the middle of a frame");
    talk_feed(talk, slice_new("cde\x88\x80\0\0\0\0", 9));
    is_text(talk->text, ">close(1000) closed(1000) >end ", "the rest is skipped");
    talk_free(talk);
}

static void
test_a_close_inside_on_message(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    struct script script = {0};
    script_frame(&script, 0x81, slice_of("quit"));
    script_frame(&script, 0x81, slice_of("late"));
    script_frame(&script, 0x88, slice_of("\x03\xE8"));
    talk->closes = 1000;
    talk_feed(talk, script_bytes(&script));
    is_text(talk->text, "T(quit) >close(1000) closed(1000) >end ",
            "messages after it are not received");
    free(script.bytes);
    talk_free(talk);
}

static void
test_loss(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    talk_feed(talk, slice_new("\x81\x85\0\0\0\0hal", 9));
    ws_on_eof(&talk->ws);
    is_text(talk->text, ">end closed(1006) ", "an end without a close frame (F22)");
    is(talk->ws.why, ERR_EOF, "is remembered");
    is(talk->ws.message.cap, 0, "half a message is dropped");
    talk_free(talk);
    talk = talk_new(NULL, NULL);
    ws_lost(&talk->ws, ERR_RESET);
    ws_lost(&talk->ws, ERR_RESET);
    is_text(talk->text, "closed(1006) ", "a reset");
    talk_free(talk);
    talk = talk_new(NULL, NULL);
    talk->send_says = ERR_CLOSED;
    is(ws_close(&talk->ws, 1000, slice_of("")), ERR_CLOSED, "a close that is too late");
    is_text(talk->text, "", "on_close waits for the tunnel");
    ws_lost(&talk->ws, ERR_RESET);
    is_text(talk->text, "closed(1006) ", "which reports it");
    talk_free(talk);
}

static void
test_pings(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    passes(talk, 19999);
    is_text(talk->text, "", "no ping before 20 s");
    passes(talk, 1);
    is_text(talk->text, ">ping() ", "a ping after 20 s of silence");
    passes(talk, 19999);
    hears(talk, 0x8A, "");
    passes(talk, 1);
    is_text(talk->text, ">ping() ", "a pong shows that the peer is alive");
    passes(talk, 19999);
    is_text(talk->text, ">ping() >ping() ", "the next ping, 20 s after it");
    passes(talk, 20000);
    is_text(talk->text, ">ping() >ping() >close(1011) >end closed(1011) ",
            "silence after a ping is the end (F14)");
    is(talk->ws.why, ERR_WS_PING_TIMEOUT, "and is remembered");
    talk_free(talk);

    talk = talk_new(NULL, NULL);
    for (int i = 0; i < 50; i++) {
        passes(talk, 5000);
        hears(talk, 0x82, "");
    }
    ok(strchr(talk->text, '>') == NULL, "a peer that talks is not pinged");
    talk_free(talk);

    struct ws_config config = WS_CONFIG_DEFAULT;
    config.ping_interval_ms = 0;
    talk = talk_new(&config, NULL);
    ok(talk->due_ms == TIMER_NEVER, "pings can be switched off");
    talk_free(talk);
    config.ping_interval_ms = 100;
    config.ping_timeout_ms = 0;
    talk = talk_new(&config, NULL);
    passes(talk, 100);
    passes(talk, 100);
    passes(talk, 100);
    is_text(talk->text, ">ping() >ping() >ping() ", "and so can their deadline");
    talk_free(talk);
}

static void
test_silence_while_we_do_not_read(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    ws_pause(&talk->ws);
    for (int i = 0; i < 10; i++)
        passes(talk, 20000);
    is_text(talk->text,
            ">pong() >pong() >pong() >pong() >pong() "
            ">pong() >pong() >pong() >pong() >pong() ",
            "a peer that is not read gets pongs, which need no reply");
    ws_resume(&talk->ws);
    talk->ntext = 0;
    passes(talk, 20000);
    is_text(talk->text, ">ping() ", "and a ping when it is read again");
    ws_pause(&talk->ws);
    passes(talk, 20000);
    is_text(talk->text, ">ping() >pong() ", "its pong may wait after a pause");
    talk_free(talk);

    talk = talk_new(NULL, NULL);
    talk->send_says = ERR_AGAIN;
    (void)!ws_send(&talk->ws, WS_TEXT, &(struct chunk){.bytes = {"x", 1}});
    for (int i = 0; i < 10; i++)
        passes(talk, 20000);
    is_text(talk->text, ">T(x) ", "a peer that accepts no output is not pinged");
    talk_free(talk);
}

static void
test_output_backs_up(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    ws_on_writable(&talk->ws);
    ok(!talk->writable, "nobody waits");
    talk->send_says = ERR_AGAIN;
    is(ws_send(&talk->ws, WS_TEXT, &(struct chunk){.bytes = {"x", 1}}), ERR_AGAIN,
       "output backs up");
    for (int i = 0; i < 1000; i++)
        hears(talk, 0x89, i == 999 ? "last" : "not the last");
    is_text(talk->text, ">T(x) ", "1,000 pings get no reply now");
    ws_on_writable(&talk->ws);
    is_text(talk->text, ">T(x) >pong(last) ", "the last one is, later (5.5.3)");
    ok(!talk->writable, "output is full again");
    ok(talk->ws.frames == NULL, "nothing is kept");
    talk->send_says = 0;
    ws_on_writable(&talk->ws);
    ok(talk->writable, "the user is notified when all is sent");
    hears(talk, 0x89, "now");
    is_text(talk->text, ">T(x) >pong(last) >pong(now) ", "pings get a reply at once");
    talk->send_says = ERR_AGAIN;
    hears(talk, 0x89, "a");
    hears(talk, 0x89, "b");
    is(ws_close(&talk->ws, 1000, slice_of("")), 0, "a close");
    ok(talk->ws.frames == NULL, "no pong is sent after a close");
    talk->send_says = 0;
    talk->writable = false;
    ws_on_writable(&talk->ws);
    ok(!talk->writable, "nothing waits any more");
    talk_free(talk);
}

static void
test_sizes(void)
{
    ok(sizeof(struct ws) <= 256, "an idle WebSocket: %zu bytes", sizeof(struct ws));
    struct ws_config config = WS_CONFIG_DEFAULT;
    config.message_bytes = UINT32_MAX;
    struct ws_shared shared;
    struct clock clock = {0};
    ws_shared_init(&shared, &config, &talk_handler, &clock);
    is(shared.config.message_bytes, UINT32_MAX - 1, "the largest limit");
    ws_shared_fini(&shared);
}

int
main(void)
{
    test_our_close();
    test_codes_that_may_not_be_sent();
    test_a_peer_that_does_not_reply();
    test_a_close_inside_on_message();
    test_loss();
    test_pings();
    test_silence_while_we_do_not_read();
    test_output_backs_up();
    test_sizes();
    return tap_done();
}
