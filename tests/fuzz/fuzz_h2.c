/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_h2.c — any bytes as the frames that an HTTP/2 client sends after
 * its preface. However they are split, the application gets the same requests, bodies
 * and ends, and the client the same final state, unless a stream was refused. */
#include <stdint.h> /* uint8_t */

#include "../c/h2_talk.h"
#include "check.h"

#define STREAMS_MAX 64u

/* What the application has received of one exchange. */
struct seen {
    struct stream *stream; /* NULL: it has ended */
    uint64_t head;         /* a checksum of the request */
    uint64_t body;         /* a checksum of its body */
    uint32_t bytes;
    bool ended;
    int why;
};

struct app {
    struct seen seen[STREAMS_MAX];
    unsigned nseen;
    uint32_t code; /* of the last GOAWAY */
    int ends;      /* how the connection has ended */
    bool answers;  /* a stream was refused, by a response or a reset */
};

static uint64_t
sum(uint64_t so_far, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        so_far = so_far * 31 + (uint8_t)bytes.ptr[i] + 1;
    return so_far;
}

static struct seen *
seen_of(const struct stream *s)
{
    struct app *app = s->handler_arg;

    for (unsigned i = 0; i < app->nseen; i++) {
        if (app->seen[i].stream == s)
            return &app->seen[i];
    }
    return NULL;
}

static int
on_request(struct stream *s, const struct http_head *head)
{
    struct app *app = s->handler_arg;
    struct seen *seen = &app->seen[app->nseen];

    if (app->nseen == STREAMS_MAX)
        return 0;
    app->nseen++;
    seen->stream = s;
    seen->head = sum(sum(1, head->method), head->path);
    for (uint32_t i = 0; i < head->nfields; i++)
        seen->head = sum(sum(seen->head, head->fields[i].name), head->fields[i].value);
    (void)!stream_pull_body(s);
    return 0;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    struct seen *seen = seen_of(s);

    if (seen != NULL) {
        CHECK(!seen->ended && (bytes.len > 0 || last));
        seen->body = sum(seen->body, bytes);
        seen->bytes += (uint32_t)bytes.len;
        seen->ended = last;
    }
    if (!last)
        (void)!stream_pull_body(s);
}

static void
ignore(struct stream *s)
{
    (void)s;
}

static void
on_close(struct stream *s, int why)
{
    struct seen *seen = seen_of(s);

    if (seen == NULL)
        return;
    seen->stream = NULL;
    seen->why = why;
}

static const struct stream_handler handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = ignore,
    .on_deadline = ignore,
    .on_shutdown = ignore,
    .on_close = on_close,
};

/* Small, so that a short input can exceed them. */
static void
limit(struct http_limits *limits)
{
    limits->head_bytes = 400;
    limits->fields = 8;
    limits->body_bytes = 200;
}

/* Returns whether a stream was reset or answered, whatever its number. */
static bool
has_answered(const struct fake *fake)
{
    for (size_t at = 0; at + 9 <= fake->nout;
         at += 9 + (h2_number(fake->out + at) >> 8)) {
        uint8_t type = (uint8_t)fake->out[at + 3];
        if (type == NGHTTP2_RST_STREAM || type == NGHTTP2_HEADERS)
            return true;
    }
    return false;
}

/* Runs the script, whose `first` bytes come first and the rest by `step`. */
static void
play(struct app *app, const struct h2_script *script, size_t first, size_t step)
{
    static struct fake fake;
    static struct h2_script part;

    memset(app, 0, sizeof *app);
    CHECK(fake_init_as(&fake, &h2_protocol, &handler, app));
    limit(&fake.service.limits);
    for (size_t at = 0; at < script->n && !fake.finished && !fake.aborted;) {
        part.n = script->n - at < first ? script->n - at : first;
        memcpy(part.bytes, script->bytes + at, part.n);
        CHECK(h2_feed(&fake, &part, SIZE_MAX));
        at += part.n;
        first = step;
    }
    app->ends = fake.finished ? 1 : fake.aborted ? 2 : 0;
    app->code = h2_look(&fake, NGHTTP2_GOAWAY, 0).code;
    app->answers = has_answered(&fake);
    fake_fini(&fake);
    for (unsigned i = 0; i < app->nseen; i++)
        CHECK(app->seen[i].stream == NULL);
    CHECK(fake.service.h2_streams.ntaken == 0);
}

/* Returns whether the client has sent GOAWAY, after which input is ignored. */
static bool
has_left(const struct app *app)
{
    return app->ends == 1 && app->code == NGHTTP2_NO_ERROR;
}

/* A connection error cuts off what follows, depending on how far the input was read;
 * and frames on a refused stream are errors or late ones, depending on whether the
 * refusal was already sent. */
static bool
is_same(const struct app *a, const struct app *b)
{
    if (a->answers || b->answers || has_left(a) || has_left(b))
        return true;
    if (a->ends != b->ends || a->code != b->code)
        return false;
    return a->ends != 0 ||
           (a->nseen == b->nseen && memcmp(a->seen, b->seen, sizeof a->seen) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 7, 100};
    static struct h2_script script;
    static struct app whole, cut;

    if (size > H2_SCRIPT_BYTES / 2)
        return 0;
    h2_put_preface(&script);
    h2_put(&script, data, size);
    play(&whole, &script, script.n, 1);
    for (size_t i = 0; i < COUNT(steps); i++) {
        play(&cut, &script, steps[i], steps[i]);
        CHECK(is_same(&whole, &cut));
    }
    play(&cut, &script, script.n / 2 + 1, script.n);
    CHECK(is_same(&whole, &cut));
    return 0;
}
