/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_inflation.c — a long compressed message is inflated in slices: the
 * budget is charged, what follows waits, any size of budgets gives the same verdict,
 * and every end in the middle frees everything. */
#include "ws/inflation.c"

#include "tap.h"
#include "ws_talk.h"

#define LONG (15u << 20)

static const struct ws_deflate_params shared_streams = {true, false, false, 12, 15};
static const struct ws_deflate_params kept_windows = {true, true, true, 12, 15};
static const struct ws_deflate_params *const both[] = {&shared_streams, &kept_windows};

/* Adds the frames of a compressed message: `first` is its opcode, `nframes` their
 * number. */
static void
script_packed(struct script *script, unsigned opcode, struct slice message,
              size_t nframes)
{
    struct talk *client = talk_new(NULL, &shared_streams);
    struct ws_bytes packed = {0};
    is(ws_deflate_pack(&client->ws.deflate, &client->shared.deflate, message, &packed),
       0, "%zu bytes are packed", message.len);
    struct slice rest = ws_bytes_slice(&packed);
    for (size_t i = nframes; i > 0; i--) {
        size_t n = rest.len / i;
        unsigned first = (i == nframes ? opcode | 0x40 : 0) | (i == 1 ? 0x80 : 0);
        script_frame(script, first, slice_first(rest, n));
        rest = slice_skip(rest, n);
    }
    ws_bytes_give(&packed, &client->shared.spares);
    talk_free(client);
}

static char *
letters(size_t n)
{
    char *text = malloc(n);
    uint32_t seed = 7;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + ((seed = seed * 1103515245u + 12345u) >> 16) % 20);
    return text;
}

static const struct ws_handler *
handler_of(bool is_long)
{
    return is_long ? &talk_long_handler : &talk_handler;
}

/* 15 MiB out of 15 KiB: no budget is exceeded by more than a slice, and what follows
 * the message waits for it. */
static void
test_a_budget_limits_what_is_inflated(void)
{
    char *zeros = calloc(1, LONG);
    for (int i = 0; i < 8; i++) {
        struct script script = {0};
        struct talk *talk = talk_new(NULL, both[i & 1]);
        bool is_binary = (i & 2) != 0;
        talk->shared.handler = handler_of(is_binary);
        talk->budget = talk->left = BUDGET_POINTS;
        script_packed(&script, is_binary ? 2 : 1, slice_new(zeros, LONG),
                      (i & 4) != 0 ? 3 : 1);
        script_frame(&script, 0x89, slice_of("z"));
        script_frame(&script, 0x81, slice_of("next"));
        script_frame(&script, 0x88, slice_of("\x03\xE8"));
        talk->stops = true;
        talk_feed(talk, script_bytes(&script));
        is_text(talk->text, "", "the first budget gives no output");
        ok(ws_is_inflating(&talk->ws) && !ws_wants_input(&talk->ws), "a budget is due");
        ok(talk->ws.inflation.out.len <= 2 * BUDGET_BYTES_MAX, "%zu bytes came out",
           talk->ws.inflation.out.len);
        while (talk->ws.is_spent && talk->nbudgets < 10000)
            talk_go_on(talk);
        const char *text = talk->text;
        if (is_binary && strncmp(text, "long ", 5) == 0)
            text += 5;
        ok(strncmp(text, is_binary ? "B(15728640 bytes" : "T(15728640 bytes", 16) == 0,
           "it is whole");
        text = strchr(text, ' ');
        ok(text != NULL && strstr(text, ">pong(z) T(next) >close(1000) >end "
                                        "closed(1000) ") != NULL,
           "the rest follows in order");
        ok(talk->nbudgets >= LONG / BUDGET_BYTES_MAX / 2, "in %u budgets",
           talk->nbudgets);
        is(talk->shared.deflate.nlent, 0, "no inflater is lent");
        free(script.bytes);
        talk_free(talk);
    }
    free(zeros);
}

