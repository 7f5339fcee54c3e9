/* SPDX-License-Identifier: MIT */
/* tests/c/ws_talk.h — one WebSocket over a tunnel in memory: a client that writes
 * frames, and a transcript of what its server receives and sends, in order. Header
 * only, so that each test stays one file. */
#ifndef TESTS_WS_TALK_H
#define TESTS_WS_TALK_H

#include <stdarg.h> /* va_list */
#include <stdio.h>  /* vsnprintf */
#include <stdlib.h> /* malloc */

#include "base/err.h"
#include "base/mem.h"
#include "ws/receive.h"
#include "ws/send.h"
#include "ws/session.h"

#define TALK_BYTES (1 << 16)
#define TALK_SHOWN 40 /* longer payloads are shown by their length and a sum */

struct talk {
    struct ws ws;
    struct ws_shared shared;
    struct clock clock;
    struct slice rest;     /* what ws_feed left; in its own memory */
    char *memory;          /* ... which this owns */
    char text[TALK_BYTES]; /* the transcript: "T(hello) >pong(x) closed(1000 bye) " */
    size_t ntext;
    char half[WS_HEADER_OUT_BYTES]; /* the header of a frame whose payload follows */
    size_t nhalf;
    uint64_t due_ms;  /* the deadline that was set */
    unsigned nclosed; /* on_close was called so often */
    int send_says;    /* what the tunnel returns: 0, ERR_AGAIN or ERR_CLOSED */
    bool has_ended;   /* `last` was sent */
    bool pauses;      /* the user pauses after each message */
    unsigned closes;  /* the user closes with this code after a message; 0: not */
    bool echoes;      /* the user sends each message back */
    bool writable;    /* on_writable was called */
    int complaint;    /* the last one, enum err */
    unsigned ncomplaints;
    int64_t budget;    /* points of a budget; 0: unlimited */
    int64_t left;      /* ... and how many are left */
    uint64_t spent;    /* points of the current budget */
    uint64_t most;     /* the most points that one budget has spent */
    unsigned nbudgets; /* ended so far */
    bool stops;        /* talk_feed does not continue after the budget is spent */
};

static struct talk *
talk_of(struct ws *ws)
{
    return (struct talk *)ws->tunnel;
}

static void __attribute__((format(printf, 2, 3)))
note(struct talk *talk, const char *format, ...)
{
    size_t room = sizeof talk->text - talk->ntext;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(talk->text + talk->ntext, room, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < room)
        talk->ntext += (size_t)n;
}

/* "name(payload) ", or the length and a sum if it is long. */
static void
note_payload(struct talk *talk, const char *name, struct slice bytes)
{
    if (bytes.len <= TALK_SHOWN) {
        note(talk, "%s(%.*s) ", name, (int)bytes.len, bytes.ptr);
        return;
    }
    uint32_t sum = 1;
    for (size_t i = 0; i < bytes.len; i++)
        sum = sum * 31 + (uint8_t)bytes.ptr[i];
    note(talk, "%s(%zu bytes, %08x) ", name, bytes.len, (unsigned)sum);
}

/* Records one frame of the server. */
static void
note_frame(struct talk *talk, unsigned first, struct slice payload)
{
    static const char *const names[16] = {[WS_TEXT] = ">T",
                                          [WS_BINARY] = ">B",
                                          [WS_CLOSE] = ">close",
                                          [WS_PING] = ">ping",
                                          [WS_PONG] = ">pong"};
    if ((first & 15) == WS_CLOSE && payload.len >= 2)
        note(talk, ">close(%u) ",
             (unsigned)((uint8_t)payload.ptr[0] << 8 | (uint8_t)payload.ptr[1]));
    else if ((first & 0x40) == 0)
        note_payload(talk, names[first & 15], payload);
    else
        note_payload(talk, (first & 15) == WS_TEXT ? ">zT" : ">zB", payload);
}

/* A server's frame arrives in one call, or header and payload in two. */
static int
talk_send(struct ws *ws, const struct chunk *chunk, bool last)
{
    struct talk *talk = talk_of(ws);
    struct slice bytes = chunk->bytes;

    if (talk->send_says == ERR_CLOSED)
        return ERR_CLOSED;
    if (talk->nhalf > 0) {
        note_frame(talk, (uint8_t)talk->half[0], bytes);
        talk->nhalf = 0;
    } else if (bytes.len > 0) {
        unsigned short_len = (uint8_t)bytes.ptr[1];
        size_t header = short_len < 126 ? 2 : short_len == 126 ? 4 : 10;
        bool is_whole = bytes.len > header || short_len == 0;
        if (is_whole) {
            note_frame(talk, (uint8_t)bytes.ptr[0], slice_skip(bytes, header));
        } else {
            memcpy(talk->half, bytes.ptr, bytes.len);
            talk->nhalf = bytes.len;
        }
    }
    if (last) {
        note(talk, ">end ");
        talk->has_ended = true;
        return 0;
    }
    return talk->send_says;
}

static void
talk_set_deadline(struct ws *ws, uint64_t due_ms)
{
    talk_of(ws)->due_ms = due_ms;
}

static void
talk_complain(struct ws *ws, int why)
{
    talk_of(ws)->complaint = why;
    talk_of(ws)->ncomplaints++;
}

