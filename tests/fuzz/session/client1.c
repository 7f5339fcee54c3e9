/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/client1.c — the client of HTTP/1.1; see client.h. */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* strtoull */
#include <string.h> /* memmem */

#include "session/app.h"
#include "session/client.h"
#include "session/socket.h"
#include "session/world.h"

static struct {
    unsigned nasked;
    uint64_t body_left; /* bytes of the last request's body to come */
    uint64_t body_at;   /* ... that were sent */
    bool is_chunked;    /* ... in chunks, of which the last is still to come */
    bool upgrades;      /* it asks for a WebSocket: frames follow */
} client;

static void
send_text(const char *text)
{
    world_send(text, strlen(text));
}

static void
send_body(size_t n)
{
    char *bytes = malloc(n + 1);

    CHECK(bytes != NULL);
    for (size_t i = 0; i < n; i++)
        bytes[i] = app_body_byte(client.nasked, client.body_at + i);
    world_send(bytes, n);
    client.body_at += n;
    app_asked(client.nasked)->sent += n;
    free(bytes);
}

/* Sends a request; of a body only the framing, and the body follows in parts. */
static void
send_request(void)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "PUT"};
    static const char *const fields[] = {
        "",
        "Connection: close\r\n",
        "Expect: 100-continue\r\n",
        "TE: trailers\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "X-Long: 0123456789012345678901234567890123456789012345678901234567890123\r\n",
        "Connection: keep-alive\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
        "AAMAAABkAAQAAP__\r\n",
    };
    static const unsigned lengths[] = {0, 1, 100, 5000, 70000, 300000};
    struct script *script = &world.script;
    const char *method = methods[script_choice(script, COUNT(methods))];
    char head[400], framing[64] = "";

    unsigned field = script_choice(script, COUNT(fields));
    client.upgrades = field == 4 && method[0] != 'P';
    client.nasked++;
    client.body_at = client.body_left = 0;
    client.is_chunked = false;
    if (method[0] == 'P' && script_choice(script, 2) == 0) {
        client.is_chunked = true;
        snprintf(framing, sizeof framing, "Transfer-Encoding: chunked\r\n");
    } else if (method[0] == 'P') {
        client.body_left = lengths[script_choice(script, COUNT(lengths))];
        snprintf(framing, sizeof framing, "Content-Length: %u\r\n",
                 (unsigned)client.body_left);
    }
    snprintf(head, sizeof head, "%s /n%u HTTP/1.%d\r\nHost: a\r\n%s%s\r\n", method,
             client.nasked, script_choice(script, 8) != 0, fields[field], framing);
    send_text(head);
    app_asked(client.nasked)->ended = !client.is_chunked && client.body_left == 0;
}

/* Sends some of the remaining body. */
static void
send_some(void)
{
    static const unsigned sizes[] = {1, 7, 100, 3000, 20000, 100000};
    unsigned n = sizes[script_choice(&world.script, COUNT(sizes))];
    char line[64];

    if (client.is_chunked) {
        bool extends = script_choice(&world.script, 4) == 0;
        snprintf(line, sizeof line, "%x%s\r\n", n, extends ? ";a=b" : "");
        send_text(line);
        send_body(n);
        send_text("\r\n");
    } else {
        n = n < client.body_left ? n : (unsigned)client.body_left;
        client.body_left -= n;
        send_body(n);
        app_asked(client.nasked)->ended = client.body_left == 0;
    }
}

static void
send_frame(void)
{
    char *bytes = malloc(SOCKET_FRAME_BYTES);

    CHECK(bytes != NULL);
    world_send(bytes, socket_put_frame(bytes));
    free(bytes);
}

static void
send_garbage(void)
{
    char bytes[16];
    unsigned n = 1 + script_choice(&world.script, sizeof bytes);

    for (unsigned i = 0; i < n; i++)
        bytes[i] = (char)script_byte(&world.script);
    app.is_clean = false;
    world_send(bytes, n);
}

static void
end_chunks(void)
{
    bool trails = script_choice(&world.script, 4) == 0;

    client.is_chunked = false;
    app_asked(client.nasked)->ended = true;
    send_text(trails ? "0\r\nX-T: 1\r\n\r\n" : "0\r\n\r\n");
}

void
client1_begin(void)
{
    memset(&client, 0, sizeof client);
}

