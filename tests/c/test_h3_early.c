/* SPDX-License-Identifier: MIT */
/* tests/c/test_h3_early.c — requests in early data: which of them wait for the handshake,
 * what is kept of them meanwhile, and how they are counted. */
#include "http3/early.c"

#include "h3_talk.h"
#include "tap.h"

static struct h3_fake fake;
static struct h3_put put;
static unsigned nrequests;

static int
on_request(struct stream *s, const struct http_head *head)
{
    (void)s;
    (void)head;
    nrequests++;
    return 0;
}

static void
on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static const struct stream_handler handler = {
    .on_request = on_request,
    .on_close = on_close,
};

static void
begin(void)
{
    nrequests = 0;
    h3_prepare(&fake, &handler, NULL);
    fake.carrier.is_early = true;
    ok(h3_start(&fake), "a connection");
}

static void
end(void)
{
    ok(h3_finish(&fake), "and nothing is left");
}

static void
test_only_safe_methods_run_at_once(void)
{
    static const struct {
        const char *method;
        bool is_safe;
    } cases[] = {
        {"GET", true},    {"HEAD", true},      {"OPTIONS", true}, {"POST", false},
        {"PUT", false},   {"DELETE", false},   {"TRACE", false},  {"CONNECT", false},
        {"PATCH", false}, {"PROPFIND", false}, {"get", false},    {"GETS", false},
        {"GE", false},    {"", false},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        is(early_is_safe(slice_of(cases[i].method)), cases[i].is_safe, "%s",
           cases[i].method);
}

/* A request whose method is `method`; without a session. */
static struct h3_exchange
exchange_of_method(struct section_pair *pair, const char *method)
{
    *pair = (struct section_pair){slice_of(":method"), slice_of(method), NULL, NULL};
    return (struct h3_exchange){.section = {.pairs = pair, .npairs = 1}};
}

static void
test_nothing_waits_after_the_handshake(void)
{
    struct carrier carrier = {.is_early = false};
    struct h3_session h = {.carrier = &carrier};
    struct section_pair pair;
    struct h3_exchange x = exchange_of_method(&pair, "POST");

    ok(!h3_early_must_wait(&h, &x) && !x.section.is_early, "a POST");
    carrier.is_early = true;
    ok(h3_early_must_wait(&h, &x) && !x.section.is_early, "... in early data waits");
    x.section.err = ERR_TOO_MANY_FIELDS;
    ok(!h3_early_must_wait(&h, &x), "one that is rejected does not");
    x = exchange_of_method(&pair, "GET");
    ok(!h3_early_must_wait(&h, &x) && x.section.is_early, "a GET does not");
}

static void
test_the_body_of_a_request_that_waits_is_kept(void)
{
    struct carrier carrier = {.is_early = true};
    struct h3_session h = {.carrier = &carrier};
    struct h3_exchange x = {.id = 0}, other = {.id = 4};

    h3_early_hold(&h, &x, false);
    h3_early_hold(&h, &other, true);
    is(h.nheld, 2, "two wait");
    ok(!x.early_ended && other.early_ended, "one has no body");
    is(h3_early_keep(&x, slice_of("hello ")), 0, "some bytes");
    is(h3_early_keep(&x, slice_of("")), 0, "none");
    is(h3_early_keep(&x, slice_of("world")), 0, "and others");
    ok(slice_equal(buf_bytes(&x.early_body), slice_of("hello world")), "are kept");
    h3_early_drop(&h, &x);
    ok(!x.is_held && x.early_body.len == 0 && h.nheld == 1, "one waits no more");
    h3_early_drop(&h, &x);
    is(h.nheld, 1, "also if that is said twice");
    h3_early_drop(&h, &other);
    is(h.nheld, 0, "none waits");
}

static void
test_a_body_needs_memory(void)
{
    struct carrier carrier = {.is_early = true};
    struct h3_session h = {.carrier = &carrier};
    struct h3_exchange x = {.id = 0};

    h3_early_hold(&h, &x, false);
    mem_fail_at(1);
    is(h3_early_keep(&x, slice_of("hello")), ERR_NOMEM, "there is none");
    mem_fail_at(0);
    is(x.early_body.len, 0, "nothing is kept");
    h3_early_drop(&h, &x);
}

static void
requests(int64_t id, const char *method, const char *const *more)
{
    put.n = 0;
    h3_put_request(&put, method, more);
    h3_arrive_by(&fake, id, &put, true, SIZE_MAX);
}

static void
test_requests_that_run_as_early_data_are_counted(void)
{
    begin();
    requests(0, "GET", NULL);
    requests(4, "POST", NULL);
    requests(8, "GET", (const char *[]){"expect", "x", NULL});
    is(nrequests, 1, "one runs, one waits, one is rejected");
    is(tally_get(&fake.tally, TALLY_EARLY_REQUESTS), 1, "the first one is counted");
    fake.carrier.is_early = false;
    is(h3_on_established(fake.session), 0, "the handshake is complete");
    h3_turn(&fake);
    requests(12, "GET", NULL);
    is(nrequests, 3, "the others run");
    is(tally_get(&fake.tally, TALLY_EARLY_REQUESTS), 1, "but not as early data");
    is(tally_get(&fake.tally, TALLY_EARLY_REJECTED), 0, "which was accepted");
    end();
}

static void
test_early_data_that_is_rejected_is_counted(void)
{
    begin();
    fake.carrier.is_early = false;
    fake.carrier.early_is_rejected = true;
    is(h3_on_established(fake.session), 0, "the handshake is complete");
    is(tally_get(&fake.tally, TALLY_EARLY_REJECTED), 1, "its early data was rejected");
    end();
}

int
main(void)
{
    test_only_safe_methods_run_at_once();
    test_nothing_waits_after_the_handshake();
    test_the_body_of_a_request_that_waits_is_kept();
    test_a_body_needs_memory();
    test_requests_that_run_as_early_data_are_counted();
    test_early_data_that_is_rejected_is_counted();
    return tap_done();
}
