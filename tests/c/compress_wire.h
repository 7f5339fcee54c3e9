/* SPDX-License-Identifier: MIT */
/* tests/c/compress_wire.h — a server that compresses, over a protocol that keeps what is
 * sent. Header only: a test is one program. */
#ifndef TESTS_COMPRESS_WIRE_H
#define TESTS_COMPRESS_WIRE_H

#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* mkstemp */
#include <unistd.h> /* unlink */

#define ZLIB_CONST
#include <zlib.h>

#include "aborts.h"
#include "random.h"
#include "tap.h"

#define BODY_MAX (1u << 20)

/* A protocol that keeps what is sent. */

static char wire[2 * BODY_MAX], body_text[BODY_MAX], head_text[1024];
static size_t nwire;
static unsigned nparts, nrests, nwritable;
static int says; /* returned by the protocol for a body */
static bool fills, dies, calls_back, sends_more, has_ended, has_trailers, has_failed;

static int
on_wire_head(struct stream *s, const struct http_response *res)
{
    size_t at = 0;

    (void)s;
    head_text[0] = '\0';
    for (uint32_t i = 0; i < res->nfields; i++) {
        const struct http_field *f = &res->fields[i];
        at += (size_t)snprintf(head_text + at, sizeof head_text - at, "%.*s: %.*s;",
                               (int)f->name.len, f->name.ptr, (int)f->value.len,
                               f->value.ptr);
    }
    return says == ERR_NOMEM ? says : 0;
}

static int
on_wire_body(struct stream *s, const struct chunk *body, bool last)
{
    if (dies) {
        stream_close(s, ERR_RESET);
        return ERR_CLOSED;
    }
    if (says == ERR_NOMEM)
        return says;
    if (calls_back) {
        calls_back = false;
        s->handler->on_writable(s);
    }
    if (sends_more) {
        const struct chunk more = {.bytes = slice_new(body_text + 300000, 5)};
        sends_more = false;
        is(stream_send_body(s, &more, false), ERR_AGAIN, "more is kept");
    }
    memcpy(wire + nwire, body->bytes.ptr, body->bytes.len);
    nwire += body->bytes.len;
    nparts++;
    has_ended = last;
    if (!fills)
        return 0;
    s->waits_for_writable = true;
    return ERR_AGAIN;
}

static int
on_wire_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    (void)s;
    (void)fields;
    has_trailers = n > 0;
    has_ended = true;
    return 0;
}

static void
on_wire_rest(struct stream *s)
{
    ok(s->waits_for_writable, "a paused stream waits");
    nrests++;
}

static void
on_wire_fail(struct stream *s, int why)
{
    (void)why;
    has_failed = true;
    stream_end(s);
}

static const struct stream_ops wire_ops = {
    .send_head = on_wire_head,
    .send_body = on_wire_body,
    .send_trailers = on_wire_trailers,
    .rest = on_wire_rest,
    .fail = on_wire_fail,
};

static void
on_app_writable(struct stream *s)
{
    (void)s;
    nwritable++;
}

static void
on_app_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static const struct stream_handler app = {
    .on_writable = on_app_writable,
    .on_close = on_app_close,
};

/* A server */

static struct tally tally;
static struct service service = {.tally = &tally};
static struct compressor compressor;
static struct filters filters;

static void
begin_server(uint32_t bodies)
{
    struct compress_config config = COMPRESS_CONFIG_DEFAULT;

    config.types = slice_of("text/plain");
    config.except = slice_of("/secret");
    config.bodies = bodies;
    memset(&tally, 0, sizeof tally);
    compressor_init(&compressor, &config, &service);
    filters = (struct filters){0};
    is(filters_add(&filters, &compressor.filter), 0, "the filter is registered");
}

static void
end_server(void)
{
    is(compressor.encoders.nlent, 0, "all encoders are returned");
    is(compressor.buffers.ntaken, 0, "and all buffers");
    compressor_fini(&compressor);
    compressor_fini(&compressor);
    filters_fini(&filters);
}

static int
begin_with(struct stream *s, const char *accepts, const char *path)
{
    struct http_field fields[] = {
        {.id = FIELD_ACCEPT_ENCODING, .value = slice_of(accepts)},
        {.id = FIELD_IF_NONE_MATCH, .value = slice_of("\"b\", W/\"a\"")},
    };
    const struct http_head head = {
        .path = slice_of(path), .fields = fields, .nfields = 2};

    *s = (struct stream){
        .ops = &wire_ops, .handler = &app, .body_promised = HTTP_LENGTH_NONE};
    nwire = nparts = nrests = nwritable = 0;
    says = 0;
    fills = dies = calls_back = sends_more = has_ended = has_trailers = has_failed =
        false;
    return filters_attach(&filters, s, &head);
}

static void
begin(struct stream *s)
{
    is(begin_with(s, "gzip", "/"), 0, "a request");
}

static int
send_head(struct stream *s, int status, bool trailers)
{
    struct http_field fields[] = {
        {.name = slice_of("content-type"), .value = slice_of("text/plain")},
        {.name = slice_of("etag"), .value = slice_of("\"a\"")},
    };
    struct http_response res = {
        .status = status, .fields = fields, .nfields = 2, .has_trailers = trailers};

    return stream_send_head(s, &res);
}

static int
send_bytes(struct stream *s, struct slice bytes, bool last)
{
    struct chunk chunk = {.bytes = bytes};

    return stream_send_body(s, &chunk, last);
}

/* Returns the number of bytes of the body that arrive, at most the first `n` sent. */
static size_t
decoded(bool *ended)
{
    static char out[BODY_MAX + 1];
    z_stream z = {.next_in = (const Bytef *)wire,
                  .avail_in = (uInt)nwire,
                  .next_out = (Bytef *)out,
                  .avail_out = sizeof out};

    ok(inflateInit2(&z, 15 + 16) == Z_OK, "a decoder");
    *ended = inflate(&z, Z_SYNC_FLUSH) == Z_STREAM_END;
    size_t n = sizeof out - z.avail_out;
    (void)inflateEnd(&z);
    return memcmp(out, body_text, n) == 0 ? n : SIZE_MAX;
}

static void
is_whole(size_t n)
{
    bool ended;

    is(decoded(&ended), n, "the body arrives");
    ok(ended && has_ended, "to its end");
}

static void
end(struct stream *s)
{
    stream_close(s, s->state == STREAM_ENDED ? 0 : ERR_RESET);
    ok(s->filters == NULL, "the filter is freed");
}

/* The protocol accepts more, until no sender waits. */
static unsigned
drain(struct stream *s)
{
    unsigned n = 0;

    for (; s->waits_for_writable && s->state != STREAM_CLOSED && n < 1000; n++)
        stream_drained(s);
    return n;
}

#endif
