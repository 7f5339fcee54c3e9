/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_h3.c — HTTP/3 sessions over a scripted transport (session/quic.h), with
 * a client that sends frames in any order and an application that does anything
 * (session/app.h). What the server sends is read by nghttp3. */
#include <nghttp3/nghttp3.h>
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* strtol */
#include <string.h> /* memcpy */

#include "session/app.h"
#include "session/frame.h"
#include "session/memory.h"
#include "session/quic.h"
#include "session/socket.h"
#include "session/world.h"
#include "check.h"

/* One request, and what was received of its response. */
struct seen {
    uint64_t body_at; /* bytes of the body that were sent */
    bool is_tunnel;
    bool is_read; /* the response */
    long number;  /* the response's "x-n"; -1: none */
    uint64_t total;
    bool complete;
};

static struct {
    struct seen seen[QUIC_REQUESTS];
    nghttp3_conn *ng; /* reads responses; what it would send is not used */
    unsigned nopened, nunis;
} client;

static void
expect_response(int64_t id, bool is_head)
{
    const char *method = is_head ? "HEAD" : "GET";
    nghttp3_nv fields[] = {
        {(uint8_t *)(uintptr_t)":method", (uint8_t *)(uintptr_t)method, 7,
         strlen(method), 0},
        {(uint8_t *)(uintptr_t)":scheme", (uint8_t *)(uintptr_t)"https", 7, 5, 0},
        {(uint8_t *)(uintptr_t)":authority", (uint8_t *)(uintptr_t)"a", 10, 1, 0},
        {(uint8_t *)(uintptr_t)":path", (uint8_t *)(uintptr_t)"/", 5, 1, 0},
    };

    /* It fails after a GOAWAY. */
    client.seen[id / 4].is_read =
        nghttp3_conn_submit_request(client.ng, id, fields, 4, NULL,
                                    &client.seen[id / 4]) == 0;
}

static void
send_request(void)
{
    static const char *const methods[] = {"GET", "POST", "POST", "HEAD"};
    struct script *script = &world.script;
    uint8_t block[400] = {0, 0};
    unsigned i = client.nopened;
    char path[16];
    size_t n = 2;

    if (i == QUIC_REQUESTS)
        return;
    client.nopened++;
    client.seen[i].number = -1;
    unsigned choice = script_choice(script, 8);
    bool tunnel = choice == 7;
    client.seen[i].is_tunnel = app_asked(i)->is_other = tunnel;
    snprintf(path, sizeof path, "/n%u", i);
    n +=
        frame_put_field(block + n, ":method", tunnel ? "CONNECT" : methods[choice % 4]);
    n += frame_put_field(block + n, ":scheme", "https");
    n += frame_put_field(block + n, ":authority", "a");
    n += frame_put_field(block + n, ":path", path);
    if (tunnel)
        n += frame_put_field(block + n, ":protocol", "websocket");
    if (script_choice(script, 8) == 0)
        n += frame_put_field(block + n, "expect", "100-continue");
    if (script_choice(script, 16) == 0) {
        n += frame_put_field(block + n, "content-length", "5000");
        app.is_clean = false;
    }
    for (unsigned more = script_choice(script, 16); more > 12; more--)
        n += frame_put_field(block + n, "x-more", "some more");
    frame_send(i * 4, 1, block, n);
    expect_response(i * 4, choice % 4 == 3 && !tunnel);
    if (script_choice(script, 3) == 0) {
        app_asked(i)->ended = true;
        quic_end(i * 4);
    }
}

/* Returns a request stream on which the client may send, or -1. */
static int64_t
choose_request(void)
{
    unsigned first = script_byte(&world.script);

    for (unsigned i = 0; i < client.nopened; i++) {
        int64_t id = (int64_t)((first + i) % client.nopened) * 4;
        if (quic_may_send(id))
            return id;
    }
    return -1;
}

