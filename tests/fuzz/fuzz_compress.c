/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_compress.c — any bytes as what an application sends through the filter
 * that compresses, and when the wire accepts more. What arrives is what was sent.
 *
 * The first byte chooses the coding, the second whether the wire is full and when; then
 * each pair of bytes is a message: its length, and what happens after it. */
#include <stdint.h> /* uint8_t */
#include <string.h> /* memcmp */

#include "base/err.h"
#include "coding/compress.h"
#include "coding/decoder.h"
#include "http/session.h"
#include "check.h"

#define BODY_MAX (1u << 17)

static char body[BODY_MAX], wire[2 * BODY_MAX], back[BODY_MAX + 1];
static size_t nwire;
static uint8_t fullness;
static bool has_ended;

static int
on_head(struct stream *s, const struct http_response *res)
{
    (void)s;
    (void)res;
    return 0;
}

static int
on_body(struct stream *s, const struct chunk *chunk, bool last)
{
    CHECK(!has_ended && nwire + chunk->bytes.len <= sizeof wire);
    memcpy(wire + nwire, chunk->bytes.ptr, chunk->bytes.len);
    nwire += chunk->bytes.len;
    has_ended = last;
    fullness = (uint8_t)(fullness << 1 | fullness >> 7);
    if ((fullness & 1) == 0)
        return 0;
    s->waits_for_writable = true;
    return ERR_AGAIN;
}

static void
on_rest(struct stream *s)
{
    CHECK(s->waits_for_writable);
}

static const struct stream_ops protocol = {
    .send_head = on_head, .send_body = on_body, .rest = on_rest};

static void
on_writable(struct stream *s)
{
    (void)s;
}

static void
on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static const struct stream_handler handler = {.on_writable = on_writable,
                                              .on_close = on_close};

static void
drain(struct stream *s, unsigned most)
{
    for (unsigned i = 0; i < most && s->waits_for_writable; i++)
        stream_drained(s);
}

/* Sends the messages; returns the number of bytes. */
static size_t
send_all(struct stream *s, const uint8_t *data, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i + 1 < size; i += 2) {
        size_t n = (size_t)data[i] * data[i] * (data[i + 1] >> 6);
        n = n < BODY_MAX - at ? n : BODY_MAX - at;
        const struct chunk chunk = {.bytes = slice_new(body + at, n)};
        int err = stream_send_body(s, &chunk, false);
        CHECK(err == 0 || err == ERR_AGAIN);
        at += n;
        drain(s, data[i + 1] & 15);
    }
    const struct chunk end = {.bytes = slice_of("")};
    int err = stream_send_body(s, &end, true);
    CHECK(err == 0 || err == ERR_AGAIN);
    drain(s, 10000);
    return at;
}

static void
check_wire(enum coding coding, size_t sent)
{
    struct decoders decoders = {.nlent_max = 1};
    struct slice in = slice_new(wire, nwire);
    struct decoder *d;
    size_t n, total = 0;
    int err;

    CHECK(decoders_take(&decoders, coding, &d) == 0);
    do {
        err = d->ops->read(d, &in, back + total, sizeof back - total, &n);
        total += n;
    } while (err == ERR_AGAIN && in.len > 0);
    CHECK(err == 0 && in.len == 0);
    CHECK(total == sent && memcmp(back, body, sent) == 0);
    decoders_give(&decoders, d);
    decoders_fini(&decoders);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum coding codings[] = {CODING_GZIP, CODING_BROTLI, CODING_ZSTD};
    struct compress_config config = COMPRESS_CONFIG_DEFAULT;
    struct tally tally = {0};
    struct service service = {.tally = &tally};
    struct compressor compressor;
    struct filters filters = {0};
    uint32_t seed = 1;

    if (size < 2 || encoder_find(codings[data[0] % 3]) == NULL)
        return 0;
    for (size_t i = 0; i < BODY_MAX && body[BODY_MAX - 1] == 0; i++) {
        seed = seed * 1664525u + 1013904223u;
        body[i] = i % 4096 < 3000 ? "abcd"[seed >> 30] : (char)(seed >> 24 | 1);
    }
    config.types = slice_of("*");
    compressor_init(&compressor, &config, &service);
    CHECK(filters_add(&filters, &compressor.filter) == 0);
    struct stream s = {
        .ops = &protocol, .handler = &handler, .body_promised = HTTP_LENGTH_NONE};
    struct http_field accepts = {.id = FIELD_ACCEPT_ENCODING,
                                 .value = coding_name(codings[data[0] % 3])};
    const struct http_head head = {.fields = &accepts, .nfields = 1};
    struct http_field type = {.name = slice_of("content-type"),
                              .value = slice_of("a/b")};
    struct http_response res = {.status = 200, .fields = &type, .nfields = 1};
    nwire = 0;
    has_ended = false;
    fullness = data[1];
    CHECK(filters_attach(&filters, &s, &head) == 0 && stream_send_head(&s, &res) == 0);
    size_t sent = send_all(&s, data + 2, size - 2);
    CHECK(s.state == STREAM_ENDED && has_ended);
    check_wire(codings[data[0] % 3], sent);
    stream_close(&s, 0);
    CHECK(s.filters == NULL && compressor.encoders.nlent == 0);
    compressor_fini(&compressor);
    filters_fini(&filters);
    return 0;
}
