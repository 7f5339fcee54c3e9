/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_deflation.c — a long message is compressed in slices, and arrives
 * unchanged whatever is sent in between. */
#include "ws/deflation.c"
#include "ws/output.c"

#include <stdlib.h> /* malloc */

#include "base/mem.h"
#include "failing.h"
#include "tap.h"
#include "ws/send.h"
#include "ws/session.h"
#include "ws_unpack.h"

#define LONG ((size_t)300 * 1024)

static const struct ws_deflate_params agreed = {true, false, false, 12, 15};
static const struct ws_deflate_params kept = {true, true, true, 12, 15};

/* A server's WebSocket, and what its client gets. */
struct side {
    struct ws ws;
    struct ws_shared shared;
    struct clock clock;
    struct ws_deflate client;
    char *sent; /* owns: the bytes that were sent and not checked yet */
    size_t nsent;
    unsigned nrests, nwritable;
    int owned; /* references to messages */
    int says;  /* what the tunnel returns */
};

static struct side *
side_of(struct ws *ws)
{
    return ws->tunnel;
}

static int
side_send(struct ws *ws, const struct chunk *chunk, bool last)
{
    struct side *side = side_of(ws);

    if (side->says != 0)
        return last ? 0 : side->says;
    side->sent = realloc(side->sent, side->nsent + chunk->bytes.len + 1);
    memcpy(side->sent + side->nsent, chunk->bytes.ptr, chunk->bytes.len);
    side->nsent += chunk->bytes.len;
    return 0;
}

static void
side_set_deadline(struct ws *ws, uint64_t due_ms)
{
    (void)ws;
    (void)due_ms;
}

static void
side_complain(struct ws *ws, int why)
{
    (void)ws;
    (void)why;
}

static void
side_rest(struct ws *ws)
{
    ok(ws->waits_for_writable, "on_writable is owed");
    side_of(ws)->nrests++;
}

static void
on_writable(struct ws *ws)
{
    side_of(ws)->nwritable++;
}

static void
on_close(struct ws *ws, unsigned code, struct slice reason)
{
    (void)ws;
    (void)code;
    (void)reason;
}

static const struct ws_ops ops = {.send = side_send,
                                  .set_deadline = side_set_deadline,
                                  .complain = side_complain,
                                  .rest = side_rest};
static const struct ws_handler handler = {.on_writable = on_writable,
                                          .on_close = on_close};

static void
retain(void *owner)
{
    ((struct side *)owner)->owned++;
}

static void
release(void *owner)
{
    ((struct side *)owner)->owned--;
}

static const struct lender lender = {retain, release, 0};

static struct side *
side_new(const struct ws_deflate_params *params)
{
    const struct ws_config defaults = WS_CONFIG_DEFAULT;
    struct side *side = calloc(1, sizeof *side);

    side->clock.ms = 1000;
    ws_shared_init(&side->shared, &defaults, &handler, &side->clock);
    side->ws.tunnel = side;
    ws_init(&side->ws, &side->shared, &ops, params);
    /* The client inflates what the server compresses. */
    side->client.params = *params;
    side->client.params.client_takeover = params->server_takeover;
    side->client.params.client_bits = params->server_bits;
    return side;
}

static void
side_free(struct side *side)
{
    ws_deflate_fini(&side->client, &side->shared.deflate);
    ws_fini(&side->ws);
    ws_shared_fini(&side->shared);
    is(side->owned, 0, "every message is released");
    free(side->sent);
    free(side);
}

static char *
text_new(bool is_noise)
{
    char *text = malloc(LONG);
    uint32_t seed = 1;

    for (size_t i = 0; i < LONG; i++) {
        seed = seed * 1103515245 + 12345;
        text[i] = is_noise ? (char)(seed >> 16) : "abcdefgh"[seed >> 29];
    }
    return text;
}

static int
say(struct side *side, const char *text, size_t len)
{
    const struct chunk chunk = {.bytes = {text, len}, .lender = &lender, .owner = side};
    return ws_send(&side->ws, WS_BINARY, &chunk);
}

/* Appends the payload of the first frame that was sent, and removes it; returns its
 * first byte. */
static unsigned
take_frame(struct side *side, struct ws_bytes *payload)
{
    const uint8_t *p = (const uint8_t *)side->sent;
    size_t extra = p[1] < 126 ? 0 : p[1] == 126 ? 2 : 8, n = extra > 0 ? 0 : p[1];
    unsigned first = p[0];

    for (size_t i = 0; i < extra; i++)
        n = n << 8 | p[2 + i];
    memcpy(payload->ptr + payload->len, p + 2 + extra, n);
    payload->len += n;
    side->nsent -= 2 + extra + n;
    memmove(side->sent, side->sent + 2 + extra + n, side->nsent);
    return first;
}

static bool
is_same(struct slice bytes, const char *text, size_t len)
{
    return bytes.len == len && memcmp(bytes.ptr, text, len) == 0;
}

static bool
inflates_to(struct side *side, struct slice payload, const char *text, size_t len)
{
    struct ws_bytes out;
    int err =
        unpack_message(&side->client, &side->shared.deflate, payload, LONG, 4096, &out);
    bool good = err == 0 && is_same(ws_bytes_slice(&out), text, len);

    ws_bytes_give(&out, &side->shared.spares);
    return good;
}

/* Removes the next message from what was sent, which must be `text`; returns the number
 * of its frames, 0 if it is not. */
