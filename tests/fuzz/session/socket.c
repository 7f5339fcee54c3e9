/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/socket.c — see socket.h. */
#include "session/socket.h"

#include <stdlib.h> /* calloc */
#include <string.h> /* memset */

#include "base/buf.h"
#include "base/err.h"
#include "session/app.h"
#include "session/world.h"
#include "ws/receive.h"
#include "ws/send.h"
#include "ws/session.h"

#define LETTER 'w' /* all messages are made of it */

struct socket {
    struct ws ws;
    struct stream *stream; /* NULL: the tunnel is lost */
    struct buf rest;       /* input that ws_feed has not consumed */
    bool is_feeding;
    bool is_sending;   /* inside a call of the tunnel */
    bool writable_due; /* ws_on_writable is to be called when it has returned */
    bool lost_due;     /* ... ws_lost */
    int lost_why;
    bool is_told; /* on_close was called */
    bool is_paused;
    bool eof_due; /* ws_on_eof is to be called when all input has been fed */
};

static struct ws_shared shared;

static struct socket *
socket_of(struct ws *ws)
{
    return container_of(ws, struct socket, ws);
}

/* The tunnel */

static int
tunnel_send(struct ws *ws, const struct chunk *bytes, bool last)
{
    struct socket *socket = socket_of(ws);

    CHECK(!socket->is_sending);
    if (socket->stream == NULL)
        return ERR_CLOSED;
    socket->is_sending = true;
    int err = stream_send_body(socket->stream, bytes, last);
    socket->is_sending = false;
    CHECK(err == 0 || err == ERR_AGAIN || err == ERR_CLOSED || err == ERR_NOMEM);
    CHECK(!last || err != ERR_AGAIN);
    return err;
}

static void
tunnel_set_deadline(struct ws *ws, uint64_t due_ms)
{
    struct socket *socket = socket_of(ws);

    CHECK(due_ms >= world_now_ms());
    if (socket->stream != NULL)
        stream_set_deadline(socket->stream, due_ms);
}

static void
tunnel_complain(struct ws *ws, int why)
{
    (void)ws;
    CHECK(why < 0);
}

static bool
tunnel_spend(struct ws *ws, uint64_t points)
{
    struct socket *socket = socket_of(ws);

    return socket->stream == NULL || stream_spend(socket->stream, points);
}

static const struct ws_ops ops = {
    .send = tunnel_send,
    .set_deadline = tunnel_set_deadline,
    .complain = tunnel_complain,
    .spend = tunnel_spend,
};

/* The user */

static void
send_message(struct socket *socket)
{
    static const size_t sizes[] = {0, 1, 125, 126, 5000, 65536, 200000};
    size_t n = sizes[script_choice(&world.script, COUNT(sizes))];
    char *bytes = malloc(n + 1);

    CHECK(bytes != NULL);
    memset(bytes, LETTER, n);
    const struct chunk chunk = {.bytes = slice_new(bytes, n)};
    if (app.given < ((uint64_t)8 << 20)) {
        app.given += n;
        (void)!ws_send(&socket->ws, WS_TEXT, &chunk);
    }
    free(bytes);
}

static void
do_something(struct socket *socket)
{
    switch (script_choice(&world.script, 8)) {
    case 0:
    case 1:
    case 2:
        send_message(socket);
        break;
    case 3:
        ws_pause(&socket->ws);
        socket->is_paused = true;
        break;
    case 4:
        ws_resume(&socket->ws);
        socket->is_paused = false;
        break;
    case 5:
        if (script_choice(&world.script, 4) == 0)
            (void)!ws_close(&socket->ws, 1000, slice_of("bye"));
        break;
    default:
        break;
    }
}

static void
on_message(struct ws *ws, enum ws_opcode kind, struct slice bytes)
{
    struct socket *socket = socket_of(ws);

    CHECK(!socket->is_told && !socket->is_paused);
    CHECK(kind == WS_TEXT || kind == WS_BINARY);
    if (app.is_clean) {
        for (size_t i = 0; i < bytes.len; i++)
            CHECK(bytes.ptr[i] == LETTER);
    }
    do_something(socket);
}

static void
on_ws_writable(struct ws *ws)
{
    CHECK(!socket_of(ws)->is_told);
    do_something(socket_of(ws));
}

static void
on_ws_close(struct ws *ws, unsigned code, struct slice reason)
{
    struct socket *socket = socket_of(ws);

    CHECK(!socket->is_told && code != 0);
    CHECK(reason.len <= WS_CONTROL_BYTES || reason.len == 3);
    socket->is_told = true;
}

static const struct ws_handler handler = {
    .on_message = on_message,
    .on_writable = on_ws_writable,
    .on_close = on_ws_close,
};

/* Between the two */

