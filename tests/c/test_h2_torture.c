/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_torture.c — HTTP/2 conversations in memory, repeated with the n-th
 * allocation failing until none fails: every exchange ends, the connection is not left
 * waiting, and everything that was allocated is freed. */
#include "http2/session.c"

#include <malloc.h>   /* mallopt */
#include <sys/wait.h> /* waitpid */
#include <unistd.h>   /* fork */

#include "child.h"
#include "h2_talk.h"
#include "tap.h"
#include "torture_app.h"

/* Upper limit: no conversation makes so many allocations. */
#define ALLOCATIONS_MAX 1500u

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

/* Runs with the n-th allocation failing. Returns NULL, or what is wrong. */
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

/* The same in its own process, because nghttp2 cannot free everything. */
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
        child_exit(wrong != NULL);
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
    ok(way == TUNNEL || app.nclosed == app.nrequests, "and gets a response");
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
#ifdef M_PERTURB
    mallopt(M_PERTURB, 0x55); /* uninitialized memory is the same in every run */
#endif
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
