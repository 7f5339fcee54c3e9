/* SPDX-License-Identifier: MIT */
/* tests/c/test_cache.c — the link and the filter of the cache together: misses, hits,
 * requests that wait, background requests and purges, with each allocation failing in
 * turn. */
#include "cache/cache.c"
#include "cache/fill.c"
#include "cache/flight.c"
#include "cache/purge.c"
#include "cache/refresh.c"

#include "cache_talk.h"

static void
test_a_miss_and_hits(void)
{
    setup();
    request("GET", "/", "");
    is_text(sent, "200 body$", "the application's response");
    request("GET", "/", "");
    is_text(sent, "200 body$", "the stored one");
    request("GET", "/", "range: bytes=1-2");
    is_text(sent, "206 od$", "a part of it");
    is(ncalls, 1, "the application was called once");
    request("POST", "/", "");
    request("GET", "/", "");
    is(ncalls, 3, "an unsafe request has removed it");
    teardown();
}

static void
test_requests_wait_for_the_first(void)
{
    struct stream leader, followers[3], gone;

    setup();
    app_waits = true;
    begin(&leader, "GET", "/", "");
    for (size_t i = 0; i < COUNT(followers); i++)
        begin(&followers[i], "GET", "/", "");
    begin(&gone, "GET", "/", "");
    end(&gone);
    is(ncalls, 1, "the first request calls the application");
    pass_ms(100);
    is_text(sent, "nothing", "the others wait");
    is(app_respond(&leader), 0, "the response");
    ok(due <= service.clock.ms, "they are ready");
    is_text(sent, "200 body$", "the first one has it");
    snprintf(sent, sizeof sent, "nothing");
    pass_ms(1);
    is_text(sent, "200 body$", "and so have the others");
    is(ncalls, 1, "of one call");
    is(tally_get(&counters, TALLY_CACHE_COLLAPSED), COUNT(followers),
       "they are counted");
    end(&leader);
    for (size_t i = 0; i < COUNT(followers); i++)
        end(&followers[i]);
    teardown();
}

static void
test_those_that_wait_are_released(void)
{
    struct stream leader, follower;

    setup();
    app_waits = true;
    begin(&leader, "GET", "/a", "");
    begin(&follower, "GET", "/a", "");
    end(&leader);
    pass_ms(1);
    is(ncalls, 2, "the leader has ended: the next request calls the application");
    end(&follower);
    begin(&leader, "GET", "/b", "");
    begin(&follower, "GET", "/b", "");
    pass_ms(6000);
    is(ncalls, 4, "the leader is too slow");
    end(&follower);
    end(&leader);
    app_fields = "";
    begin(&leader, "GET", "/c", "");
    begin(&follower, "GET", "/c", "");
    is(app_respond(&leader), 0, "a response that is not stored");
    pass_ms(1);
    is(ncalls, 6, "the other request calls the application");
    end(&leader);
    begin(&leader, "GET", "/c", "");
    is(ncalls, 7, "and the next one does not wait");
    end(&leader);
    end(&follower);
    teardown();
}

static void
test_a_background_request(void)
{
    setup();
    app_fields = "cache-control: max-age=0, stale-while-revalidate=60";
    request("GET", "/", "");
    request("GET", "/", "");
    is_text(sent, "200 body$", "the stale response is sent");
    is(ncalls, 1, "before the application is called");
    app_waits = true;
    pass_ms(1);
    is(ncalls, 2, "then it is");
    request("GET", "/", "");
    pass_ms(1);
    is(ncalls, 2, "once");
    pass_ms(REFRESH_MS);
    ok(list_is_empty(&cache.refreshes), "it does not run for ever");
    teardown();
}

static void
test_a_purge(void)
{
    setup();
    request("GET", "/a?b", "host: x");
    request("DELETE", "/purge?/a?b", "host: x");
    is_text(sent, "401 Unauthorized\n$", "without the token");
    request("GET", "/purge", "authorization: bearer secret");
    is_text(sent, "405 DELETE\n$", "another method");
    request("DELETE", "/purge?/a?b", "host: x|authorization: bearer secret");
    is_text(sent, "200 1 removed\n$", "one response");
    request("GET", "/a?b", "host: x");
    request("DELETE", "/purge", "authorization: bearer secret");
    is_text(sent, "200 1 removed\n$", "everything");
    is(ncalls, 2, "of the application");
    teardown();
}

/* Everything above in short; whatever fails, each request ends. */
static void
play_all(void)
{
    struct stream leader, follower;
    static const char *const targets[] = {"/a", "/b", "/a"};

    for (size_t i = 0; i < COUNT(targets); i++)
        request("GET", targets[i], "");
    request("POST", "/a", "");
    app_fields =
        "cache-control: max-age=0, stale-while-revalidate=60, stale-if-error=60|"
        "etag: \"1\"";
    request("GET", "/c", "");
    request("GET", "/c", "");
    pass_ms(1);
    pass_ms(1);
    app_fields = "cache-control: no-cache|etag: \"1\"";
    request("GET", "/e", "");
    request("GET", "/e", "");
    app_fields = "cache-control: max-age=60";
    app_waits = true;
    begin(&leader, "GET", "/d", "");
    begin(&follower, "GET", "/d", "");
    if (leader.state == STREAM_OPEN && ncalls > 0 && !handler_is_pending(&leader))
        (void)app_respond(&leader);
    pass_ms(1);
    pass_ms(6000);
    end(&leader);
    end(&follower);
}

static void
test_each_allocation_may_fail(void)
{
    unsigned long count;

    setup();
    mem_fail_at(0);
    unsigned long before = mem_count();
    play_all();
    count = mem_count() - before;
    teardown();
    ok(count > 20, "there are allocations");
    for (unsigned long n = 1; n <= count; n++) {
        setup();
        mem_fail_at(n);
        play_all();
        mem_fail_at(0);
        ok(cache.fill_bytes == 0 && list_is_empty(&cache.flights) &&
               list_is_empty(&cache.ready),
           "allocation %lu: nothing is left", n);
        teardown();
    }
}

static void
test_settings(void)
{
    struct cache_config config = CACHE_CONFIG_DEFAULT;
    static const char *const bad[] = {"x /\n", "1\n", " /\n"};
    char memory[64] __attribute__((aligned(64))) = "";

    setup();
    config = cache.config;
    teardown();
    config.memory = memory;
    config.bytes = sizeof memory;
    cache = (struct cache){.service = &service, .on_due = on_cache_due};
    is(cache_init(&cache, &config), ERR_IO, "memory that is not formatted");
    cache_fini(&cache);
    for (size_t i = 0; i < COUNT(bad); i++) {
        cache = (struct cache){.service = &service, .on_due = on_cache_due};
        config.paths = slice_of(bad[i]);
        is(cache_init(&cache, &config), ERR_IO, "a path: %s", bad[i]);
        cache_fini(&cache);
    }
}

int
main(void)
{
    test_a_miss_and_hits();
    test_requests_wait_for_the_first();
    test_those_that_wait_are_released();
    test_a_background_request();
    test_a_purge();
    test_each_allocation_may_fail();
    test_settings();
    return tap_done();
}
