/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/client2.c — the client of HTTP/2; see client.h. */
#include <nghttp2/nghttp2.h> /* nghttp2_hd_inflate_hd2 */
#include <stdio.h>           /* snprintf */
#include <stdlib.h>          /* strtoul */
#include <string.h>          /* memcpy */

#include "session/app.h"
#include "session/client.h"
#include "session/socket.h"
#include "session/world.h"

#define STREAMS_MAX 128u

/* One stream: what the client has sent of its request, and received of its response. */
struct seen {
    uint64_t body_at; /* bytes of the body that were sent */
    bool ended;       /* ... and its end */
    bool is_tunnel;   /* it asks for a WebSocket */
    long long number; /* the response's "x-n"; -1: none */
    uint64_t total;   /* bytes of its body */
    bool complete;    /* its end was received */
    bool reset;
};

static struct {
    struct seen seen[STREAMS_MAX]; /* of stream 2 i + 1 */
    unsigned nopened;
} client;

static void
send_frame(uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t n)
{
    const uint8_t head[9] = {
        (uint8_t)(n >> 16),
        (uint8_t)(n >> 8),
        (uint8_t)n,
        type,
        flags,
        (uint8_t)(id >> 24),
        (uint8_t)(id >> 16),
        (uint8_t)(id >> 8),
        (uint8_t)id,
    };

    world_send(head, sizeof head);
    world_send(payload, n);
}

static void
send_number(uint8_t type, uint32_t id, uint32_t number)
{
    const uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8), (uint8_t)number};

    send_frame(type, 0, id, bytes, sizeof bytes);
}

static uint32_t
id_of(unsigned i)
{
    return 2 * i + 1;
}

/* A literal field that is not indexed (RFC 7541 6.2.2). */
static size_t
put_field(uint8_t *at, const char *name, const char *value)
{
    size_t nname = strlen(name), nvalue = strlen(value);

    at[0] = 0;
    at[1] = (uint8_t)nname;
    memcpy(at + 2, name, nname);
    at[2 + nname] = (uint8_t)nvalue;
    memcpy(at + 3 + nname, value, nvalue);
    return 3 + nname + nvalue;
}

static void
send_request(void)
{
    static const char *const methods[] = {"GET", "POST", "POST", "HEAD"};
    struct script *script = &world.script;
    uint8_t block[256], flags = NGHTTP2_FLAG_END_HEADERS;
    unsigned i = client.nopened;
    char path[16];
    size_t n = 0;

    if (i == STREAMS_MAX)
        return;
    client.nopened++;
    client.seen[i].number = -1;
    unsigned choice = script_choice(script, 8);
    bool tunnel = choice == 7;
    client.seen[i].is_tunnel = app_asked(i)->is_other = tunnel;
    snprintf(path, sizeof path, "/n%u", i);
    n += put_field(block + n, ":method", tunnel ? "CONNECT" : methods[choice % 4]);
    n += put_field(block + n, ":scheme", "http");
    n += put_field(block + n, ":authority", "a");
    n += put_field(block + n, ":path", path);
    if (tunnel)
        n += put_field(block + n, ":protocol", "websocket");
    if (script_choice(script, 4) == 0)
        n += put_field(block + n, "te", "trailers");
    if (script_choice(script, 8) == 0)
        n += put_field(block + n, "expect", "100-continue");
    if (script_choice(script, 16) == 0)
        n += put_field(block + n, "content-length", "5000");
    if (!tunnel && script_choice(script, 2) == 0) {
        flags |= NGHTTP2_FLAG_END_STREAM;
        client.seen[i].ended = app_asked(i)->ended = true;
    }
    send_frame(NGHTTP2_HEADERS, flags, id_of(i), block, n);
}

static void
send_data(unsigned i)
{
    static const unsigned sizes[] = {0, 1, 100, 5000, 16384};
    static char bytes[16384];
    struct seen *seen = &client.seen[i];
    unsigned n = sizes[script_choice(&world.script, COUNT(sizes))];

    if (seen->ended && script_choice(&world.script, 16) != 0)
        return;
    for (size_t k = 0; k < n; k++)
        bytes[k] = app_body_byte(i, seen->body_at + k);
    seen->ended = seen->ended || script_choice(&world.script, 4) == 0;
    send_frame(NGHTTP2_DATA, seen->ended ? NGHTTP2_FLAG_END_STREAM : 0, id_of(i), bytes,
               n);
    seen->body_at += n;
    app_asked(i)->sent += n;
    app_asked(i)->ended = seen->ended;
}

/* A frame of a WebSocket, in as many frames of HTTP/2 as it takes. */
static void
send_message(unsigned i)
{
    char *bytes = malloc(SOCKET_FRAME_BYTES);

    CHECK(bytes != NULL);
    size_t n = socket_put_frame(bytes);
    for (size_t at = 0; at < n; at += 16384)
        send_frame(NGHTTP2_DATA, 0, id_of(i), bytes + at,
                   n - at < 16384 ? n - at : 16384);
    free(bytes);
}

static void
send_trailers(unsigned i)
{
    uint8_t block[64];
    size_t n = put_field(block, "x-t", "1");

    if (client.seen[i].ended)
        return;
    client.seen[i].ended = app_asked(i)->ended = true;
    send_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
               id_of(i), block, n);
}