/* Payload without output is charged by its own length. */
static void
test_payload_that_becomes_nothing_is_counted(void)
{
    enum { EMPTY = 200000 }; /* final blocks without a byte (RFC 1951 3.2.6) */
    struct script script = {0};
    char *blocks = malloc(EMPTY);
    for (size_t i = 0; i < EMPTY; i += 2)
        memcpy(blocks + i, "\x03\x00", 2);
    script_frame(&script, 0xC2, slice_new(blocks, EMPTY));
    struct talk *talk = talk_new(NULL, &shared_streams);
    talk->budget = talk->left = BUDGET_POINTS;
    talk_feed(talk, script_bytes(&script));
    is_text(talk->text, "B() ", "an empty message");
    ok(talk->nbudgets >= EMPTY / 65536, "in %u budgets", talk->nbudgets);
    free(script.bytes);
    free(blocks);
    talk_free(talk);
}

/* Returns the transcript of `script`, fed by `step` with budgets of `budget` points. */
static char *
transcript(const struct ws_config *config, const struct ws_handler *handler,
           const struct script *script, size_t step, int64_t budget)
{
    struct talk *talk = talk_new(config, &shared_streams);
    struct slice in = script_bytes(script);
    talk->shared.handler = handler;
    talk->budget = talk->left = budget;
    for (size_t at = 0; at < in.len; at += step)
        talk_feed(talk, slice_cut(in, at, in.len - at < step ? in.len : at + step));
    char *text = strdup(talk->rest.len == 0 ? talk->text : "something was left");
    talk_free(talk);
    return text;
}

static void
is_the_same(const struct ws_config *config, struct slice message, unsigned opcode,
            const char *want, const char *about)
{
    struct script script = {0};
    script_packed(&script, opcode, message, 2);
    script_frame(&script, 0x89, slice_of("p"));
    for (int way = 0; way < 8; way++) {
        size_t step = (way & 1) != 0 ? 5000 : script.len;
        int64_t budget = (way & 2) != 0 ? 1 : 300000;
        char *text =
            transcript(config, handler_of((way & 4) != 0), &script, step, budget);
        const char *at = text;
        if (strncmp(at, "long ", 5) == 0)
            at += 5;
        ok(strncmp(at, want, strlen(want)) == 0, "%s, way %d: %.60s", about, way, text);
        free(text);
    }
    free(script.bytes);
}

/* The first invalid byte decides, however it is divided into slices and budgets. */
static void
test_the_first_wrong_byte_decides(void)
{
    enum { N = 500000 };
    struct ws_config config = WS_CONFIG_DEFAULT;
    struct slice text = {letters(N), N};
    char *bytes = (char *)text.ptr;
    const char *big = ">close(1009) >end closed(1009) ";
    const char *bad = ">close(1007) >end closed(1007) ";
    config.message_bytes = N;
    is_the_same(&config, text, 1, "T(500000 bytes", "a text of the limit");
    is_the_same(&config, text, 2, "B(500000 bytes", "bytes of the limit");
    config.message_bytes = N - 1;
    is_the_same(&config, text, 1, big, "a byte over the limit");
    is_the_same(&config, text, 2, big, "a byte over the limit");
    memset(bytes, 'a', N); /* its payload is under the limit of its header */
    config.message_bytes = 100000;
    is_the_same(&config, text, 2, big, "a bomb");
    bytes[100000] = '\xFF';
    is_the_same(&config, text, 1, big, "a wrong byte after the limit");
    bytes[99999] = '\xFF';
    is_the_same(&config, text, 1, bad, "a wrong byte before the limit");
    is_the_same(&config, text, 2, big, "which binary may have");
    config.message_bytes = N;
    memset(bytes + 99999, 'a', 2);
    bytes[N - 1] = '\xC3';
    is_the_same(&config, text, 1, bad, "a text that stops in a character");
    for (size_t i = 60000; i + 1 < N; i += 65535) /* over the ends of slices */
        memcpy(bytes + i, "\xC3\xA9", 2);
    for (size_t i = 65535; i + 1 < N - 1; i += 65536)
        memcpy(bytes + i, "\xC3\xA9", 2);
    bytes[N - 1] = 'x';
    is_the_same(&config, text, 1, "T(500000 bytes", "characters over slices");
    free(bytes);
}

