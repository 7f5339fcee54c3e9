/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/responder.c — see responder.h. */
#include "quic/responder.h"

#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* malloc */
#include <string.h> /* memcmp */

#include "base/err.h"
#include "session/world.h"

#define PATTERN_BYTES 65521u
#define PART_BYTES 10000u

struct call {
    struct stream *stream;
    uint64_t wanted, received, sent;
    bool is_pulling, has_body, is_ended;
};

static struct {
    uint8_t pattern[PATTERN_BYTES];
    unsigned ncalls;
    long nlent;
    uint64_t received;
    bool compares;
} all;

/* Bodies */

struct slice
responder_body(uint64_t n, uint64_t offset, uint64_t most)
{
    const size_t at = (size_t)((n * 31 + offset) % PATTERN_BYTES);
    const size_t len = PATTERN_BYTES - at;

    return slice_new((char *)all.pattern + at, most < len ? (size_t)most : len);
}

bool
responder_is_body(uint64_t n, uint64_t offset, struct slice bytes)
{
    while (bytes.len > 0) {
        struct slice part = responder_body(n, offset, bytes.len);
        if (memcmp(part.ptr, bytes.ptr, part.len) != 0)
            return false;
        offset += part.len;
        bytes = slice_skip(bytes, part.len);
    }
    return true;
}

void
responder_begin(bool compares)
{
    uint32_t seed = 1;

    all.compares = compares;
    all.ncalls = 0;
    all.nlent = 0;
    all.received = 0;
    for (size_t i = 0; i < PATTERN_BYTES; i++) {
        seed = seed * 1103515245 + 12345;
        all.pattern[i] = (uint8_t)(seed >> 16);
    }
}

uint64_t
responder_received(void)
{
    return all.received;
}

void
responder_end(void)
{
    CHECK(all.ncalls == 0 && all.nlent == 0);
}

/* Responses */

static void
retain(void *owner)
{
    (void)owner;
    all.nlent++;
}

static void
release(void *owner)
{
    (void)owner;
    all.nlent--;
}

static const struct lender lender = {retain, release, .bytes_min = 2048};

static void
send_more(struct call *call)
{
    for (bool last = false; !last;) {
        uint64_t left = call->wanted - call->sent;
        struct chunk chunk = {
            .bytes = responder_body(call->wanted, call->sent,
                                    left < PART_BYTES ? left : PART_BYTES),
            .lender = call->sent % 2 == 0 ? &lender : NULL,
        };
        world_step();
        call->sent += chunk.bytes.len;
        last = call->is_ended = call->sent == call->wanted;
        if (stream_send_body(call->stream, &chunk, last) != 0)
            return; /* or the call has ended */
    }
}

static void
respond(struct call *call)
{
    char length[24];
    struct http_field field = {.name = slice_of("content-length")};
    struct http_response res = {.status = 200, .fields = &field, .nfields = 1};

    snprintf(length, sizeof length, "%llu", (unsigned long long)call->wanted);
    field.value = slice_of(length);
    int err = stream_send_head(call->stream, &res);
    if (err == 0)
        send_more(call);
    else if (err != ERR_CLOSED)
        stream_fail(call->stream, err);
}

/* The body that has arrived already is handed up before stream_pull_body() returns. */
static void
pull(struct call *call)
{
    call->has_body = true;
    while (call->has_body && !call->stream->body_ended) {
        world_step();
        call->is_pulling = true;
        call->has_body = false;
        if (stream_pull_body(call->stream) != 0)
            return;
        call->is_pulling = false;
    }
    if (call->has_body)
        respond(call);
}

/* struct stream_handler */

static int
on_request(struct stream *s, const struct http_head *head)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return ERR_NOMEM;
    all.ncalls++;
    s->app = call;
    call->stream = s;
    for (size_t i = 1; i < head->path.len && i < 9; i++) {
        if (head->path.ptr[i] >= '0' && head->path.ptr[i] <= '9')
            call->wanted = call->wanted * 10 + (uint64_t)(head->path.ptr[i] - '0');
    }
    if (call->wanted > RESPONDER_BYTES)
        call->wanted = 0;
    pull(call);
    return 0;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    struct call *call = s->app;

    if (all.compares)
        CHECK(responder_is_body(call->wanted, call->received, bytes));
    call->received += bytes.len;
    all.received += bytes.len;
    call->has_body = true;
    if (call->is_pulling)
        return;
    if (last)
        respond(call);
    else
        pull(call);
}

static void
on_writable(struct stream *s)
{
    send_more(s->app);
}

static void
on_close(struct stream *s, int why)
{
    struct call *call = s->app;

    if (call == NULL)
        return;
    CHECK(why != 0 || (call->is_ended && call->sent == call->wanted));
    CHECK(all.ncalls > 0);
    all.ncalls--;
    free(call);
}

static void
on_peer_gone(struct peer *peer)
{
    (void)peer;
}

static void
on_endpoint_gone(struct endpoint *endpoint)
{
    (void)endpoint;
}

const struct stream_handler responder = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_peer_gone = on_peer_gone,
    .on_endpoint_gone = on_endpoint_gone,
};
