/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_receive.c — what a client sends is received in the same way
 * however it is split: messages, fragments, control frames between them, and every
 * violation. */
#include "ws/receive.c"

#include "tap.h"
#include "ws_talk.h"

#define NFRAMES 6
#define F(first, text) {first, {text, sizeof text - 1}}

struct frame {
    unsigned first;
    struct slice payload; /* NULL: there is no frame */
};

static const struct ws_deflate_params shared_streams = {true, false, false, 12, 15};
static const struct ws_deflate_params kept_windows = {true, true, true, 12, 15};

static const struct {
    const char *about;
    const struct ws_deflate_params *params;
    struct frame frames[NFRAMES];
    const char *want;
} talks[] = {
    {"text (5.7)", NULL, {F(0x81, "Hello")}, "T(Hello) "},
    {"binary", NULL, {F(0x82, "\x01\x02")}, "B(\x01\x02) "},
    {"empty messages", NULL, {F(0x81, ""), F(0x82, "")}, "T() B() "},
    {"two fragments (5.7)", NULL, {F(0x01, "Hel"), F(0x80, "lo")}, "T(Hello) "},
    {"empty fragments",
     NULL,
     {F(0x02, ""), F(0x00, ""), F(0x00, "x"), F(0x80, ""), F(0x82, "y")},
     "B(x) B(y) "},
    {"a ping between fragments",
     NULL,
     {F(0x01, "a"), F(0x89, "z"), F(0x80, "b")},
     ">pong(z) T(ab) "},
    {"an empty ping", NULL, {F(0x89, "")}, ">pong() "},
    {"an unsolicited pong", NULL, {F(0x8A, "x"), F(0x81, "y")}, "T(y) "},
    {"a close frame", NULL, {F(0x88, "\x03\xE8")}, ">close(1000) >end closed(1000) "},
    {"a close frame with a reason (F20)",
     NULL,
     {F(0x88, "\x0F\xA1"
              "bye")},
     ">close(4001) >end closed(4001 bye) "},
    {"a close frame without a code (F21)",
     NULL,
     {F(0x88, "")},
     ">close() >end closed(1005) "},
    {"a close frame inside a message",
     NULL,
     {F(0x01, "a"), F(0x88, "\x03\xE9"), F(0x80, "b")},
     ">close(1001) >end closed(1001) "},
    {"data after a close frame",
     NULL,
     {F(0x88, "\x03\xE8"), F(0x81, "x"), F(0x89, "y")},
     ">close(1000) >end closed(1000) "},
    {"a close frame of one byte",
     NULL,
     {F(0x88, "\x03")},
     ">close(1002) >end closed(1002) "},
    {"code 1005 on the wire",
     NULL,
     {F(0x88, "\x03\xED")},
     ">close(1002) >end closed(1002) "},
    {"code 999", NULL, {F(0x88, "\x03\xE7")}, ">close(1002) >end closed(1002) "},
    {"a reason that is not UTF-8",
     NULL,
     {F(0x88, "\x03\xE8\xFF")},
     ">close(1007) >end closed(1007) "},
    {"a continuation first", NULL, {F(0x80, "x")}, ">close(1002) >end closed(1002) "},
    {"a continuation after a message",
     NULL,
     {F(0x01, "a"), F(0x80, "b"), F(0x80, "c")},
     "T(ab) >close(1002) >end closed(1002) "},
    {"a new message inside a message",
     NULL,
     {F(0x01, "a"), F(0x81, "b")},
     ">close(1002) >end closed(1002) "},
    {"RSV1 without an extension",
     NULL,
     {F(0xC1, "x")},
     ">close(1002) >end closed(1002) "},
    {"opcode 3", NULL, {F(0x83, "x")}, ">close(1002) >end closed(1002) "},
    {"a fragmented ping", NULL, {F(0x09, "x")}, ">close(1002) >end closed(1002) "},
    {"text that is not UTF-8",
     NULL,
     {F(0x81, "a\xFF")},
     ">close(1007) >end closed(1007) "},
    {"a surrogate", NULL, {F(0x81, "\xED\xA0\x80")}, ">close(1007) >end closed(1007) "},
    {"text that stops in a character",
     NULL,
     {F(0x81, "a\xC3")},
     ">close(1007) >end closed(1007) "},
    {"a character over two fragments",
     NULL,
     {F(0x01, "\xC3"), F(0x80, "\xA9")},
     "T(\xC3\xA9) "},
    {"a bad byte in the first of two fragments",
     NULL,
     {F(0x01, "a\xF4\x90"), F(0x89, "never answered")},
     ">close(1007) >end closed(1007) "},
    {"binary need not be UTF-8", NULL, {F(0x82, "\xFF")}, "B(\xFF) "},
    {"compressed text (RFC 7692 7.2.3.1)",
     &shared_streams,
     {F(0xC1, "\xf2\x48\xcd\xc9\xc9\x07\x00")},
     "T(Hello) "},
    {"compressed in two fragments",
     &shared_streams,
     {F(0x41, "\xf2\x48\xcd"), F(0x89, "z"), F(0x80, "\xc9\xc9\x07\x00")},
     ">pong(z) T(Hello) "},
    {"compressed with a kept window",
     &kept_windows,
     {F(0xC1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), F(0xC1, "\xf2\x00\x11\x00\x00")},
     "T(Hello) T(Hello) "},
    {"not compressed although agreed", &shared_streams, {F(0x81, "hi")}, "T(hi) "},
    {"RSV1 on a ping",
     &shared_streams,
     {F(0xC9, "x")},
     ">close(1002) >end closed(1002) "},
    {"RSV1 on a continuation",
     &shared_streams,
     {F(0x41, "\xf2"), F(0xC0, "x")},
     ">close(1002) >end closed(1002) "},
    {"not DEFLATE",
     &shared_streams,
     {F(0xC1, "\xff\xff\xff\xff")},
     ">close(1007) >end closed(1007) "},
    {"not UTF-8 once it is inflated",
     &shared_streams,
     {F(0xC1, "\xfa\xff\x0f\x00")},
     ">close(1007) >end closed(1007) "},
};