static void
test_a_bomb_is_never_held(void)
{
    char *zeros = calloc(1, LONG);
    struct ws_config config = WS_CONFIG_DEFAULT;
    struct script script = {0};
    size_t most = 0;
    config.message_bytes = 5000000;
    script_packed(&script, 2, slice_new(zeros, LONG), 1);
    struct talk *talk = talk_new(&config, &shared_streams);
    talk->shared.handler = &talk_long_handler;
    talk->budget = talk->left = 1;
    talk->stops = true;
    talk_feed(talk, script_bytes(&script));
    while (talk->ws.is_spent && talk->ws.state == WS_OPEN) {
        const struct ws_bytes *out = &talk->ws.inflation.out;
        most = out->cap > most ? out->cap : most;
        talk_go_on(talk);
    }
    is_text(talk->text, ">close(1009) >end closed(1009) ", "it is rejected");
    is(most, 5000001, "one byte over the limit was held");
    free(script.bytes);
    talk_free(talk);
    free(zeros);
}

/* All ways in which a WebSocket ends while a message is half inflated. */
static void
test_ends_in_the_middle(void)
{
    static const char *const wants[] = {">close(4000) closed(4000) ",
                                        ">end closed(1006) ", "closed(1006) ", "",
                                        ">close(1011) >end closed(1011) "};
    char *zeros = calloc(1, LONG);
    for (int i = 0; i < 4 * (int)COUNT(wants); i++) {
        struct script script = {0};
        struct talk *talk = talk_new(NULL, both[i & 1]);
        talk->shared.handler = handler_of((i & 2) != 0);
        talk->budget = talk->left = BUDGET_POINTS;
        talk->stops = true;
        script_packed(&script, 2, slice_new(zeros, LONG), 1 + (i & 1));
        talk_feed(talk, script_bytes(&script));
        talk_go_on(talk);
        ok(ws_is_inflating(&talk->ws), "it is half inflated");
        switch (i / 4) {
        case 0:
            is(ws_close(&talk->ws, 4000, slice_of("")), 0, "we close");
            break;
        case 1:
            ws_on_eof(&talk->ws);
            break;
        case 2:
            ws_lost(&talk->ws, ERR_RESET);
            break;
        case 3:
            ws_fini(&talk->ws);
            break;
        default:
            ws_fail(&talk->ws, ERR_WS_PING_TIMEOUT);
            break;
        }
        is_text(talk->text, wants[i / 4], "it ends");
        ok(!ws_is_inflating(&talk->ws) && talk->ws.inflation.out.ptr == NULL &&
               talk->ws.message.ptr == NULL && talk->shared.deflate.nlent == 0,
           "nothing is left of it");
        script.len = 0;
        script_frame(&script, 0x81, slice_of("late"));
        talk_go_on(talk);
        talk_feed(talk, script_bytes(&script));
        is_text(talk->text, wants[i / 4], "nothing more is handed up");
        free(script.bytes);
        talk_free(talk);
    }
    free(zeros);
}

/* A message that pauses and one that waits for its budget are different cases. */
static void
test_a_pause_after_a_message(void)
{
    struct script script = {0};
    char *text = letters(300000);
    struct talk *talk = talk_new(NULL, &shared_streams);
    talk->pauses = true;
    talk->budget = talk->left = 1;
    script_packed(&script, 1, slice_new(text, 300000), 1);
    script_packed(&script, 1, slice_new(text, 299999), 1);
    talk_feed(talk, script_bytes(&script));
    ok(talk->ws.is_paused && !ws_is_inflating(&talk->ws), "it pauses");
    ok(strstr(talk->text, "T(299999") == NULL, "the next does not begin");
    talk->left = 1;
    talk->ws.is_spent = false;
    ws_resume(&talk->ws);
    talk_feed(talk, slice_new("", 0));
    ok(strstr(talk->text, "T(299999") != NULL, "it comes after ws_resume");
    free(text);
    free(script.bytes);
    talk_free(talk);
}

