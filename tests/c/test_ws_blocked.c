/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_blocked.c — a peer that does not read, or disconnects in the
 * middle of something, while output is backed up; and a loop that is late. */
#include "ws/control.c"
#include "ws/session.c"

#include "tap.h"
#include "ws_talk.h"

static void
hears(struct talk *talk, unsigned first, const char *payload)
{
    struct script script = {0};
    script_frame(&script, first, slice_of(payload));
    talk_feed(talk, script_bytes(&script));
    free(script.bytes);
}

/* Feeds the first `n` bytes of a frame. */
static void
hears_part(struct talk *talk, unsigned first, const char *payload, size_t n)
{
    struct script script = {0};
    script_frame(&script, first, slice_of(payload));
    ok(n < script.len, "a part of the frame");
    talk_feed(talk, slice_new(script.bytes, n));
    free(script.bytes);
}

static void
comes_late(struct talk *talk, uint64_t late_ms)
{
    talk->clock.ms = talk->due_ms + late_ms;
    talk->due_ms = TIMER_NEVER;
    ws_on_deadline(&talk->ws);
}

static struct talk *
backed_up(void)
{
    struct talk *talk = talk_new(NULL, NULL);

    talk->send_says = ERR_AGAIN;
    is(ws_send(&talk->ws, WS_TEXT, &(struct chunk){.bytes = {"x", 1}}), ERR_AGAIN,
       "output backs up");
    return talk;
}

/* Whatever ends it: on_close is called once, and nothing is kept or sent after it. */
static void
check_end(struct talk *talk, const char *want)
{
    is_text(talk->text, want, "the end");
    is(talk->nclosed, 1u, "on_close comes once");
    ok(talk->ws.frames == NULL && talk->ws.message.ptr == NULL, "nothing is kept");
    is(talk->ws.state, WS_ENDED, "it is over");
    talk->due_ms = TIMER_NEVER;
    ws_on_writable(&talk->ws);
    ws_on_deadline(&talk->ws);
    ws_on_eof(&talk->ws);
    hears(talk, 0x81, "late");
    is(ws_close(&talk->ws, 1000, slice_of("")), ERR_CLOSED, "it cannot be closed");
    is(ws_send(&talk->ws, WS_TEXT, &(struct chunk){.bytes = {"y", 1}}), ERR_CLOSED,
       "and not written to");
    is_text(talk->text, want, "nothing follows");
    is(talk->due_ms, TIMER_NEVER, "no deadline is set");
    talk_free(talk);
}

static void
test_the_peer_closes(void)
{
    struct talk *talk = backed_up();
    hears(talk, 0x89, "a pong that waits");
    hears(talk, 0x88, "\x03\xE8");
    check_end(talk, ">T(x) >close(1000) >end closed(1000) ");
}

static void
test_the_peer_is_rejected(void)
{
    struct talk *talk = backed_up();
    hears(talk, 0x89, "a pong that waits");
    hears(talk, 0x83, "");
    check_end(talk, ">T(x) >close(1002) >end closed(1002) ");
}

static void
test_our_close_to_a_peer_that_does_not_read(void)
{
    struct talk *talk = backed_up();
    is(ws_close(&talk->ws, 1000, slice_of("")), 0, "we close");
    is(talk->due_ms, talk->clock.ms + 10000, "and wait for the peer");
    hears(talk, 0x89, "ping");
    hears(talk, 0x82, "message");
    is(talk->due_ms, talk->clock.ms + 10000, "which gets no additional time for that");
    comes_late(talk, 0);
    check_end(talk, ">T(x) >close(1000) closed(1000) >end ");
}

static void
test_the_peer_disconnects_in_the_middle(void)
{
    static const struct {
        unsigned first;
        size_t n;
    } cuts[] = {{0x81, 1}, {0x81, 5}, {0x82, 8},  {0x02, 10}, {0x89, 3},
                {0x89, 8}, {0x88, 7}, {0x82, 10}, {0x8A, 9}};
    for (size_t i = 0; i < COUNT(cuts); i++) {
        struct talk *talk = talk_new(NULL, NULL);
        hears_part(talk, cuts[i].first, "\x03\xE8 message", cuts[i].n);
        ws_on_eof(&talk->ws);
        is(talk->ws.why, ERR_EOF, "its reason is the loss");
        is(talk->ncomplaints, 0u, "which is no fault");
        check_end(talk, ">end closed(1006) ");
    }
}