/* Returns the transcript of the i-th talk, whose first `cut` bytes come first and
 * the rest by `step`, with budgets of `budget` points; the caller frees it. */
static char *
transcript_of(size_t i, size_t cut, size_t step, int64_t budget)
{
    struct talk *talk = talk_new(NULL, talks[i].params);
    talk->budget = talk->left = budget;
    struct script script = {0};
    for (int k = 0; k < NFRAMES && talks[i].frames[k].payload.ptr != NULL; k++)
        script_frame(&script, talks[i].frames[k].first, talks[i].frames[k].payload);
    struct slice in = script_bytes(&script);
    if (cut > in.len)
        cut = in.len;
    talk_feed(talk, slice_first(in, cut));
    for (size_t at = cut; at < in.len; at += step)
        talk_feed(talk, slice_cut(in, at, in.len - at < step ? in.len : at + step));
    char *text = strdup(talk->rest.len == 0 ? talk->text : "something was left");
    free(script.bytes);
    talk_free(talk);
    return text;
}

static char *
transcript(size_t i, size_t cut, size_t step)
{
    return transcript_of(i, cut, step, 0);
}

static void
test_talks(void)
{
    for (size_t i = 0; i < COUNT(talks); i++) {
        char *whole = transcript(i, 1000, 1);
        is_text(whole, talks[i].want, "%s", talks[i].about);
        size_t cut = 0;
        bool same = true;
        for (; cut < 60 && same; cut++) {
            char *text = transcript(i, cut, 1000);
            same = strcmp(text, talks[i].want) == 0;
            free(text);
        }
        ok(same, "%s, cut at every byte (%zu)", talks[i].about, cut);
        char *bytes = transcript(i, 0, 1);
        is_text(bytes, talks[i].want, "%s, byte by byte", talks[i].about);
        char *spent = transcript_of(i, 1000, 1, 1);
        is_text(spent, talks[i].want, "%s, a budget for each step", talks[i].about);
        char *both = transcript_of(i, 0, 1, 1);
        is_text(both, talks[i].want, "%s, and byte by byte", talks[i].about);
        free(both);
        free(spent);
        free(bytes);
        free(whole);
    }
}

