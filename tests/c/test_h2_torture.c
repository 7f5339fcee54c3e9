/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_torture.c — conversations of HTTP/2 in memory, played again and again with
 * the n-th allocation failing, until none fails: every exchange ends, the connection is not
 * left waiting, and everything that was taken comes back. */
#include "http2/session.c"

#include <malloc.h>   /* mallopt */
#include <sys/wait.h> /* waitpid */
#include <unistd.h>   /* fork */

#include "h2_talk.h"
#include "tap.h"

/* More allocations than any conversation asks for. */
#define ALLOCATIONS_MAX 1500u
#define BODY_BYTES 90000u

/* How the application answers. */
enum way {
    WHOLE,    /* in one message, copied */
    LENT,     /* in one message, lent */
    IN_TURNS, /* in three messages, each in a turn of its own */
    TRAILERS, /* with a hint before and trailers behind */
    LARGE,    /* with a head that fits no room */
    TUNNEL,   /* by an echo */
};

struct app {
    enum way way;
    struct stream *streams[4]; /* that run */
    int left[4];               /* messages of theirs to come */
    int nrequests, nclosed, nloans;
};

static char body[BODY_BYTES];

static void
retain(void *owner)
{
    ++*(int *)owner;
}

static void
release(void *owner)
{
    --*(int *)owner;
}

static const struct lender lender = {retain, release, 2048};

static int
slot_of(struct app *app, const struct stream *s)
{
    for (int i = 0; i < 4; i++) {
        if (app->streams[i] == s)
            return i;
    }
    return -1;
}

static int
send_piece(struct app *app, struct stream *s, size_t n, bool last)
{
    struct chunk chunk = {
        .bytes = {body, n},
        .lender = app->way == WHOLE ? NULL : &lender,
        .owner = &app->nloans,
    };
    int err = stream_send_body(s, &chunk, last);

    return err == ERR_AGAIN ? 0 : err;
}

static int
send_trailers(struct stream *s)
{
    struct http_field sum = {.name = slice_of("X-Sum"), .value = slice_of("1")};

    return stream_send_trailers(s, &sum, 1);
}

static int
begin_answer(struct app *app, struct stream *s)
{
    static char large[3000];
    struct http_field hint = {.name = slice_of("Link"), .value = slice_of("</a>")};
    struct http_field field = {.name = slice_of("x-a"), .value = {large, sizeof large}};
    struct http_response res = {
        .status = 200,
        .fields = &field,
        .nfields = app->way == LARGE,
        .has_trailers = app->way == TRAILERS,
    };

    memset(large, 'v', sizeof large);
    int err = app->way == TRAILERS ? stream_send_interim(s, 103, &hint, 1) : 0;
    return err == 0 ? stream_send_head(s, &res) : err;
}

static int
answer(struct app *app, struct stream *s)
{
    int err = begin_answer(app, s);

    if (err != 0)
        return err;
    if (app->way == IN_TURNS) {
        app->left[slot_of(app, s)] = 3;
        return 0;
    }
    err = send_piece(app, s, app->way == WHOLE ? 500 : BODY_BYTES, true);
    return err == 0 && app->way == TRAILERS ? send_trailers(s) : err;
}

static int
on_request(struct stream *s, const struct http_head *head)
{
    struct app *app = s->handler_arg;
    struct http_response res = {.status = 101};

    (void)head;
    app->nrequests++;
    app->streams[slot_of(app, NULL)] = s;
    if (app->way == TUNNEL) {
        int err = stream_open_tunnel(s, &res);
        return err != 0 ? err : stream_pull_body(s);
    }
    if (s->body_ended)
        return answer(app, s);
    (void)!stream_pull_body(s);
    return 0;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    struct app *app = s->handler_arg;
    struct chunk echo = {.bytes = bytes};
    int err = 0;

    if (app->way == TUNNEL)
        err = stream_send_body(s, &echo, last);
    else if (last)
        err = answer(app, s);
    if (err == 0 && !last)
        (void)!stream_pull_body(s);
    if (err != 0 && slot_of(app, s) >= 0)
        stream_fail(s, err);
}

static void
ignore(struct stream *s)
{
    (void)s;
}

static void
on_close(struct stream *s, int why)
{
    struct app *app = s->handler_arg;
    int slot = slot_of(app, s);

    (void)why;
    if (slot < 0)
        return; /* refused before on_request */
    app->nclosed++;
    app->streams[slot] = NULL;
    app->left[slot] = 0;
}

static const struct stream_handler handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = ignore,
    .on_deadline = ignore,
    .on_shutdown = ignore,
    .on_close = on_close,
};

/* The application goes on between the turns, and gives up when something fails. */
static void
app_turn(struct app *app)
{
    for (int i = 0; i < 4; i++) {
        struct stream *s = app->streams[i];
        if (s == NULL || app->left[i] == 0)
            continue;
        app->left[i]--;
        int err = send_piece(app, s, BODY_BYTES / 3, app->left[i] == 0);
        if (err != 0 && slot_of(app, s) >= 0)
            stream_fail(s, err);
    }
}

static bool
play(struct fake *fake, struct app *app, const struct h2_script *script, size_t step)
{
    if (!fake_init_as(fake, &h2_protocol, &handler, app))
        return false;
    if (!h2_feed(fake, script, step))
        return false;
    for (int turn = 0; turn < 6 && !fake->aborted && !fake->finished; turn++) {
        app_turn(app);
        h2_protocol.ops->on_drained(&fake->wire, fake->session);
        fake_serve(fake);
    }
    return !fake->aborted;
}