static unsigned
take_message(struct side *side, const char *text, size_t len)
{
    struct ws_bytes payload = {.ptr = malloc(side->nsent + 1)};
    unsigned nframes = 0, first = 0, begun = 0;

    while ((first & 0x80) == 0 && side->nsent > 0) {
        first = take_frame(side, &payload);
        is(first & 0x4F, nframes > 0 ? 0 : WS_BINARY | (first & 0x40), "the opcode");
        begun |= first;
        nframes++;
    }
    struct slice bytes = ws_bytes_slice(&payload);
    bool good = (begun & 0x40) != 0 ? inflates_to(side, bytes, text, len)
                                    : is_same(bytes, text, len);
    free(payload.ptr);
    return good && (first & 0x80) != 0 ? nframes : 0;
}

static void
go_on(struct side *side)
{
    while (side->ws.waits_for_writable)
        ws_on_writable(&side->ws);
}

static void
test_a_long_message_is_divided(void)
{
    for (int i = 0; i < 4; i++) {
        struct side *side = side_new(i % 2 ? &kept : &agreed);
        char *text = text_new(i / 2);
        bool is_divided = i != 2;

        for (int again = 0; again < 2; again++) {
            side->nrests = side->nwritable = 0;
            is(say(side, text, LONG), is_divided ? ERR_AGAIN : 0, "case %d", i);
            ok(side->nsent < (is_divided ? 2 * WS_DEFLATION_SLICE_BYTES : SIZE_MAX),
               "one slice is sent");
            is(side->owned, is_divided, "the message is kept");
            go_on(side);
            is(side->nrests, is_divided ? (LONG - 1) / WS_DEFLATION_SLICE_BYTES : 0,
               "rests");
            is(side->nwritable, is_divided, "on_writable comes once");
            ok(take_message(side, text, LONG) > is_divided, "it arrives");
        }
        is(say(side, text, WS_DEFLATION_BYTES), 0, "a shorter one is not divided");
        is(take_message(side, text, WS_DEFLATION_BYTES), 1, "and has one frame");
        free(text);
        side_free(side);
    }
}

static void
test_what_follows_it_waits_for_nothing(void)
{
    for (int i = 0; i < 4; i++) {
        struct side *side = side_new(i % 2 ? &kept : &agreed);
        char *text = text_new(i / 2 && i % 2);

        is(say(side, text, LONG), ERR_AGAIN, "case %d", i);
        if (i / 2)
            ws_on_writable(&side->ws);
        is(say(side, text, LONG), ERR_AGAIN, "a second one");
        is(say(side, text, 1000), 0, "and a short one");
        is(side->owned, 0, "nothing is left");
        go_on(side);
        is(side->nwritable, 1, "on_writable is called");
        ok(take_message(side, text, LONG) > 1, "the first one arrives");
        ok(take_message(side, text, LONG) > 1, "the second one arrives");
        is(take_message(side, text, 1000), 1, "the short one arrives");
        is(say(side, text, LONG), ERR_AGAIN, "another one");
        is(ws_close(&side->ws, 1000, slice_new("", 0)), 0, "is closed");
        ok(take_message(side, text, LONG) > 1, "it arrives");
        is(side->nsent, 4, "before the close frame");
        free(text);
        side_free(side);
    }
}

static void
test_it_may_end_early(void)
{
    char *text = text_new(false);

    for (int how = 0; how < 3; how++) {
        struct side *side = side_new(how == 1 ? &kept : &agreed);
        is(say(side, text, LONG), ERR_AGAIN, "a message begins");
        if (how == 0)
            ws_lost(&side->ws, ERR_RESET);
        if (how == 1)
            ws_fail(&side->ws, ERR_SHUTDOWN);
        if (how == 2) {
            side->says = ERR_CLOSED;
            ws_on_writable(&side->ws);
            is(say(side, text, LONG), ERR_CLOSED, "nothing follows");
        }
        is(side->owned, 0, "way %d: it is dropped", how);
        side_free(side);
    }
    free(text);
}

/* Slices that compress to nothing yet are not sent as empty frames. */
static void
test_a_message_of_zeros_is_divided(void)
{
    struct side *side = side_new(&agreed);
    char *zeros = calloc(1, LONG);

    is(say(side, zeros, LONG), ERR_AGAIN, "it is divided");
    go_on(side);
    ok(take_message(side, zeros, LONG) > 0, "and arrives");
    is(side->nsent, 0, "in full");
    free(zeros);
    side_free(side);
}

/* Each allocation fails in turn, and each call of zlib: the message is sent in another
 * way, or the WebSocket ends; it is always released. */
static void
test_memory_runs_out(void)
{
    static const char *const calls[] = {NULL, "deflateInit2_"};
    char *text = text_new(false);
    unsigned nsent = 0, nended = 0;

    for (unsigned i = 0; i < 2 * COUNT(calls); i++) {
        const char *call = calls[i / 2];
        bool is_over = false;
        for (unsigned long n = 1; !is_over && n < 100; n++) {
            struct side *side = side_new(i % 2 ? &kept : &agreed);
            if (call == NULL)
                mem_fail_at(n);
            else
                fault_of(call, n, 0);
            (void)!say(side, text, LONG);
            go_on(side);
            is_over = call == NULL ? mem_count() < n : fault_stop() < n;
            mem_fail_at(0);
            is(side->owned, 0, "%s %lu: it is released", call ? call : "allocation", n);
            if (side->ws.state == WS_OPEN) {
                ok(take_message(side, text, LONG) > 0, "and arrives");
                nsent++;
            } else {
                nended++;
            }
            side_free(side);
        }
        ok(is_over, "all have failed");
    }
    ok(nsent > 0 && nended > 0, "both happen");
    free(text);
}

int
main(void)
{
    test_a_long_message_is_divided();
    test_what_follows_it_waits_for_nothing();
    test_it_may_end_early();
    test_a_message_of_zeros_is_divided();
    test_memory_runs_out();
    return tap_done();
}