/* Two dozen WebSockets of a worker take turns, each with a half-inflated message. */
static void
test_many_at_once(void)
{
    enum { MANY = 24, N = 200000 };
    struct talk *talk = talk_new(NULL, &shared_streams);
    static struct ws all[MANY];
    struct script scripts[MANY] = {{0}};
    struct slice rests[MANY];
    char *text = letters(N + MANY), want[32];
    unsigned nspent = 1, nrounds = 0;
    talk->budget = 1;
    for (size_t i = 0; i < MANY; i++) {
        all[i].tunnel = talk;
        ws_init(&all[i], &talk->shared, &talk_ops, &shared_streams);
        script_packed(&scripts[i], 1, slice_new(text, N + i), 1);
        rests[i] = script_bytes(&scripts[i]);
        talk->left = 1;
        ws_feed(&all[i], &rests[i]); /* the header */
    }
    for (; nspent > 0 && nrounds < 1000; nrounds++) {
        nspent = 0;
        for (size_t i = 0; i < MANY; i++) {
            if (!all[i].is_spent)
                continue;
            nspent++;
            talk->left = 1;
            ws_on_budget(&all[i]);
            ws_feed(&all[i], &rests[i]);
        }
        if (nrounds == 1)
            is(talk->shared.deflate.nlent, MANY, "all are half inflated");
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(want, sizeof want, "T(%d bytes", N + i);
        ok(strstr(talk->text, want) != NULL, "%s) has come", want);
        ws_fini(&all[i]);
        free(scripts[i].bytes);
    }
    is(talk->shared.deflate.nkept, WS_INFLATERS_KEPT, "some inflaters are kept");
    free(text);
    talk_free(talk);
}

static void
test_memory_runs_out(void)
{
    char *zeros = calloc(1, 400000);
    for (int i = 0; i < 4; i++) {
        struct script script = {0};
        unsigned long n = 0, nfailed = 0;
        bool is_good = true, is_whole = false;
        script_packed(&script, 2, slice_new(zeros, 400000), 1);
        while (is_good && !is_whole && n < 100) {
            struct talk *talk = talk_new(NULL, both[i & 1]);
            talk->shared.handler = handler_of((i & 2) != 0);
            talk->budget = talk->left = 1;
            mem_fail_at(++n);
            talk_feed(talk, script_bytes(&script));
            is_whole = mem_count() < n;
            mem_fail_at(0);
            bool has_failed =
                strcmp(talk->text, ">close(1011) >end closed(1011) ") == 0;
            is_good =
                has_failed || (is_whole && strstr(talk->text, "B(400000") != NULL);
            is_good = is_good && talk->shared.deflate.nlent == 0;
            nfailed += has_failed;
            if (!is_good)
                printf("# allocation %lu: %s\n", n, talk->text);
            talk_free(talk);
        }
        ok(is_good && is_whole, "each of %lu allocations may fail", n - 1);
        ok(nfailed > 4, "%lu of them end it with 1011", nfailed);
        free(script.bytes);
    }
    free(zeros);
}

/* A budget may end with the last byte of the payload, before its end is known. */
static void
test_a_budget_that_ends_with_the_payload(void)
{
    for (size_t n = WS_UNPACK_OUT_BYTES - 3; n <= WS_UNPACK_OUT_BYTES + 3; n++) {
        struct script script = {0};
        struct talk *talk = talk_new(NULL, &shared_streams);
        char *zeros = calloc(1, n), want[40];
        script_packed(&script, 2, slice_new(zeros, n), 1);
        talk->budget = talk->left = 1;
        talk_feed(talk, script_bytes(&script));
        snprintf(want, sizeof want, "B(%zu bytes", n);
        ok(strstr(talk->text, want) != NULL, "%zu bytes have come", n);
        is(talk->shared.deflate.nlent, 0, "nothing is kept for them");
        free(zeros);
        free(script.bytes);
        talk_free(talk);
    }
}

int
main(void)
{
    test_a_budget_limits_what_is_inflated();
    test_payload_that_becomes_nothing_is_counted();
    test_the_first_wrong_byte_decides();
    test_a_bomb_is_never_held();
    test_ends_in_the_middle();
    test_a_pause_after_a_message();
    test_many_at_once();
    test_memory_runs_out();
    test_a_budget_that_ends_with_the_payload();
    return tap_done();
}
