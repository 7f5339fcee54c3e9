/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_decompress.c — any bytes as the compressed body of a request. The
 * result and the decoded bytes are the same for the body whole and in parts of any size,
 * with a budget that is spent or not, and stay within the bounds.
 *
 * The first byte chooses the coding, the second the size of parts. */
#include <stdint.h> /* uint8_t */
#include <string.h> /* memcmp */

#include "base/budget.h"
#include "base/err.h"
#include "coding/decompress.h"
#include "http/session.h"
#include "check.h"

#define GOT_MAX (1u << 18)

/* One exchange: what its protocol has, and what its handler gets. */
struct trial {
    struct stream stream;
    struct slice left;
    size_t part;
    int refused;
    bool ended;
    size_t ngot;
    char got[GOT_MAX];
};

static struct trial *
trial_of(struct stream *s)
{
    return (struct trial *)((char *)s - offsetof(struct trial, stream));
}

static int
on_pull(struct stream *s)
{
    struct trial *t = trial_of(s);
    size_t n = t->part < t->left.len ? t->part : t->left.len;
    struct slice bytes = slice_first(t->left, n);

    t->left = slice_skip(t->left, n);
    stream_hand_up(s, bytes, t->left.len == 0);
    return 0;
}

static void
on_rest(struct stream *s)
{
    CHECK(s->waits_for_writable);
}

static void
on_refuse(struct stream *s, int why)
{
    trial_of(s)->refused = why;
    stream_close(s, why);
}

static const struct stream_ops protocol = {
    .pull_body = on_pull, .rest = on_rest, .refuse = on_refuse};

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    struct trial *t = trial_of(s);

    CHECK(bytes.len > 0 || last);
    CHECK(t->ngot + bytes.len <= sizeof t->got);
    memcpy(t->got + t->ngot, bytes.ptr, bytes.len);
    t->ngot += bytes.len;
    t->ended = last;
}

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

static const struct stream_handler handler = {
    .on_body = on_body, .on_writable = on_writable, .on_close = on_close};

static void
run(struct trial *t, struct filters *filters, enum coding coding, struct slice body,
    size_t part, struct budget *budget)
{
    struct http_field field = {.id = FIELD_CONTENT_ENCODING,
                               .value = coding_name(coding)};
    const struct http_head head = {.fields = &field, .nfields = 1};

    memset(t, 0, offsetof(struct trial, got));
    t->stream =
        (struct stream){.ops = &protocol, .handler = &handler, .budget = budget};
    t->left = body;
    t->part = part;
    CHECK(filters_attach(filters, &t->stream, &head) == 0);
    while (!t->ended && t->refused == 0) {
        if (t->stream.waits_for_writable)
            stream_drained(&t->stream);
        else
            (void)!stream_pull_body(&t->stream);
    }
    if (t->stream.state != STREAM_CLOSED)
        stream_close(&t->stream, ERR_RESET);
    CHECK(t->stream.filters == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trial whole, parts;
    static const enum coding codings[] = {CODING_GZIP, CODING_BROTLI, CODING_ZSTD};
    struct decompress_config config = DECOMPRESS_CONFIG_DEFAULT;
    struct tally tally = {0};
    struct service service = {.tally = &tally};
    struct decompressor decompressor;
    struct filters filters = {0};
    struct budget budget = {0};

    if (size < 2 || decoder_find(codings[data[0] % 3]) == NULL)
        return 0;
    config.bytes = 100000;
    decompressor_init(&decompressor, &config, &service);
    CHECK(filters_add(&filters, &decompressor.filter) == 0);
    struct slice body = slice_new((const char *)data + 2, size - 2);
    run(&whole, &filters, codings[data[0] % 3], body, body.len + 1, NULL);
    run(&parts, &filters, codings[data[0] % 3], body, 1 + data[1], &budget);
    CHECK(whole.ended == parts.ended && whole.refused == parts.refused);
    if (whole.ended)
        CHECK(whole.ngot == parts.ngot && whole.ngot <= config.bytes &&
              memcmp(whole.got, parts.got, whole.ngot) == 0);
    CHECK(decompressor.decoders.nlent == 0 && decompressor.buffers.ntaken == 0);
    decompressor_fini(&decompressor);
    filters_fini(&filters);
    return 0;
}