void
client1_act(void)
{
    unsigned choice = script_choice(&world.script, 16);

    if (choice == 15 && script_choice(&world.script, 4) == 0)
        send_garbage();
    else if (client.upgrades && choice > 0)
        send_frame();
    else if (client.is_chunked && choice < 4)
        end_chunks();
    else if (client.is_chunked || client.body_left > 0)
        send_some();
    else
        send_request();
}

/* The check */

/* The value of a field of [head, end) as a number, or -1. */
static long long
field_of(const char *head, const char *end, const char *name)
{
    const char *at = memmem(head, (size_t)(end - head), name, strlen(name));

    return at == NULL ? -1 : (long long)strtoull(at + strlen(name), NULL, 10);
}

struct reader {
    const char *at, *end;
};

/* Takes the data of chunks; returns whether the last one is there. */
static bool
take_chunks(struct reader *r, long long number, uint64_t *total)
{
    for (;;) {
        const char *line_end = memmem(r->at, (size_t)(r->end - r->at), "\r\n", 2);
        if (line_end == NULL)
            return false;
        char *digits_end;
        size_t n = strtoull(r->at, &digits_end, 16);
        CHECK(digits_end == line_end);
        r->at = line_end + 2;
        if (n == 0)
            break;
        size_t there = (size_t)(r->end - r->at);
        bool is_whole = there >= n + 2;
        size_t got = there < n ? there : n;
        CHECK(number < 0 || app_is_given((unsigned)number, *total, r->at, got));
        *total += got;
        if (!is_whole)
            return false;
        CHECK(memcmp(r->at + n, "\r\n", 2) == 0);
        r->at += n + 2;
    }
    const char *end = r->end - r->at >= 2 && memcmp(r->at, "\r\n", 2) == 0
                          ? r->at
                          : memmem(r->at, (size_t)(r->end - r->at), "\r\n\r\n", 4);
    if (end == NULL)
        return false;
    r->at = end == r->at ? end + 2 : end + 4;
    return true;
}

/* Takes up to `n` bytes; returns whether all are there. */
static bool
take_bytes(struct reader *r, long long number, uint64_t n, uint64_t *total)
{
    uint64_t there = (uint64_t)(r->end - r->at);

    *total = there < n ? there : n;
    CHECK(number < 0 || app_is_given((unsigned)number, 0, r->at, (size_t)*total));
    r->at += *total;
    return *total == n;
}

/* What was received of one response: `complete` by its framing, which is a length if
 * `has_length`: an application may give all of it and then fail. */
static void
check_response(long long number, bool has_length, bool complete, uint64_t total)
{
    if (number < 0)
        return;
    CHECK((unsigned long long)number < app.ncalls);
    const struct call *call = &app.calls[number];
    CHECK(call->has_head && total <= call->sent);
    if (complete && !call->is_head) {
        CHECK(total == call->sent);
        CHECK(has_length || (call->ended && !call->failed));
    }
}

/* Reads one response, if it is one; returns whether another may follow. */
static bool
check_one(struct reader *r)
{
    size_t there = (size_t)(r->end - r->at);
    const char *end = memmem(r->at, there, "\r\n\r\n", 4);
    const char *head = r->at;
    uint64_t total = 0;

    CHECK(memcmp(r->at, "HTTP/1.1 ", there < 9 ? there : 9) == 0);
    if (end == NULL)
        return false;
    end += 4;
    unsigned long status = strtoul(r->at + 9, NULL, 10);
    r->at = end;
    if (status == 101)
        return false; /* another protocol follows */
    if (status < 200)
        return true;
    long long number = field_of(head, end, "\r\nX-N: ");
    long long length = field_of(head, end, "\r\ncontent-length: ");
    static const char coding[] = "\r\ntransfer-encoding: chunked\r\n";
    bool chunked =
        memmem(head, (size_t)(end - head), coding, sizeof coding - 1) != NULL;
    bool has_body = number < 0
                        ? r->end - r->at < 9 || memcmp(r->at, "HTTP/1.1 ", 9) != 0
                        : !app.calls[number].is_head;
    bool complete = true;
    if (has_body && chunked)
        complete = take_chunks(r, number, &total);
    else if (has_body && length >= 0)
        complete = take_bytes(r, number, (uint64_t)length, &total);
    else if (has_body)
        complete = !take_bytes(r, number, UINT64_MAX, &total) && world_has_ended();
    check_response(number, length >= 0, complete, total);
    return complete;
}

void
client1_check(void)
{
    struct slice out = buf_bytes(&world.to_client);
    struct reader r = {out.ptr, out.ptr + out.len};

    while (r.at < r.end && check_one(&r))
        ;
}
