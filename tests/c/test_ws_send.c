/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_send.c — messages in one frame each, compressed if that helps, and
 * messages that are encoded once for many. */
#include "ws/send.c"

#include "tap.h"
#include "ws_talk.h"

static const struct ws_deflate_params agreed = {true, false, false, 12, 15};
static const struct ws_deflate_params kept = {true, true, true, 12, 15};

static int
say(struct talk *talk, enum ws_opcode kind, const char *text, size_t len)
{
    const struct chunk chunk = {.bytes = {text, len}};
    return ws_send(&talk->ws, kind, &chunk);
}

static void
test_messages(void)
{
    struct talk *talk = talk_new(NULL, NULL), *want = talk_new(NULL, NULL);
    char *bytes = calloc(1, 70000);
    static const size_t lengths[] = {125, 126, 2048, 2049, 65535, 65536, 70000};
    is(say(talk, WS_TEXT, "hi", 2), 0, "a text");
    is(say(talk, WS_BINARY, "", 0), 0, "nothing");
    is_text(talk->text, ">T(hi) >B() ", "they are sent");
    talk->ntext = 0;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        is(say(talk, WS_BINARY, bytes, lengths[i]), 0, "%zu bytes", lengths[i]);
        note_payload(want, ">B", slice_new(bytes, lengths[i]));
    }
    is_text(talk->text, want->text, "they are sent whole");
    talk->send_says = ERR_AGAIN;
    is(say(talk, WS_TEXT, "x", 1), ERR_AGAIN, "output backs up");
    is(say(talk, WS_BINARY, bytes, 5000), ERR_AGAIN, "a long one too");
    talk->send_says = ERR_CLOSED;
    is(say(talk, WS_TEXT, "x", 1), ERR_CLOSED, "the tunnel is over");
    talk->send_says = 0;
    ws_lost(&talk->ws, ERR_RESET);
    talk->ntext = 0;
    is(say(talk, WS_TEXT, "x", 1), ERR_CLOSED, "nothing is sent after the end");
    is(talk->ntext, 0, "nothing at all");
    free(bytes);
    talk_free(want);
    talk_free(talk);
}

static void
test_compression(void)
{
    char text[1000], noise[1000];
    uint32_t seed = 1;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof noise; i++) {
        seed = seed * 1103515245 + 12345;
        noise[i] = (char)(seed >> 16);
    }
    struct talk *talk = talk_new(NULL, &agreed);
    is(say(talk, WS_TEXT, text, 255), 0, "below the threshold");
    ok(strncmp(talk->text, ">T(", 3) == 0, "as it is");
    talk->ntext = 0;
    is(say(talk, WS_TEXT, text, 256), 0, "from the threshold on");
    ok(strncmp(talk->text, ">zT(", 4) == 0, "compressed");
    talk->ntext = 0;
    is(say(talk, WS_BINARY, noise, sizeof noise), 0, "incompressible data");
    ok(strncmp(talk->text, ">B(", 3) == 0, "is sent uncompressed");
    talk->ntext = 0;
    mem_fail_at(1);
    ws_spares_fini(&talk->shared.spares);
    struct ws_deflate_pool pool = talk->shared.deflate;
    ws_deflate_pool_init(&talk->shared.deflate, &talk->shared.config.deflate,
                         &talk->shared.spares);
    is(say(talk, WS_TEXT, text, sizeof text), 0, "without memory");
    mem_fail_at(0);
    ok(strncmp(talk->text, ">T(", 3) == 0, "it is sent uncompressed");
    ws_deflate_pool_fini(&pool);
    talk_free(talk);

    talk = talk_new(NULL, &kept);
    is(say(talk, WS_BINARY, noise, sizeof noise), 0, "with a kept window");
    ok(strncmp(talk->text, ">zB(", 4) == 0, "all is compressed");
    talk_free(talk);
    talk = talk_new(NULL, &kept);
    mem_fail_at(1);
    is(say(talk, WS_TEXT, text, sizeof text), ERR_NOMEM, "without memory");
    mem_fail_at(0);
    is_text(talk->text, ">close(1011) >end closed(1011) ", "the windows are lost");
    talk_free(talk);
}

static void
test_packets(void)
{
    char text[3000];
    memset(text, 'x', sizeof text);
    struct slice message = {text, sizeof text};
    struct talk *talk = talk_new(NULL, &agreed), *plain = talk_new(NULL, NULL);
    struct ws_deflate_params narrow = agreed;
    narrow.server_bits = 9;
    struct ws_packet *packed = NULL, *raw = NULL;
    is(ws_packet_new(&talk->shared, &agreed, WS_TEXT, message, &packed), 0, "packed");
    is(ws_packet_new(&talk->shared, NULL, WS_TEXT, message, &raw), 0, "raw");
    ok(packed->is_compressed && !raw->is_compressed, "one is compressed");
    ok(ws_packet_suits(packed, &agreed), "it suits those with the extension");
    ok(!ws_packet_suits(packed, &narrow), "not those with a smaller window");
    ok(!ws_packet_suits(packed, &kept), "nor those that keep a window");
    ok(!ws_packet_suits(packed, &(struct ws_deflate_params){0}), "nor any others");
    ok(ws_packet_suits(raw, &kept) && ws_packet_suits(raw, &narrow), "raw suits all");
    is(say(talk, WS_TEXT, text, sizeof text), 0, "the message");
    is(say(plain, WS_TEXT, text, sizeof text), 0, "the message");
    size_t n = talk->ntext, m = plain->ntext;
    is(ws_send_packet(&talk->ws, packed), 0, "the packet");
    is(ws_send_packet(&plain->ws, raw), 0, "the packet");
    ok(talk->ntext == 2 * n && memcmp(talk->text, talk->text + n, n) == 0,
       "packed, the same bytes");
    ok(plain->ntext == 2 * m && memcmp(plain->text, plain->text + m, m) == 0,
       "raw, the same bytes");
    retain_packet(packed);
    ws_packet_unref(packed);
    is(packed->nrefs, 1, "a queue keeps it");
    release_packet(packed);
    ws_packet_unref(raw);
    ws_packet_unref(NULL);
    talk_free(plain);
    talk_free(talk);
}

static void
test_a_packet_without_memory(void)
{
    char text[3000];
    struct slice message = {text, sizeof text};
    struct ws_packet *packet = NULL;
    unsigned long n = 0;
    int err = ERR_NOMEM;

    memset(text, 'x', sizeof text);
    while (err == ERR_NOMEM && n < 100) {
        struct talk *talk = talk_new(NULL, &agreed);
        packet = NULL;
        mem_fail_at(++n);
        err = ws_packet_new(&talk->shared, &agreed, WS_TEXT, message, &packet);
        mem_fail_at(0);
        ok(err == 0 || packet == NULL, "allocation %lu: there is none", n);
        if (err == 0)
            ws_packet_unref(packet);
        talk_free(talk);
    }
    is(err, 0, "with enough memory there is one");
    struct talk *talk = talk_new(NULL, NULL);
    is(ws_packet_new(&talk->shared, NULL, WS_TEXT, message, &packet), 0, "another one");
    is(ws_close(&talk->ws, 1000, slice_of("")), 0, "a close");
    is(ws_send_packet(&talk->ws, packet), ERR_CLOSED, "which it cannot follow");
    is_text(talk->text, ">close(1000) closed(1000) ", "nothing is sent");
    ws_packet_unref(packet);
    talk_free(talk);
}

int
main(void)
{
    test_messages();
    test_compression();
    test_packets();
    test_a_packet_without_memory();
    return tap_done();
}