/* Feeds a whole script; returns the talk, whose transcript the test checks. */
static struct talk *
play(const struct ws_config *config, const struct ws_deflate_params *params,
     struct script *script)
{
    struct talk *talk = talk_new(config, params);
    talk_feed(talk, script_bytes(script));
    free(script->bytes);
    *script = (struct script){0};
    return talk;
}

static void
test_limits(void)
{
    struct ws_config config = WS_CONFIG_DEFAULT;
    struct script script = {0};
    char *bytes = calloc(1, 2000);
    config.message_bytes = 1000;
    config.fragments = 10;

    script_frame(&script, 0x82, slice_new(bytes, 1000));
    struct talk *talk = play(&config, NULL, &script);
    ok(strncmp(talk->text, "B(1000 bytes", 12) == 0, "a message of the limit");
    talk_free(talk);

    memcpy(script_room(&script, 8), "\x82\xFE\x03\xE9\1\2\3\4", 8);
    talk = play(&config, NULL, &script);
    is_text(talk->text, ">close(1009) >end closed(1009) ",
            "one byte more is rejected after its header");
    talk_free(talk);

    memcpy(script_room(&script, 14), "\x82\xFF\x40\0\0\0\0\0\0\0\1\2\3\4", 14);
    talk = play(NULL, NULL, &script);
    is_text(talk->text, ">close(1009) >end closed(1009) ", "2^62 bytes likewise");
    talk_free(talk);

    script_frame(&script, 0x02, slice_new(bytes, 600));
    script_frame(&script, 0x80, slice_new(bytes, 401));
    talk = play(&config, NULL, &script);
    is_text(talk->text, ">close(1009) >end closed(1009) ",
            "the sum of fragments counts");
    talk_free(talk);

    script_frame(&script, 0x02, slice_new("", 0));
    for (int i = 0; i < 10; i++)
        script_frame(&script, 0x00, slice_new("", 0));
    talk = play(&config, NULL, &script);
    is_text(talk->text, ">close(1008) >end closed(1008) ", "a flood of fragments");
    talk_free(talk);

    script_frame(&script, 0x02, slice_new(bytes, 16));
    for (int i = 0; i < 40; i++)
        script_frame(&script, 0x00, slice_new(bytes, 16));
    script_frame(&script, 0x80, slice_new("", 0));
    talk = play(&config, NULL, &script);
    ok(strncmp(talk->text, "B(656 bytes", 11) == 0, "many fragments that carry much");
    talk_free(talk);

    config.frame_bytes = 100;
    script_frame(&script, 0x02, slice_new(bytes, 101));
    talk = play(&config, NULL, &script);
    is_text(talk->text, ">close(1009) >end closed(1009) ", "a frame over its limit");
    talk_free(talk);

    config.controls = 100;
    for (int i = 0; i < 101; i++)
        script_frame(&script, 0x8A, slice_new("", 0));
    talk = play(&config, NULL, &script);
    is_text(talk->text, ">close(1008) >end closed(1008) ", "a flood of control frames");
    talk_free(talk);
    for (int i = 0; i < 100; i++)
        script_frame(&script, 0x8A, slice_new("", 0));
    struct slice flood = script_bytes(&script);
    talk = talk_new(&config, NULL);
    for (int second = 0; second < 3; second++) {
        talk_feed(talk, flood);
        talk->clock.ms += 1000;
    }
    is_text(talk->text, "", "as many in each second are none");
    talk_free(talk);
    free(script.bytes);
    free(bytes);
}

/* 1,000,000 zeros in about 1 KB, in fragments. */
static void
test_a_bomb(void)
{
    enum { BOMB = 1000000 };
    struct ws_config config = WS_CONFIG_DEFAULT;
    struct script script = {0};
    struct talk *client = talk_new(NULL, &shared_streams);
    char *zeros = calloc(1, BOMB);
    struct ws_bytes packed = {0};
    is(ws_deflate_pack(&client->ws.deflate, &client->shared.deflate,
                       slice_new(zeros, BOMB), &packed),
       0, "a bomb of %zu bytes", packed.len);
    for (int exact = 0; exact < 2; exact++) {
        config.message_bytes = exact ? BOMB : 100000;
        script_frame(&script, 0x42, slice_new(packed.ptr, 500));
        script_frame(&script, 0x80, slice_skip(ws_bytes_slice(&packed), 500));
        struct talk *talk = play(&config, &shared_streams, &script);
        if (exact)
            ok(strncmp(talk->text, "B(1000000 bytes", 15) == 0, "it fits exactly");
        else
            is_text(talk->text, ">close(1009) >end closed(1009) ", "it is rejected");
        talk_free(talk);
    }
    ws_bytes_give(&packed, &client->shared.spares);
    talk_free(client);
    free(zeros);
}