static bool
talk_spend(struct ws *ws, uint64_t points)
{
    struct talk *talk = talk_of(ws);

    talk->spent += points;
    if (talk->most < talk->spent)
        talk->most = talk->spent;
    talk->left -= (int64_t)points;
    if (talk->budget == 0 || talk->left > 0)
        return true;
    talk->nbudgets++;
    return false;
}

/* Gives the next budget, and feeds what was left. */
static void __attribute__((unused))
talk_go_on(struct talk *talk)
{
    talk->left = talk->budget;
    talk->spent = 0;
    ws_on_budget(&talk->ws);
    ws_feed(&talk->ws, &talk->rest);
}

static void
talk_on_message(struct ws *ws, enum ws_opcode kind, struct slice bytes)
{
    struct talk *talk = talk_of(ws);

    note_payload(talk, kind == WS_TEXT ? "T" : "B", bytes);
    if (talk->echoes) {
        const struct chunk chunk = {.bytes = bytes};
        (void)!ws_send(ws, kind, &chunk);
    }
    if (talk->pauses)
        ws_pause(ws);
    if (talk->closes != 0)
        (void)!ws_close(ws, talk->closes, slice_new("", 0));
}

static void
talk_on_writable(struct ws *ws)
{
    talk_of(ws)->writable = true;
}

static void
talk_on_close(struct ws *ws, unsigned code, struct slice reason)
{
    struct talk *talk = talk_of(ws);

    talk->nclosed++;
    if (ws->why == 0 && reason.len > 0)
        note(talk, "closed(%u %.*s) ", code, (int)reason.len, reason.ptr);
    else
        note(talk, "closed(%u) ", code);
}

/* The user's memory for long messages. */
static void *
talk_resize(void *ptr, size_t size)
{
    void *moved = size > 0 ? mem_realloc(ptr, size) : NULL;

    if (moved == NULL)
        mem_free(ptr);
    return moved;
}

static void
talk_on_long_message(struct ws *ws, char *ptr, size_t n)
{
    note(talk_of(ws), "long ");
    talk_on_message(ws, WS_BINARY, slice_new(ptr, n));
    mem_free(ptr);
}

static const struct ws_ops talk_ops = {talk_send, talk_set_deadline, talk_complain,
                                       talk_spend};
static const struct ws_handler talk_handler = {talk_on_message, talk_on_writable,
                                               talk_on_close};
static const struct ws_handler __attribute__((unused)) talk_long_handler = {
    .on_message = talk_on_message,
    .on_writable = talk_on_writable,
    .on_close = talk_on_close,
    .resize = talk_resize,
    .on_long_message = talk_on_long_message,
};

/* Opens a WebSocket; `config` and `params` may be NULL: defaults, and no
 * compression. */
static struct talk *
talk_new(const struct ws_config *config, const struct ws_deflate_params *params)
{
    const struct ws_config defaults = WS_CONFIG_DEFAULT;
    static const struct ws_deflate_params none = {0};
    struct talk *talk = calloc(1, sizeof *talk);

    talk->clock.ms = 1000;
    ws_shared_init(&talk->shared, config != NULL ? config : &defaults, &talk_handler,
                   &talk->clock);
    talk->ws.tunnel = talk;
    ws_init(&talk->ws, &talk->shared, &talk_ops, params != NULL ? params : &none);
    return talk;
}

static void
talk_free(struct talk *talk)
{
    ws_fini(&talk->ws);
    ws_shared_fini(&talk->shared);
    free(talk->memory);
    free(talk);
}

/* Feeds what was left and `bytes`, in their own memory, without a spare byte. */
static void __attribute__((unused))
talk_feed(struct talk *talk, struct slice bytes)
{
    size_t n = talk->rest.len + bytes.len;
    char *memory = malloc(n > 0 ? n : 1);

    if (talk->rest.len > 0)
        memcpy(memory, talk->rest.ptr, talk->rest.len);
    if (bytes.len > 0)
        memcpy(memory + talk->rest.len, bytes.ptr, bytes.len);
    free(talk->memory);
    talk->memory = memory;
    talk->rest = slice_new(memory, n);
    ws_feed(&talk->ws, &talk->rest);
    while (talk->ws.is_spent && !talk->stops)
        talk_go_on(talk);
}

/* Bytes that a client writes. */
struct script {
    char *bytes; /* owns */
    size_t len, cap;
};

static char *
script_room(struct script *script, size_t n)
{
    if (script->len + n > script->cap) {
        script->cap = 2 * (script->len + n);
        script->bytes = realloc(script->bytes, script->cap);
    }
    script->len += n;
    return script->bytes + script->len - n;
}

/* Adds a masked frame; `first` is its first byte. */
static void __attribute__((unused))
script_frame(struct script *script, unsigned first, struct slice payload)
{
    static const char key[4] = {'\x37', '\xfa', '\x21', '\x3d'};
    char header[WS_HEADER_OUT_BYTES];
    size_t n = ws_frame_write(header, first & 15, false, payload.len);

    header[0] = (char)first;
    header[1] = (char)(header[1] | '\x80');
    memcpy(script_room(script, n), header, n);
    memcpy(script_room(script, sizeof key), key, sizeof key);
    char *at = script_room(script, payload.len);
    for (size_t i = 0; i < payload.len; i++)
        at[i] = (char)(payload.ptr[i] ^ key[i % 4]);
}

static struct slice __attribute__((unused))
script_bytes(const struct script *script)
{
    return slice_new(script->bytes, script->len);
}

#endif
