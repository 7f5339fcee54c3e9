/* SPDX-License-Identifier: MIT */
/* tests/c/test_torture.c — conversations in memory, repeated with the n-th
 * allocation failing until none fails: the output is correct as far as it goes, every
 * exchange ends, and everything that was allocated is freed. */
#include "base/err.h"
#include "fake_wire.h"
#include "http1/write.h"
#include "tap.h"

/* Upper limit: no conversation makes so many allocations. */
#define ALLOCATIONS_MAX 300u
#define BODY_BYTES 9000u

/* How the application responds. */
enum way {
    WHOLE,     /* in one message, copied */
    LENT,      /* in one message, lent */
    IN_A_TURN, /* in three messages of one turn, each copied */
    IN_TURNS,  /* in three messages, lent, each in its own turn */
    LARGE,     /* with a head that does not fit into a block */
    TUNNEL,    /* by leaving HTTP, and an echo */
};

static const struct conversation {
    const char *about, *in;
    enum way way;
    size_t body_bytes; /* of each answer, and what a POST has to come to */
    int nanswers;
} conversations[] = {
    {"a GET answered in one piece", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", WHOLE, 5, 1},
    {"a GET answered with a large copy", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", WHOLE,
     BODY_BYTES, 1},
    {"a GET answered with a loan", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", LENT,
     BODY_BYTES, 1},
    {"a GET answered in three messages", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", IN_A_TURN,
     600, 1},
    {"a GET answered in three large messages", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     IN_A_TURN, BODY_BYTES, 1},
    {"a GET answered in three turns", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", IN_TURNS,
     BODY_BYTES, 1},
    {"a GET by HTTP/1.0 answered in three turns", "GET / HTTP/1.0\r\n\r\n", IN_TURNS,
     600, 1},
    {"a GET answered with a large head", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", LARGE, 5,
     1},
    {"a HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", WHOLE, 5, 1},
    {"three GETs at once",
     "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
     "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
     LENT, BODY_BYTES, 3},
    {"a POST with a body",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", WHOLE, 5, 1},
    {"a POST in chunks",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX: y\r\n\r\n",
     IN_A_TURN, 5, 1},
    {"a POST that waits for 100 Continue",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
     "\r\nhello",
     IN_TURNS, 5, 1},
    {"a request that is refused", "GET / HTTP/1.1\r\n\r\n", WHOLE, 5, 1},
    {"a tunnel",
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "\r\nhello",
     TUNNEL, 5, 1},
};

struct app {
    const struct conversation *is;
    struct stream *stream; /* the running exchange, or NULL */
    int npieces;           /* still to send */
    int nrequests, nclosed;
    int nloans; /* bodies that are lent and not released */
    size_t body_bytes;
    char body[BODY_BYTES];
};

static void
loan_retain(void *owner)
{
    ++*(int *)owner;
}

static void
loan_release(void *owner)
{
    --*(int *)owner;
}

static const struct lender lender = {loan_retain, loan_release, 2048};

static bool
is_one_piece(enum way way)
{
    return way == WHOLE || way == LENT || way == LARGE;
}

/* Sends a third of the body, or all. */
static int
send_piece(struct app *app)
{
    bool one = is_one_piece(app->is->way);
    bool lends = app->is->way == LENT || app->is->way == IN_TURNS;
    size_t n = one ? app->is->body_bytes : app->is->body_bytes / 3;
    struct chunk piece = {
        .bytes = {app->body, n},
        .lender = lends ? &lender : NULL,
        .owner = &app->nloans,
    };

    app->npieces--;
    int err = stream_send_body(app->stream, &piece, app->npieces == 0);
    return err == ERR_AGAIN ? 0 : err;
}

static int
send_head(struct app *app)
{
    static char large[3000];
    struct http_field fields[] = {
        {.name = slice_of("x-a"), .value = {large, sizeof large}},
        {.name = slice_of("x-b"), .value = {large, sizeof large}},
    };
    struct http_response res = {.status = 200, .fields = fields};

    memset(large, 'v', sizeof large);
    res.nfields = app->is->way == LARGE ? COUNT(fields) : 0;
    app->npieces = is_one_piece(app->is->way) ? 1 : 3;
    return stream_send_head(app->stream, &res);
}

/* Begins the response; what belongs into later turns is left to app_turn. */
static int
answer(struct app *app)
{
    int err = send_head(app);

    while (err == 0 && app->npieces > 0 && app->is->way != IN_TURNS)
        err = send_piece(app);
    return err;
}

/* The application continues between the turns, and gives up when something fails. */
static void
app_turn(struct app *app)
{
    if (app->stream == NULL || app->npieces == 0 || app->is->way != IN_TURNS)
        return;
    int err = send_piece(app);
    if (err != 0 && app->stream != NULL)
        stream_fail(app->stream, err);
}

static int
app_on_request(struct stream *s, const struct http_head *head)
{
    struct app *app = s->handler_arg;
    struct http_response none = {.status = 101};

    (void)head;
    app->stream = s;
    app->nrequests++;
    app->body_bytes = 0;
    if (app->is->way == TUNNEL) {
        int err = stream_open_tunnel(s, &none);
        return err != 0 ? err : stream_pull_body(s);
    }
    if (s->body_ended)
        return answer(app);
    (void)!stream_pull_body(s);
    return 0;
}

static void
app_on_body(struct stream *s, struct slice bytes, bool last)
{
    struct app *app = s->handler_arg;
    struct chunk echo = {.bytes = bytes};
    int err = 0;

    app->body_bytes += bytes.len;
    if (app->is->way == TUNNEL)
        err = stream_send_body(s, &echo, last);
    if (last && app->is->way != TUNNEL)
        err = answer(app);
    else if (err == 0)
        (void)!stream_pull_body(s);
    if (err != 0 && app->stream != NULL)
        stream_fail(s, err);
}

static void
app_on_writable(struct stream *s)
{
    (void)s;
}

static void
app_on_close(struct stream *s, int why)
{
    struct app *app = s->handler_arg;

    (void)s;
    (void)why;
    app->stream = NULL;
    app->npieces = 0;
    app->nclosed++;
}

static const struct stream_handler handler = {
    .on_request = app_on_request,
    .on_body = app_on_body,
    .on_writable = app_on_writable,
    .on_close = app_on_close,
};

/* Runs a conversation in steps of `step` bytes. Returns whether it was completed:
 * the connection was not aborted for lack of memory. */
static bool
play(struct fake *fake, struct app *app, size_t step)
{
    if (!fake_init(fake, &handler, app) ||
        !fake_feed_by(fake, slice_of(app->is->in), step))
        return false;
    for (int turn = 0; turn < 4 && !fake->aborted; turn++) {
        app_turn(app);
        fake_serve(fake);
    }
    return !fake->aborted;
}

/* Ends the connection. Returns whether nothing is left of it. */
static bool
ends_clean(struct fake *fake, const struct app *app)
{
    outq_clear(&fake->wire.out);
    if (fake->session != NULL)
        h1_protocol.ops->fini(&fake->wire, fake->session, ERR_CLOSED);
    fake->session = NULL;
    bool good = app->nclosed == app->nrequests && app->nloans == 0 &&
                fake->service.h1_streams.ntaken == 0 &&
                fake->pools.blocks.ntaken == 0 && fake->pools.lent.ntaken == 0;
    fake_fini(fake);
    return good;
}

/* Returns whether `out` is a prefix of `whole`, perhaps followed by a refusal. */
static bool
begins_as(const char *out, const char *whole)
{
    const char *refusal = strstr(out, "HTTP/1.1 5");
    size_t n = refusal != NULL ? (size_t)(refusal - out) : strlen(out);

    return n <= strlen(whole) && memcmp(out, whole, n) == 0;
}

/* Returns how many final responses have begun. */
static int
count_answers(const char *out)
{
    int n = 0;

    for (; (out = strstr(out, "HTTP/1.1 ")) != NULL; out++)
        n += strncmp(out, "HTTP/1.1 100", 12) != 0;
    return n;
}

static struct app
app_for(const struct conversation *conversation)
{
    struct app app = {.is = conversation};

    memset(app.body, 'b', sizeof app.body);
    return app;
}

/* Runs with the n-th allocation failing and compares with `whole`, the output when
 * none fails. Returns NULL, or what is wrong. */
static const char *
fail_at(const struct conversation *conversation, unsigned n, size_t step,
        const char *whole)
{
    static struct fake fake;
    struct app app = app_for(conversation);

    mem_fail_at(n);
    bool ended = play(&fake, &app, step);
    mem_fail_at(0);
    const char *wrong = NULL;
    if (!begins_as(fake.out, whole))
        wrong = "the output is wrong";
    else if (ended && !fake.finished &&
             count_answers(fake.out) < conversation->nanswers)
        wrong = "the connection is left without a response";
    else if (ended && !fake.finished && app.stream != NULL &&
             conversation->way != TUNNEL)
        wrong = "an exchange hangs";
    if (!ends_clean(&fake, &app) && wrong == NULL)
        wrong = "something is left over";
    return wrong;
}

static void
torture(const struct conversation *conversation, size_t step)
{
    static struct fake fake;
    static char whole[sizeof fake.out];
    struct app app = app_for(conversation);
    unsigned long nallocations;

    mem_fail_at(0);
    ok(play(&fake, &app, step), "%s, by %zu: ends", conversation->about, step);
    nallocations = mem_count();
    memcpy(whole, fake.out, fake.nout + 1);
    is(count_answers(whole), conversation->nanswers, "and gets a response");
    ok(ends_clean(&fake, &app), "and nothing is left over");
    ok(nallocations > 0 && nallocations < ALLOCATIONS_MAX, "allocations: %lu",
       nallocations);
    for (unsigned n = 1; n <= nallocations; n++) {
        const char *wrong = fail_at(conversation, n, step, whole);
        ok(wrong == NULL, "allocation %u fails%s%s", n, wrong ? ": " : "",
           wrong ? wrong : "");
    }
}

static void
test_a_conversation_survives_every_failing_allocation(void)
{
    static const size_t steps[] = {SIZE_MAX, 7};

    for (size_t i = 0; i < COUNT(conversations); i++) {
        for (size_t k = 0; k < COUNT(steps); k++)
            torture(&conversations[i], steps[k]);
    }
}

/* An application may respond again if its first head found no memory: nothing of the
 * first attempt may be left in the writer. */
static void
test_a_head_that_fails_leaves_the_writer_as_it_was(void)
{
    static char large[OUTQ_BLOCK_BYTES];
    static struct fake fake;
    struct app app = app_for(&conversations[0]);
    struct http_field fields[] = {
        {.name = slice_of("content-length"),
         .value = slice_of("5"),
         .id = FIELD_CONTENT_LENGTH},
        {.name = slice_of("connection"),
         .value = slice_of("close"),
         .id = FIELD_CONNECTION},
        {.name = slice_of("x"), .value = {large, sizeof large}, .id = FIELD_OTHER},
    };
    struct http_response res = {.status = 200, .fields = fields, .nfields = 3};
    struct outq *q = &fake.wire.out;

    for (unsigned i = 0; i < 4; i++) {
        struct h1_writer w = {.keeps_alive = true}, before = w;
        ok(fake_init(&fake, &handler, &app), "there is memory");
        mem_fail_at(1 + i / 2);
        int err = i % 2 == 0 ? h1_write_head(&w, q, &res)
                             : h1_write_tunnel(&w, q, &fake.service, &res);
        mem_fail_at(0);
        is(err, ERR_NOMEM, "%s fails at allocation %u",
           i % 2 == 0 ? "a head" : "a switch to a tunnel", 1 + i / 2);
        ok(memcmp(&w, &before, sizeof w) == 0, "and leaves no trace in the writer");
        is(q->bytes, 0, "nothing is queued");
        ok(ends_clean(&fake, &app), "nothing is left over");
    }
}

/* The hook works only in builds with asserts. */
static bool
allocations_can_fail(void)
{
    mem_fail_at(1);
    void *block = mem_alloc(1);
    mem_fail_at(0);
    mem_free(block);
    return block == NULL;
}

int
main(void)
{
    if (!allocations_can_fail()) {
        printf("1..0 # SKIP a release build fails no allocation\n");
        return 0;
    }
    test_a_conversation_survives_every_failing_allocation();
    test_a_head_that_fails_leaves_the_writer_as_it_was();
    return tap_done();
}