static void
feed(struct socket *socket, struct slice in)
{
    socket->is_feeding = true;
    ws_feed(&socket->ws, &in);
    socket->is_feeding = false;
    CHECK(in.len == 0 || !ws_wants_input(&socket->ws));
    CHECK(buf_append(&socket->rest, in) == 0);
}

static void
pump(struct socket *socket)
{
    if (socket->is_feeding)
        return;
    while (socket->stream != NULL && ws_wants_input(&socket->ws)) {
        if (socket->rest.len > 0 || ws_is_inflating(&socket->ws)) {
            struct buf rest = socket->rest;
            buf_init(&socket->rest);
            feed(socket, buf_bytes(&rest));
            buf_release(&rest);
        } else if (socket->eof_due) {
            ws_on_eof(&socket->ws);
        } else if (socket->stream->pulling || stream_pull_body(socket->stream) != 0) {
            break;
        }
    }
}

/* Does what could not be done inside a call of the tunnel; frees a WebSocket that
 * has ended. */
static void
settle(struct socket *socket)
{
    if (socket->is_sending || socket->is_feeding)
        return;
    if (socket->writable_due) {
        socket->writable_due = false;
        ws_on_writable(&socket->ws);
    }
    pump(socket);
    if (!socket->lost_due)
        return;
    ws_lost(&socket->ws, socket->lost_why);
    CHECK(socket->is_told);
    ws_fini(&socket->ws);
    buf_release(&socket->rest);
    free(socket);
}

void
socket_begin(struct clock *clock)
{
    struct ws_config config = WS_CONFIG_DEFAULT;

    config.message_bytes = SOCKET_MESSAGE_BYTES;
    ws_shared_init(&shared, &config, &handler, clock);
}

void
socket_end(void)
{
    ws_shared_fini(&shared);
}

struct socket *
socket_open(struct stream *s)
{
    static const struct ws_deflate_params agreed[] = {
        {.is_on = false},
        {.is_on = true, .server_bits = 9, .client_bits = 15},
        {.is_on = true,
         .client_takeover = true,
         .server_takeover = true,
         .server_bits = 15,
         .client_bits = 15},
    };
    struct socket *socket = calloc(1, sizeof *socket);

    CHECK(socket != NULL);
    socket->stream = s;
    socket->ws.tunnel = socket;
    buf_init(&socket->rest);
    ws_init(&socket->ws, &shared, &ops,
            &agreed[script_choice(&world.script, COUNT(agreed))]);
    return socket;
}

void
socket_on_body(struct socket *socket, struct slice bytes, bool last)
{
    if (bytes.len > 0)
        feed(socket, bytes);
    socket->eof_due = last;
    settle(socket);
}

void
socket_on_writable(struct socket *socket)
{
    socket->writable_due = true;
    settle(socket);
}

void
socket_on_budget(struct socket *socket)
{
    ws_on_budget(&socket->ws);
    settle(socket);
}

void
socket_on_deadline(struct socket *socket)
{
    ws_on_deadline(&socket->ws);
    settle(socket);
}

void
socket_on_shutdown(struct socket *socket)
{
    (void)!ws_close(&socket->ws, 1001, slice_of(""));
    settle(socket);
}

void
socket_on_close(struct socket *socket, int why)
{
    socket->stream = NULL;
    socket->lost_due = true;
    socket->lost_why = why;
    settle(socket);
}

void
socket_act(struct socket *socket)
{
    do_something(socket);
    settle(socket);
}

void
socket_cancel(struct socket *socket)
{
    (void)!ws_close(&socket->ws, 1011, slice_of(""));
    settle(socket);
}

size_t
socket_put_frame(char *at)
{
    static const uint8_t firsts[] = {0x81, 0x82, 0x01, 0x00, 0x80, 0x89,
                                     0x8a, 0x88, 0xc1, 0x83, 0x81, 0x81};
    static const uint32_t sizes[] = {0, 1, 100, 125, 126, 5000, 70000};
    uint8_t first = firsts[script_choice(&world.script, sizeof firsts)];
    bool is_control = (first & 8) != 0;
    uint32_t n = sizes[script_choice(&world.script, is_control ? 4 : COUNT(sizes))];
    size_t at_payload = 2;

    at[0] = (char)first;
    if (n < 126) {
        at[1] = (char)(0x80 | n);
    } else if (n < 65536) {
        at[1] = (char)(0x80 | 126);
        at[2] = (char)(n >> 8);
        at[3] = (char)n;
        at_payload = 4;
    } else {
        memset(at + 1, 0, 9);
        at[1] = (char)(0x80 | 127);
        at[7] = (char)(n >> 16);
        at[8] = (char)(n >> 8);
        at[9] = (char)n;
        at_payload = 10;
    }
    memset(at + at_payload, 0, 4); /* a mask that changes nothing */
    memset(at + at_payload + 4, LETTER, n);
    if (first == 0xc1 || first == 0x83)
        app.is_clean = false;
    return at_payload + 4 + n;
}