static void
test_a_close_frame_in_the_middle_of_a_message(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    talk->shared.handler = &talk_long_handler;
    char *long_part = calloc(1, 100001);
    memset(long_part, 'x', 100000);
    hears(talk, 0x02, long_part);
    ok(talk->ws.is_lent, "it is collected in memory of the user");
    hears(talk, 0x88, "\x03\xE8");
    ok(!talk->ws.is_lent, "which is released");
    free(long_part);
    check_end(talk, ">close(1000) >end closed(1000) ");
}

static void
test_pings_while_the_user_does_not_receive(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    ws_pause(&talk->ws);
    for (int i = 0; i < 5000; i++)
        hears(talk, 0x89, "");
    is_text(talk->text, "", "nothing is read");
    ok(talk->ws.frames == NULL, "nor kept");
    ws_resume(&talk->ws);
    talk_feed(talk, slice_new("", 0));
    is(talk->complaint, ERR_WS_CONTROLS, "then they are a flood");
    is(talk->nclosed, 1u, "which ends it");
    talk_free(talk);
}

/* The tunnel is lost, but reports it only later. */
static void
test_a_close_into_a_lost_tunnel(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    talk->send_says = ERR_CLOSED;
    is(ws_close(&talk->ws, 1000, slice_of("")), ERR_CLOSED, "it is not sent");
    is(talk->nclosed, 0u, "the user waits");
    is(talk->ws.state, WS_OPEN, "and nothing has changed");
    comes_late(talk, 0);
    is(talk->nclosed, 0u, "a ping fails, too");
    ws_lost(&talk->ws, ERR_RESET);
    is(talk->ws.why, ERR_RESET, "the loss has a reason");
    check_end(talk, "closed(1006) ");
}

static void
test_a_loop_that_is_late(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    comes_late(talk, 0);
    is_text(talk->text, ">ping() ", "a ping");
    for (int i = 0; i < 3; i++) {
        comes_late(talk, 60000);
        is_text(talk->text, ">ping() ", "the pong may not have been read yet");
        is(talk->due_ms, talk->clock.ms + WS_LATE_MS, "a little more time");
    }
    hears(talk, 0x8A, "");
    is(talk->due_ms, talk->clock.ms + 20000, "the pong restarts the interval");
    comes_late(talk, 60000);
    is_text(talk->text, ">ping() >ping() ", "a late ping is only late");
    comes_late(talk, WS_LATE_MS);
    is(talk->ncomplaints, 0u, "late again");
    comes_late(talk, WS_LATE_MS - 1);
    is(talk->complaint, ERR_WS_PING_TIMEOUT, "the loop is punctual, the peer is not");
    check_end(talk, ">ping() >ping() >close(1011) >end closed(1011) ");
}

static void
test_a_pause_while_a_pong_is_due(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    comes_late(talk, 0);
    ws_pause(&talk->ws);
    comes_late(talk, 0);
    is(talk->ncomplaints, 0u, "what we do not read is not held against it");
    is(talk->due_ms, talk->clock.ms + 20000, "a new interval");
    ws_resume(&talk->ws);
    comes_late(talk, 0);
    comes_late(talk, 0);
    is(talk->complaint, ERR_WS_PING_TIMEOUT, "afterwards it is");
    talk_free(talk);
}

static void
test_a_pong_that_cannot_be_kept(void)
{
    struct talk *talk = backed_up();

    mem_fail_at(1);
    hears(talk, 0x89, "a ping");
    bool failed = mem_count() > 0;
    mem_fail_at(0);
    if (failed)
        check_end(talk, ">T(x) >close(1011) >end closed(1011) ");
    else
        talk_free(talk);
}

static void
test_a_pong_that_cannot_be_sent(void)
{
    struct talk *talk = talk_new(NULL, NULL);

    ws_pause(&talk->ws);
    talk->send_says = ERR_CLOSED;
    uint64_t due_ms = talk->due_ms;
    comes_late(talk, 0);
    ok(talk->due_ms == TIMER_NEVER, "has no deadline after it");
    ok(talk->text[0] == '\0' && due_ms != TIMER_NEVER, "and nothing is sent");
    talk_free(talk);
}

int
main(void)
{
    test_the_peer_closes();
    test_the_peer_is_rejected();
    test_our_close_to_a_peer_that_does_not_read();
    test_the_peer_disconnects_in_the_middle();
    test_a_close_frame_in_the_middle_of_a_message();
    test_pings_while_the_user_does_not_receive();
    test_a_close_into_a_lost_tunnel();
    test_a_loop_that_is_late();
    test_a_pause_while_a_pong_is_due();
    test_a_pong_that_cannot_be_kept();
    test_a_pong_that_cannot_be_sent();
    return tap_done();
}
