/* SPDX-License-Identifier: MIT */
/* tests/c/test_decompress.c — the filter that decodes bodies of requests: any
 * segmentation, a handler that pulls at any time, bounds, and exchanges that end. */
#include "coding/decompress.c"

#include "coding/encoder.h"
#include "random.h"
#include "tap.h"

#define BODY_MAX 300000u

static char text[BODY_MAX], packed[2 * BODY_MAX], got[2 * BODY_MAX];
static size_t npacked, npulled, ngot;
static int refused, pull_says;
static bool got_last, pulls_again, closes;
static unsigned nrests, nfields;
static size_t part; /* of what the protocol passes up */
static bool feeds;  /* it does so inside a pull */

/* A protocol that has packed[0, npacked). */

static void
feed(struct stream *s)
{
    size_t left = npacked - npulled, n = part < left ? part : left;
    struct slice bytes = slice_new(packed + npulled, n);

    npulled += n;
    stream_hand_up(s, bytes, npulled == npacked);
}

static int
on_wire_pull(struct stream *s)
{
    if (s->body_ended)
        return 0;
    if (pull_says != 0)
        return pull_says;
    if (feeds)
        feed(s);
    return 0;
}

static void
on_wire_rest(struct stream *s)
{
    (void)s;
    nrests++;
}

static void
on_wire_refuse(struct stream *s, int why)
{
    refused = why;
    stream_close(s, why);
}

static const struct stream_ops wire_ops = {
    .pull_body = on_wire_pull,
    .rest = on_wire_rest,
    .refuse = on_wire_refuse,
};

/* A handler that pulls. */

static int
on_app_request(struct stream *s, const struct http_head *head)
{
    (void)s;
    nfields = head->nfields;
    ok(head->content_length == HTTP_LENGTH_NONE, "the length is not known");
    return 0;
}

static void
on_app_body(struct stream *s, struct slice bytes, bool last)
{
    ok(!s->pulling && s->body_ended == last, "the pull is over");
    memcpy(got + ngot, bytes.ptr, bytes.len);
    ngot += bytes.len;
    got_last = last;
    if (closes)
        stream_close(s, ERR_RESET);
    else if (pulls_again && !last)
        (void)!stream_pull_body(s);
}

static void
on_app_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static void
on_app_writable(struct stream *s)
{
    (void)s;
}

static const struct stream_handler app = {
    .on_request = on_app_request,
    .on_body = on_app_body,
    .on_writable = on_app_writable,
    .on_close = on_app_close,
};

static struct tally tally;
static struct service service = {.tally = &tally};
static struct decompressor decompressor;
static struct filters filters;

static void
begin_server(const struct decompress_config *config)
{
    decompressor_init(&decompressor, config, &service);
    filters = (struct filters){0};
    is(filters_add(&filters, &decompressor.filter), 0, "the filter is registered");
}

static void
end_server(void)
{
    is(decompressor.decoders.nlent, 0, "all decoders are given back");
    is(decompressor.buffers.ntaken, 0, "and all buffers");
    decompressor_fini(&decompressor);
    decompressor_fini(&decompressor);
    filters_fini(&filters);
}

static int
begin_with(struct stream *s, const char *coding)
{
    struct http_field fields[] = {
        {.id = FIELD_HOST, .value = slice_of("a")},
        {.id = FIELD_CONTENT_ENCODING, .value = slice_of(coding)},
        {.id = FIELD_CONTENT_LENGTH, .value = slice_of("5")},
    };
    const struct http_head head = {.fields = fields, .nfields = 3, .content_length = 5};

    *s = (struct stream){
        .ops = &wire_ops, .handler = &app, .body_promised = HTTP_LENGTH_NONE};
    npulled = ngot = 0;
    refused = 0;
    nrests = 0;
    got_last = closes = false;
    pulls_again = feeds = true;
    part = npacked;
    int err = filters_attach(&filters, s, &head);
    if (err == 0)
        err = s->handler->on_request(s, &head);
    return err;
}

static void
begin(struct stream *s)
{
    is(begin_with(s, "gzip"), 0, "a request");
    is(nfields, 1, "without the fields of its coding");
}

static void
end(struct stream *s)
{
    if (s->state != STREAM_CLOSED)
        stream_close(s, ERR_RESET);
    ok(s->filters == NULL, "the filter is freed");
}