static void
send_settings(void)
{
    static const uint32_t windows[] = {0, 1, 1000, 65535, 1 << 20, 0x7fffffff};
    uint32_t window = windows[script_choice(&world.script, COUNT(windows))];
    const uint8_t bytes[6] = {0,
                              NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                              (uint8_t)(window >> 24),
                              (uint8_t)(window >> 16),
                              (uint8_t)(window >> 8),
                              (uint8_t)window};

    send_frame(NGHTTP2_SETTINGS, 0, 0, bytes, sizeof bytes);
}

static void
send_room(unsigned i)
{
    static const uint32_t sizes[] = {1, 100, 16384, 1 << 20};
    uint32_t n = sizes[script_choice(&world.script, COUNT(sizes))];
    uint32_t id = script_choice(&world.script, 2) == 0 ? 0 : id_of(i);

    send_number(NGHTTP2_WINDOW_UPDATE, id, n);
}

static void
send_garbage(void)
{
    uint8_t payload[16];
    unsigned n = script_choice(&world.script, sizeof payload);
    uint8_t type = (uint8_t)script_choice(&world.script, 20);
    uint8_t flags = script_byte(&world.script);
    uint32_t id = script_choice(&world.script, 8);

    for (unsigned i = 0; i < n; i++)
        payload[i] = script_byte(&world.script);
    app.is_clean = false;
    send_frame(type, flags, id, payload, n);
}

void
client2_begin(void)
{
    memset(&client, 0, sizeof client);
    world_send(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    send_settings();
}

void
client2_act(void)
{
    static const uint8_t opaque[8] = "fuzzing";
    unsigned choice = script_choice(&world.script, 20);

    if (client.nopened == 0 || choice < 4) {
        send_request();
        return;
    }
    unsigned i = script_choice(&world.script, 256) % client.nopened;
    if (choice < 9 && client.seen[i].is_tunnel && !client.seen[i].ended)
        send_message(i);
    else if (choice < 9)
        send_data(i);
    else if (choice < 12)
        send_room(i);
    else if (choice == 12)
        send_trailers(i);
    else if (choice < 15)
        send_settings();
    else if (choice == 15)
        send_number(NGHTTP2_RST_STREAM, id_of(i), NGHTTP2_CANCEL);
    else if (choice == 16)
        send_frame(NGHTTP2_PING, 0, 0, opaque, sizeof opaque);
    else if (choice == 17)
        send_frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    else if (choice == 18)
        send_garbage();
    else if (script_choice(&world.script, 4) == 0)
        send_frame(NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0", 8);
}

/* The check */

static struct seen *
seen_of(uint32_t id)
{
    return id % 2 == 1 && id / 2 < STREAMS_MAX ? &client.seen[id / 2] : NULL;
}

static void
check_headers(nghttp2_hd_inflater *inflater, struct seen *seen, const uint8_t *at,
              size_t n)
{
    nghttp2_nv field;
    int flags;

    while (n > 0) {
        flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, n, 1);
        CHECK(used >= 0);
        at += used;
        n -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && seen != NULL &&
            field.namelen == 3 && memcmp(field.name, "x-n", 3) == 0)
            seen->number = (long long)strtoul((const char *)field.value, NULL, 10);
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
}

static void
check_frame(nghttp2_hd_inflater *inflater, const uint8_t *head, size_t n)
{
    const uint8_t *payload = head + 9;
    uint32_t id = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 |
                  (uint32_t)head[7] << 8 | head[8];
    struct seen *seen = seen_of(id);

    if (head[3] == NGHTTP2_HEADERS) {
        CHECK((head[4] & NGHTTP2_FLAG_END_HEADERS) != 0);
        check_headers(inflater, seen, payload, n);
    } else if (head[3] == NGHTTP2_DATA) {
        CHECK(seen != NULL && !seen->complete);
        CHECK(seen->number < 0 || app_is_given((unsigned)seen->number, seen->total,
                                               (const char *)payload, n));
        seen->total += n;
    } else if (head[3] == NGHTTP2_RST_STREAM) {
        CHECK(seen != NULL);
        seen->reset = true;
    }
    if (seen != NULL && head[3] <= NGHTTP2_HEADERS &&
        (head[4] & NGHTTP2_FLAG_END_STREAM) != 0) {
        CHECK(!seen->complete);
        seen->complete = true;
    }
}

static void
check_stream(const struct seen *seen)
{
    if (seen->number < 0)
        return;
    CHECK((unsigned long long)seen->number < app.ncalls);
    const struct call *call = &app.calls[seen->number];
    CHECK(call->has_head && seen->total <= call->sent);
    if (!seen->complete || call->is_head || call->is_tunnel)
        return;
    CHECK(call->ended && !call->failed);
    CHECK(seen->total == call->sent);
}

void
client2_check(void)
{
    struct slice out = buf_bytes(&world.to_client);
    const uint8_t *at = (const uint8_t *)out.ptr;
    size_t left = out.len;
    nghttp2_hd_inflater *inflater;

    if (left >= 5 && memcmp(at, "HTTP/", 5) == 0)
        return; /* the preface did not arrive: a refusal in HTTP/1.1 */
    CHECK(nghttp2_hd_inflate_new(&inflater) == 0);
    while (left >= 9) {
        size_t n = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        CHECK(n <= 16384);
        if (left < 9 + n)
            break;
        check_frame(inflater, at, n);
        at += 9 + n;
        left -= 9 + n;
    }
    nghttp2_hd_inflate_del(inflater);
    for (unsigned i = 0; i < client.nopened; i++)
        check_stream(&client.seen[i]);
}