static bool
ends_clean(struct fake *fake, const struct app *app)
{
    outq_clear(&fake->wire.out);
    if (fake->session != NULL)
        fake->protocol->ops->fini(&fake->wire, fake->session, ERR_CLOSED);
    fake->session = NULL;
    bool good = app->nclosed == app->nrequests && app->nloans == 0 &&
                fake->service.h2_streams.ntaken == 0 &&
                fake->pools.blocks.ntaken == 0 && fake->pools.lent.ntaken == 0;
    fake_fini(fake);
    return good;
}

/* Plays with the n-th allocation failing.  Returns NULL, or what is wrong. */
static const char *
play_failing(enum way way, const struct h2_script *script, unsigned n, size_t step)
{
    static struct fake fake;
    struct app app = {.way = way};

    mem_fail_at(n);
    bool ended = play(&fake, &app, script, step);
    mem_fail_at(0);
    const char *wrong = NULL;
    if (ended && !fake.finished && way != TUNNEL && app.nclosed < app.nrequests)
        wrong = "an exchange hangs";
    if (!ends_clean(&fake, &app) && wrong == NULL)
        wrong = "something is left over";
    return wrong;
}

/* The same in a process of its own, which leaves what nghttp2 cannot free. */
static const char *
fail_at(enum way way, const struct h2_script *script, unsigned n, size_t step)
{
    static char said[4096];
    int pipes[2], status = 0;
    ssize_t got = 0;

    if (pipe(pipes) != 0)
        return "no pipe";
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        const char *wrong = play_failing(way, script, n, step);
        if (wrong != NULL)
            fputs(wrong, stderr);
        _exit(wrong != NULL);
    }
    close(pipes[1]);
    for (ssize_t more = 1; more > 0 && got < (ssize_t)sizeof said - 1; got += more)
        more = read(pipes[0], said + got, sizeof said - 1 - (size_t)got);
    said[got] = '\0';
    close(pipes[0]);
    waitpid(child, &status, 0);
    return status == 0 ? NULL : said;
}

static void
torture(const char *about, enum way way, const struct h2_script *script, size_t step)
{
    static struct fake fake;
    struct app app = {.way = way};

    mem_fail_at(0);
    ok(play(&fake, &app, script, step), "%s, by %zu: ends", about, step);
    unsigned long nallocations = mem_count();
    ok(way == TUNNEL || app.nclosed == app.nrequests, "and is answered");
    ok(ends_clean(&fake, &app), "and nothing is left over");
    ok(nallocations > 0 && nallocations < ALLOCATIONS_MAX, "allocations: %lu",
       nallocations);
    for (unsigned n = 1; n <= nallocations; n++) {
        const char *wrong = fail_at(way, script, n, step);
        if (wrong != NULL)
            ok(false, "%s: allocation %u fails: %s", about, n, wrong);
    }
    ok(true, "%s: survives each that fails", about);
}

/* The hook works in builds with asserts only. */
static bool
allocations_can_fail(void)
{
    mem_fail_at(1);
    void *block = mem_alloc(1);
    mem_fail_at(0);
    mem_free(block);
    return block == NULL;
}

static void
begin_script(struct h2_script *script)
{
    h2_put_preface(script);
    h2_put_number(script, NGHTTP2_WINDOW_UPDATE, 0, 1 << 24);
}

int
main(void)
{
    static const size_t steps[] = {SIZE_MAX, 7};
    static struct h2_script gets, post, tunnel, wrong;

    if (!allocations_can_fail()) {
        printf("1..0 # SKIP a release build fails no allocation\n");
        return 0;
    }
    mallopt(M_PERTURB, 0x55); /* what is not initialised is the same in every run */
    begin_script(&gets);
    for (int32_t id = 1; id < 6; id += 2) {
        H2_PUT_HEADERS(&gets, id, H2_GET H2_TE, true);
        h2_put_number(&gets, NGHTTP2_WINDOW_UPDATE, id, 1 << 20);
    }
    begin_script(&post);
    H2_PUT_HEADERS(&post, 1, H2_POST H2_EXPECT, false);
    h2_put_number(&post, NGHTTP2_WINDOW_UPDATE, 1, 1 << 20);
    h2_put_frame(&post, NGHTTP2_DATA, 0, 1, slice_of("hello"));
    h2_put_frame(&post, NGHTTP2_HEADERS, 5, 1, H2_LITERAL("\0\1x\1y"));
    begin_script(&tunnel);
    H2_PUT_HEADERS(&tunnel, 1, H2_CONNECT, false);
    h2_put_frame(&tunnel, NGHTTP2_DATA, 0, 1, slice_of("hello"));
    begin_script(&wrong);
    H2_PUT_HEADERS(&wrong, 1, H2_GET, true);
    H2_PUT_HEADERS(&wrong, 3, "\x82\x86\x84", true);
    h2_put_number(&wrong, NGHTTP2_RST_STREAM, 1, 8);
    h2_put_frame(&wrong, NGHTTP2_PING, 0, 3, slice_of("8 bytes."));
    for (size_t i = 0; i < COUNT(steps); i++) {
        torture("three GETs", WHOLE, &gets, steps[i]);
        torture("three GETs answered by loans", LENT, &gets, steps[i]);
        torture("three GETs answered in turns", IN_TURNS, &gets, steps[i]);
        torture("three GETs with trailers", TRAILERS, &gets, steps[i]);
        torture("three GETs with large heads", LARGE, &gets, steps[i]);
        torture("a POST", WHOLE, &post, steps[i]);
        torture("a tunnel", TUNNEL, &tunnel, steps[i]);
        torture("a violation", WHOLE, &wrong, steps[i]);
    }
    return tap_done();
}