/* Encodes text[0, n) after what is packed. */
static void
pack(size_t n)
{
    struct encoders encoders = {.nlent_max = 1, .levels[CODING_GZIP] = 1};
    struct encoder *e = encoders_take(&encoders, CODING_GZIP, n);
    struct slice in = slice_new(text, n);
    size_t written;

    ok(e != NULL && e->ops->write(e, &in, ENCODER_END, packed + npacked,
                                  sizeof packed - npacked, &written) == 0,
       "a body of %zu bytes", n);
    npacked += written;
    encoders_give(&encoders, e);
    encoders_fini(&encoders);
}

static void
is_whole(size_t n)
{
    ok(ngot == n && memcmp(got, text, n) == 0, "the body of %zu bytes", n);
    ok(got_last && refused == 0, "to its end");
}

static const struct decompress_config defaults = DECOMPRESS_CONFIG_DEFAULT;

static void
test_any_segmentation(void)
{
    static const size_t parts[] = {1, 10, 5000, 2 * BODY_MAX};
    struct stream s;

    begin_server(&defaults);
    for (size_t n = 0; n <= BODY_MAX; n = n * 60 + 7) {
        npacked = 0;
        pack(n);
        for (unsigned i = 0; i < 8; i++) {
            begin(&s);
            part = parts[i / 2];
            feeds = i % 2 == 0;
            is(stream_pull_body(&s), 0, "a pull");
            while (!feeds && npulled < npacked)
                feed(&s);
            is_whole(n);
            end(&s);
        }
    }
    end_server();
}

static void
test_only_what_is_pulled_is_decoded(void)
{
    struct stream s;

    begin_server(&defaults);
    npacked = 0;
    pack(BODY_MAX);
    begin(&s);
    pulls_again = false;
    for (unsigned i = 1; !got_last; i++) {
        is(stream_pull_body(&s), 0, "pull %u", i);
        ok(ngot <= i * DECOMPRESS_OUT_BYTES, "brings a slice");
    }
    is_whole(BODY_MAX);
    is(stream_pull_body(&s), 0, "another waits for the end of the exchange");
    is(tally_get(&tally, TALLY_DECODED_OUT) % BODY_MAX != 0, 1, "it is counted");
    end(&s);
    end_server();
}

static void
test_a_budget_that_is_spent(void)
{
    struct budget budget = {.points = 1};
    struct stream s;

    begin_server(&defaults);
    npacked = 0;
    pack(BODY_MAX);
    begin(&s);
    s.budget = &budget;
    is(stream_pull_body(&s), 0, "a pull");
    is(ngot, DECOMPRESS_OUT_BYTES, "brings one slice");
    for (unsigned i = 1; !got_last && i < 100; i++) {
        is(nrests, i, "the next one waits");
        ok(s.pulling && s.waits_for_writable, "as the handler does");
        stream_drained(&s);
    }
    is_whole(BODY_MAX);
    end(&s);
    end_server();
}

static void
test_members(void)
{
    struct stream s;

    begin_server(&defaults);
    for (part = 1; part < 100; part += 33) {
        size_t each = part;
        npacked = 0;
        pack(0);
        pack(1000);
        pack(0);
        begin(&s);
        part = each;
        is(stream_pull_body(&s), 0, "a pull");
        is_whole(1000);
        end(&s);
    }
    npacked = 0;
    begin(&s);
    is(stream_pull_body(&s), 0, "a pull");
    is_whole(0);
    end(&s);
    end_server();
}

static void
test_what_is_rejected(void)
{
    struct decompress_config config = defaults;
    struct stream s;

    config.bytes = 1000;
    begin_server(&config);
    for (size_t n = 1000; n < 1002; n++) {
        npacked = 0;
        pack(n);
        begin(&s);
        (void)!stream_pull_body(&s);
        is(refused, n > 1000 ? ERR_BODY_DECODED : 0, "%zu bytes", n);
        end(&s);
    }
    npacked = 0;
    pack(10);
    npacked--;
    begin(&s);
    is(stream_pull_body(&s), ERR_CLOSED, "a truncated body");
    is(refused, ERR_BODY_CODING, "is not valid");
    end(&s);
    memset(packed, 'x', npacked);
    begin(&s);
    is(stream_pull_body(&s), ERR_CLOSED, "what is none at all");
    is(refused, ERR_BODY_CODING, "is not valid");
    end(&s);
    end_server();
}