static void
test_announced_bytes_take_no_memory(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    mem_fail_at(0);
    talk_feed(talk, slice_new("\x82\xFF\0\0\0\0\1\0\0\0\1\2\3\4", 14));
    is(mem_count(), 0, "a header of 16 MiB");
    talk_feed(talk, slice_new("x", 1));
    ok(talk->ws.message.cap <= 4096, "a byte behind it: %zu", talk->ws.message.cap);
    mem_fail_at(0);
    char *bytes = calloc(1, 5000);
    for (int i = 0; i < 5000; i++)
        talk_feed(talk, slice_new(bytes + i, 1));
    ok(mem_count() < 10, "5,000 bytes, one at a time: %lu allocations", mem_count());
    free(bytes);
    talk_free(talk);
}

static void
test_whole_messages_take_no_memory(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    struct script script = {0};
    for (int i = 0; i < 16; i++)
        script_frame(&script, 0x81, slice_of("a message that is here whole"));
    mem_fail_at(0);
    talk->echoes = true;
    talk_feed(talk, script_bytes(&script));
    is(mem_count(), 0, "16 messages in one read, echoed, without an allocation");
    ok(talk->ntext == 16 * strlen("T(a message that is here whole) "
                                  ">T(a message that is here whole) "),
       "all were received and got a reply");
    free(script.bytes);
    talk_free(talk);
}

static void
test_pause(void)
{
    struct talk *talk = talk_new(NULL, NULL);
    struct script script = {0};
    script_frame(&script, 0x81, slice_of("a"));
    script_frame(&script, 0x89, slice_of("p"));
    script_frame(&script, 0x01, slice_of("b"));
    script_frame(&script, 0x80, slice_of("c"));
    script_frame(&script, 0x82, slice_of("d"));
    talk->pauses = true;
    talk_feed(talk, script_bytes(&script));
    is_text(talk->text, "T(a) ", "nothing is read after the message that paused");
    ok(talk->rest.len > 0 && !ws_wants_input(&talk->ws), "the rest is the caller's");
    ws_resume(&talk->ws);
    talk_feed(talk, slice_new("", 0));
    is_text(talk->text, "T(a) >pong(p) T(bc) ", "the next message pauses again");
    ws_resume(&talk->ws);
    talk_feed(talk, slice_new("", 0));
    is_text(talk->text, "T(a) >pong(p) T(bc) B(d) ", "until all is read");
    is(talk->rest.len, 0, "nothing is left");
    is(ws_close(&talk->ws, 1000, slice_of("")), 0, "a close while it is paused");
    script.len = 0;
    script_frame(&script, 0x81, slice_of("late"));
    script_frame(&script, 0x88, slice_of("\x03\xE8"));
    talk_feed(talk, script_bytes(&script));
    ok(talk->has_ended, "the peer's close frame is still read");
    free(script.bytes);
    talk_free(talk);
}

/* Numbers that are the same in every run (xorshift). */
static uint32_t
next_number(uint32_t *seed, uint32_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % below;
}

/* Writes a random message in random fragments with control frames in between, and
 * the expected transcript to `want`. */