static void
send_body(int64_t id)
{
    static const uint32_t sizes[] = {0, 1, 100, 1000, 20000};
    static uint8_t body[20000];
    struct seen *seen = &client.seen[id / 4];
    uint32_t n = sizes[script_choice(&world.script, COUNT(sizes))];

    if (seen->is_tunnel) {
        static char bytes[SOCKET_FRAME_BYTES];
        frame_send(id, 0, bytes, socket_put_frame(bytes));
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        body[i] = (uint8_t)app_body_byte((unsigned)id / 4, seen->body_at + i);
    seen->body_at += n;
    app_asked((unsigned)id / 4)->sent += n;
    frame_send(id, 0, body, n);
}

static void
send_trailers(int64_t id)
{
    uint8_t block[64] = {0, 0};
    size_t n = 2 + frame_put_field(block + 2, "x-sum", "1");

    frame_send(id, 1, block, n);
    app_asked((unsigned)id / 4)->ended = true;
    quic_end(id);
}

/* Any bytes, which usually end the connection. */
static void
send_noise(int64_t id)
{
    uint8_t bytes[16];
    size_t n = script_choice(&world.script, sizeof bytes);

    for (size_t i = 0; i < n; i++)
        bytes[i] = script_byte(&world.script);
    app.is_clean = false;
    quic_send(id, bytes, n);
}

static void
act_on_request(void)
{
    int64_t id = choose_request();

    if (id < 0)
        return;
    struct asked *asked = app_asked((unsigned)id / 4);
    switch (script_choice(&world.script, 16)) {
    case 0:
        asked->is_other = true;
        quic_reset(id);
        break;
    case 1:
        asked->is_other = true;
        quic_stop(id);
        break;
    case 2:
        send_trailers(id);
        break;
    case 3:
        frame_send(id, 0x21, "unknown", script_choice(&world.script, 8));
        break;
    case 4:
        if (script_choice(&world.script, 8) == 0)
            send_noise(id);
        break;
    case 5:
    case 6:
        asked->ended = true;
        quic_end(id);
        break;
    default:
        send_body(id);
    }
}

static void
open_uni(void)
{
    static const uint8_t kinds[] = {0, 2, 3, 0x21, 1};
    int64_t id = client.nunis * 4 + 2;
    uint8_t kind = kinds[client.nunis < 3 ? client.nunis
                                          : script_choice(&world.script, sizeof kinds)];

    if (client.nunis == QUIC_UNIS)
        return;
    client.nunis++;
    quic_send(id, &kind, 1);
    if (kind == 0)
        frame_send(id, 4, "\x08\x01", script_choice(&world.script, 2) * 2u);
    if (client.nunis > 3)
        app.is_clean = false;
}

static void
act_on_uni(void)
{
    uint8_t bytes[12];
    size_t n;

    if (client.nunis < 3 || script_choice(&world.script, 8) == 0) {
        open_uni();
        return;
    }
    int64_t id = script_choice(&world.script, client.nunis) * 4;
    if (!quic_may_send(id + 2) || !quic_may_send(2))
        return;
    switch (script_choice(&world.script, 8)) {
    case 0:
        send_noise(id + 2);
        return;
    case 1:
        app.is_clean = false;
        quic_end(id + 2);
        return;
    case 2:
        app.is_clean = false;
        quic_reset(id + 2);
        return;
    case 3:
        app.is_clean = false;
        quic_stop(id % 12 + 3);
        return;
    case 4:
        n = frame_put_number(bytes, script_choice(&world.script, QUIC_REQUESTS) * 4u);
        memcpy(bytes + n, "u=1,i", 5);
        frame_send(2, 0xf0700, bytes, n + 5);
        return;
    case 5:
        frame_send(2, 0x0d, bytes, frame_put_number(bytes, script_byte(&world.script)));
        app.is_clean = false;
        return;
    case 6:
        frame_send(2, 7, bytes, frame_put_number(bytes, script_byte(&world.script)));
        app.is_clean = false;
        return;
    default:
        frame_send(2, 0x21, "unknown", script_choice(&world.script, 8));
    }
}

/* Responses */

static int
on_field(nghttp3_conn *ng, int64_t id, int32_t token, nghttp3_rcbuf *name,
         nghttp3_rcbuf *value, uint8_t flags, void *arg, void *stream)
{
    nghttp3_vec text = nghttp3_rcbuf_get_buf(name),
                digits = nghttp3_rcbuf_get_buf(value);
    struct seen *seen = stream;
    char copy[8] = "";

    (void)ng, (void)id, (void)token, (void)flags, (void)arg;
    if (text.len == 3 && memcmp(text.base, "x-n", 3) == 0 && digits.len < sizeof copy) {
        memcpy(copy, digits.base, digits.len);
        seen->number = strtol(copy, NULL, 10);
    }
    return 0;
}

static int
on_data(nghttp3_conn *ng, int64_t id, const uint8_t *bytes, size_t n, void *arg,
        void *stream)
{
    struct seen *seen = stream;

    (void)ng, (void)id, (void)arg;
    if (seen->number >= 0 && !seen->is_tunnel)
        CHECK(
            app_is_given((unsigned)seen->number, seen->total, (const char *)bytes, n));
    seen->total += n;
    return 0;
}

static int
on_end(nghttp3_conn *ng, int64_t id, void *arg, void *stream)
{
    (void)ng, (void)id, (void)arg;
    ((struct seen *)stream)->complete = true;
    return 0;
}

static void
on_bytes(int64_t id, struct slice bytes, bool last)
{
    if (id % 4 == 0) {
        CHECK((unsigned)id / 4 < client.nopened);
        if (!client.seen[id / 4].is_read)
            return;
    }
    CHECK(nghttp3_conn_read_stream(client.ng, id, (const uint8_t *)bytes.ptr, bytes.len,
                                   last) >= 0);
}

static void
begin_client(void)
{
    static const nghttp3_callbacks callbacks = {
        .recv_header = on_field,
        .recv_data = on_data,
        .end_stream = on_end,
    };
    nghttp3_settings settings;

    memset(&client, 0, sizeof client);
    nghttp3_settings_default(&settings);
    CHECK(nghttp3_conn_client_new(&client.ng, &callbacks, &settings, NULL, NULL) == 0);
    CHECK(nghttp3_conn_bind_control_stream(client.ng, 2) == 0);
    CHECK(nghttp3_conn_bind_qpack_streams(client.ng, 6, 10) == 0);
}

/* A response that looks complete is what the application has sent. */
static void
check_responses(void)
{
    for (unsigned i = 0; i < client.nopened; i++) {
        const struct seen *seen = &client.seen[i];
        if (!seen->complete || seen->number < 0 || seen->is_tunnel)
            continue;
        const struct call *call = &app.calls[seen->number];
        CHECK(call->ended &&
              (call->is_head ? seen->total == 0 : seen->total == call->sent));
    }
    nghttp3_conn_del(client.ng);
}

/* The script */

static void
step(void)
{
    static const uint32_t waits[] = {1, 50, 500, 1100, 6000, 31000};

    switch (script_choice(&world.script, 16)) {
    case 0:
    case 1:
        send_request();
        break;
    case 2:
    case 3:
        act_on_request();
        break;
    case 4:
        act_on_uni();
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        quic_act();
        break;
    case 9:
    case 10:
    case 11:
        app_act();
        break;
    case 12:
        world_wait(waits[script_choice(&world.script, COUNT(waits))]);
        break;
    case 13:
        switch (script_choice(&world.script, 16)) {
        case 0:
            quic_drain();
            break;
        case 1:
            app_cancel();
            break;
        case 2:
            quic_settle();
            break;
        default:
            break;
        }
        break;
    default:
        quic_turn();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t held = memory_held();

    world_reset(data, size);
    app_begin();
    begin_client();
    quic_begin(&app_handler, on_bytes);
    socket_begin(world_clock());
    while (!script_is_over(&world.script) && !quic_is_over())
        step();
    quic_settle();
    if (!quic_is_over())
        app_check_owed();
    app_fail_all();
    quic_finish();
    check_responses();
    app_end();
    socket_end();
    CHECK(memory_held() == held);
    return 0;
}