static void
test_the_ratio(void)
{
    struct decompress_config config = defaults;
    struct decompressing d = {.shared = &decompressor};

    config.ratio = 10;
    begin_server(&config);
    d.nin = 1;
    d.nout = DECOMPRESS_FREE_BYTES;
    ok(!is_too_large(&d), "the first bytes are free");
    d.nout++;
    ok(is_too_large(&d), "then the ratio counts");
    d.nin = d.nout / 10;
    ok(!is_too_large(&d), "within it");
    service.limits.body_bytes = 100;
    ok(is_too_large(&d), "the limit of bodies counts as well");
    service.limits.body_bytes = 0;
    end_server();
}

static void
test_no_more_than_allowed(void)
{
    struct decompress_config config = defaults;
    struct stream one, two;

    config.bodies = 1;
    begin_server(&config);
    npacked = 0;
    pack(10);
    begin(&one);
    pulls_again = false;
    is(stream_pull_body(&one), 0, "a pull");
    begin(&two);
    is(stream_pull_body(&two), ERR_CLOSED, "another");
    is(refused, ERR_DECODERS, "is rejected");
    end(&two);
    end(&one);
    end_server();
}

static void
test_the_exchange_ends(void)
{
    struct stream s;

    begin_server(&defaults);
    npacked = 0;
    pack(BODY_MAX);
    begin(&s);
    closes = true;
    is(stream_pull_body(&s), ERR_CLOSED, "inside the handler");
    end(&s);
    begin(&s);
    feeds = false;
    is(stream_pull_body(&s), 0, "while a pull waits");
    end(&s);
    begin(&s);
    end(&s);
    begin(&s);
    pull_says = ERR_CLOSED;
    is(stream_pull_body(&s), 0, "the protocol has nothing more");
    is(refused, 0, "it ends the exchange itself");
    is(s.ops->pull_body(&s), ERR_CLOSED, "nothing follows");
    pull_says = 0;
    end(&s);
    end_server();
}

static void
test_no_memory(void)
{
    struct stream s;
    bool failed = true;

    npacked = 0;
    pack(BODY_MAX);
    for (unsigned long n = 1; n < 50 && failed; n++) {
        begin_server(&defaults);
        mem_fail_at(n);
        int err = begin_with(&s, "gzip");
        if (err == 0)
            (void)!stream_pull_body(&s);
        failed = mem_count() >= n;
        mem_fail_at(0);
        ok(failed || got_last, "allocation %lu", n);
        is(err != 0 ? err : refused, failed ? ERR_NOMEM : 0, "is rejected");
        end(&s);
        end_server();
    }
    ok(!failed, "the allocations end");
}

static void
test_what_is_left_alone(void)
{
    static const struct {
        const char *name;
        enum coding coding;
    } rows[] = {{"gzip", CODING_GZIP},      {"identity", CODING_IDENTITY},
                {"", CODING_IDENTITY},      {"gzip, identity", CODING_GZIP},
                {"gzip, gzip", CODING_END}, {"deflate", CODING_END},
                {"X-Gzip", CODING_GZIP}};
    struct stream s = {.handler = &app, .can_tunnel = true};

    begin_server(&defaults);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_field field = {.id = FIELD_CONTENT_ENCODING,
                                   .value = slice_of(rows[i].name)};
        const struct http_head head = {.fields = &field, .nfields = 1};
        is(coding_of(&head), rows[i].coding, "\"%s\"", rows[i].name);
        s.handler = &app;
        is(decompressor.refuser.offer(&decompressor.refuser, &s, &head),
           rows[i].coding == CODING_END ? HANDLER_TAKEN : HANDLER_DECLINED, "an offer");
        s.body_ended = true;
        is(decompressor.refuser.offer(&decompressor.refuser, &s, &head),
           HANDLER_DECLINED, "no body has no coding");
        is(filters_attach(&filters, &s, &head), 0, "no body");
        ok(s.filters == NULL, "has no filter");
        s.body_ended = false;
    }
    end_server();
}

int
main(void)
{
    uint64_t seed = 3;

    for (size_t i = 0; i < BODY_MAX; i++)
        text[i] = i % 5000 < 4500 ? "abcdefgh "[random_below(&seed, 9)]
                                  : (char)random_next(&seed);
    test_any_segmentation();
    test_only_what_is_pulled_is_decoded();
    test_a_budget_that_is_spent();
    test_members();
    test_what_is_rejected();
    test_the_ratio();
    test_no_more_than_allowed();
    test_the_exchange_ends();
    test_no_memory();
    test_what_is_left_alone();
    decompressor_fini(&(struct decompressor){0});
    return tap_done();
}