static void
add_message(struct script *script, struct talk *client, struct talk *want,
            uint32_t *seed)
{
    static const uint32_t lengths[] = {1, 10, 126, 200, 3000, 70000};
    static char text[70000];
    size_t len = next_number(seed, lengths[next_number(seed, COUNT(lengths))]);
    unsigned opcode = 1 + next_number(seed, 2);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + (i * 7 + len) % 26);
    for (size_t i = 0; i + 1 < len; i += 50)
        memcpy(text + i, "\xC3\xA9", 2);
    struct slice rest = {text, len};
    struct ws_bytes packed = {0};
    bool packs = client->ws.deflate.params.is_on && next_number(seed, 2) == 0;
    if (packs && ws_deflate_pack(&client->ws.deflate, &client->shared.deflate, rest,
                                 &packed) == 0)
        rest = ws_bytes_slice(&packed);
    unsigned first = opcode | (packs ? 0x40u : 0);
    for (bool fin = false; !fin; first = 0) {
        size_t n = next_number(seed, 3) == 0
                       ? rest.len
                       : next_number(seed, (uint32_t)rest.len + 1);
        fin = n == rest.len;
        script_frame(script, first | (fin ? 0x80u : 0), slice_first(rest, n));
        rest = slice_skip(rest, n);
        if (!fin && next_number(seed, 3) == 0) {
            char payload[WS_CONTROL_BYTES];
            size_t size = next_number(seed, TALK_SHOWN);
            memset(payload, 'p', size);
            script_frame(script, 0x89, slice_new(payload, size));
            note_payload(want, ">pong", slice_new(payload, size));
        }
    }
    note_payload(want, opcode == WS_TEXT ? "T" : "B", slice_new(text, len));
    ws_bytes_give(&packed, &client->shared.spares);
}

static void
test_random_messages(void)
{
    static const struct ws_deflate_params *const params[] = {NULL, &shared_streams,
                                                             &kept_windows};
    uint32_t seed = 2463534242u;
    unsigned ndifferent = 0;
    for (int round = 0; round < 60; round++) {
        struct talk *client = talk_new(NULL, params[round % 3]);
        struct talk *want = talk_new(NULL, NULL);
        struct script script = {0};
        for (int i = 0; i < 5; i++)
            add_message(&script, client, want, &seed);
        for (int way = 0; way < 5; way++) {
            struct talk *talk = talk_new(NULL, params[round % 3]);
            struct slice in = script_bytes(&script);
            size_t most = way == 0 || way == 3 ? in.len : way == 1 ? 20000 : 50;
            talk->budget = talk->left = way > 2 ? 1 : 0;
            while (in.len > 0) {
                size_t n = way == 0 ? most : 1 + next_number(&seed, (uint32_t)most);
                n = n < in.len ? n : in.len;
                talk_feed(talk, slice_first(in, n));
                in = slice_skip(in, n);
            }
            ndifferent += strcmp(talk->text, want->text) != 0 || talk->rest.len != 0;
            talk_free(talk);
        }
        free(script.bytes);
        talk_free(want);
        talk_free(client);
    }
    is(ndifferent, 0, "60 random sessions, whole and in random parts");
}

/* Feeds a message of `n` bytes in two frames, the first with all but one of them,
 * split every `step` bytes; `first` has its kind. */
static struct talk *
talk_long(const struct ws_handler *handler, unsigned first, size_t n, size_t step)
{
    struct script script = {0};
    struct talk *talk = talk_new(NULL, NULL);
    char *bytes = malloc(n);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)('a' + i % 23);
    talk->shared.handler = handler;
    script_frame(&script, first, slice_new(bytes, n - 1));
    script_frame(&script, 0x80, slice_new(bytes + n - 1, 1));
    for (size_t i = 0; i < script.len; i += step)
        talk_feed(talk, slice_cut(script_bytes(&script), i,
                                  i + step < script.len ? i + step : script.len));
    free(bytes);
    free(script.bytes);
    return talk;
}

static void
test_long_messages_are_collected_in_the_user_s_memory(void)
{
    const struct {
        unsigned first;
        size_t n;
        bool is_long;
    } cases[] = {
        {0x02, WS_SPARE_BYTES, false},
        {0x02, WS_SPARE_BYTES + 2, true},
        {0x02, 3u << 20, true},
        {0x01, 3u << 20, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t step = 50000; step < 5u << 20; step *= 8) {
            struct talk *want =
                talk_long(&talk_handler, cases[i].first, cases[i].n, 5u << 20);
            struct talk *talk =
                talk_long(&talk_long_handler, cases[i].first, cases[i].n, step);
            const char *text = talk->text;
            bool is_long = strncmp(text, "long ", 5) == 0;
            ok(is_long == cases[i].is_long, "%zu bytes: %s", cases[i].n,
               is_long ? "in the user's memory" : "in ours");
            ok(strcmp(text + (is_long ? 5 : 0), want->text) == 0, "the same message");
            talk_free(talk);
            talk_free(want);
        }
    }
}

static void
test_a_long_message_that_does_not_end_is_freed(void)
{
    struct script script = {0};
    struct talk *talk = talk_new(NULL, NULL);
    char bytes[5000] = {0};

    talk->shared.handler = &talk_long_handler;
    script_frame(&script, 0x82, slice_new(bytes, sizeof bytes));
    /* The header announces 70000 bytes, of which 5000 are received. */
    char header[] = "\x82\xff\0\0\0\0\0\x01\x11\x70kkkk";
    talk_feed(talk, slice_new(header, sizeof header - 1));
    talk_feed(talk, slice_first(script_bytes(&script), 5000));
    ok(talk->ws.is_lent && talk->ws.message.len == 5000, "it is being gathered");
    ws_lost(&talk->ws, ERR_RESET);
    ok(talk->ws.message.ptr == NULL && !talk->ws.is_lent, "and freed with the loss");
    ok(strcmp(talk->text, "closed(1006) ") == 0, "which is reported");
    free(script.bytes);
    talk_free(talk);
}

static void
test_no_memory_for_a_long_message(void)
{
    unsigned long n = 0, nfailed = 0;
    bool is_whole = false;

    while (!is_whole && n < 20) {
        mem_fail_at(++n);
        struct talk *talk = talk_long(&talk_long_handler, 0x02, 9u << 20, 40000);
        is_whole = mem_count() < n;
        mem_fail_at(0);
        nfailed += strstr(talk->text, "closed(1011)") != NULL;
        talk_free(talk);
    }
    ok(is_whole && nfailed > 2, "each of %lu allocations ends it with 1011", nfailed);
}

/* A talk that needs every kind of memory, with the n-th allocation failing. */
static void
test_memory_runs_out(void)
{
    char text[2000];
    memset(text, 'x', sizeof text);
    for (int kept = 0; kept < 2; kept++) {
        const struct ws_deflate_params *params = kept ? &kept_windows : &shared_streams;
        unsigned long n = 0, nfailed = 0;
        bool is_good = true, is_whole = false;
        while (is_good && !is_whole && n < 100) {
            struct script script = {0};
            struct talk *talk = talk_new(NULL, params);
            script_frame(&script, 0x01, slice_new(text, sizeof text));
            script_frame(&script, 0x89, slice_of("ping"));
            script_frame(&script, 0x80, slice_new(text, sizeof text));
            script_frame(&script, 0xC1, slice_new("\xf2\x48\xcd\xc9\xc9\x07\x00", 7));
            script_frame(&script, 0x88, slice_of("\x03\xE8"));
            talk->echoes = true;
            mem_fail_at(++n);
            for (size_t i = 0; i < script.len; i += 3)
                talk_feed(talk, slice_cut(script_bytes(&script), i,
                                          i + 3 < script.len ? i + 3 : script.len));
            is_whole = mem_count() < n;
            mem_fail_at(0);
            is_good = talk->nclosed == 1 && talk->has_ended;
            nfailed += strstr(talk->text, "closed(1011)") != NULL;
            if (!is_good)
                printf("# allocation %lu: %s\n", n, talk->text);
            free(script.bytes);
            talk_free(talk);
        }
        ok(is_good && is_whole, "each of %lu allocations may fail", n - 1);
        ok(nfailed > 2, "%lu of them end it with 1011", nfailed);
    }
}

int
main(void)
{
    test_talks();
    test_limits();
    test_a_bomb();
    test_announced_bytes_take_no_memory();
    test_whole_messages_take_no_memory();
    test_pause();
    test_random_messages();
    test_long_messages_are_collected_in_the_user_s_memory();
    test_a_long_message_that_does_not_end_is_freed();
    test_no_memory_for_a_long_message();
    test_memory_runs_out();
    return tap_done();
}
