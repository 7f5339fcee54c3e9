/* SPDX-License-Identifier: MIT */
/* tests/c/test_cache_refresh.c — requests that the cache makes itself, and responses that
 * it sends instead of the application's. */
#include "cache/cache.c"
#include "cache/fill.c"
#include "cache/flight.c"
#include "cache/purge.c"
#include "cache/refresh.c"

#include <signal.h>   /* kill */
#include <sys/wait.h> /* waitpid */
#include <unistd.h>   /* fork */

#include "cache_talk.h"
#include "child.h"

#define REFRESHING "cache-control: max-age=0, stale-while-revalidate=60"

/* Responds to the last call with trailers, and a status. */
static void
respond_with_trailers(int status)
{
    struct http_field fields[10];
    struct http_response res = {
        .status = status, .fields = fields, .has_trailers = true};
    const struct chunk body = {.bytes = slice_of(status == 304 ? "" : "body")};
    struct http_field trailer = {slice_of("x-sum"), slice_of("1"), FIELD_OTHER};

    res.nfields = read_fields_of(app_fields, fields);
    is(stream_send_head(called, &res), 0, "a head");
    is(stream_send_body(called, &body, true), 0, "a body");
    is(stream_send_trailers(called, &trailer, 1), 0, "trailers");
}

/* Stores a response and has it refreshed: `called` is the call of the cache. */
static void
begin_refresh(const char *fields)
{
    app_fields = REFRESHING;
    request("GET", "/", "");
    app_waits = true;
    request("GET", "/", fields);
    is_text(sent, "200 body$", "the stale response is sent");
    is(ncalls, 1, "before the application is called");
}

static void
test_it_has_what_a_proxy_has_reported(void)
{
    char texts[] = "example.com/prefix";
    struct forwarded forwarded = {
        .has_prefix = true,
        .host = slice_new(texts, 11),
        .prefix = slice_new(texts + 11, 7),
    };

    setup();
    reported = &forwarded;
    begin_refresh("");
    memset(texts, 'x', sizeof texts - 1);
    forwarded = (struct forwarded){.has_prefix = false};
    pass_ms(1);
    is(ncalls, 2, "the application is called");
    ok(seen.forwarded != &forwarded && seen.forwarded == called->forwarded,
       "with a copy");
    ok(slice_equal(seen.forwarded->host, slice_of("example.com")) &&
           slice_equal(seen.forwarded->prefix, slice_of("/prefix")) &&
           seen.forwarded->has_prefix,
       "of everything");
    is(app_respond(called), 0, "it responds");
    pass_ms(1);
    ok(list_is_empty(&cache.refreshes), "and the request ends");
    teardown();
}

static void
test_it_is_not_conditional(void)
{
    setup();
    begin_refresh("if-range: \"a\"|x: y|if-none-match: \"b\"");
    pass_ms(1);
    is(seen.nfields, 1, "fields that concern the client alone are removed");
    teardown();
}

static void
test_the_application_may_do_anything(void)
{
    setup();
    begin_refresh("");
    pass_ms(1);
    stream_complain(called, ERR_CLOSED);
    is(stream_pull_body(called), 0, "it waits for the client");
    called->waits_for_writable = true;
    called->ops->rest(called);
    ok(due <= service.clock.ms, "it continues soon after a rest");
    pass_ms(1);
    is(nwritable, 1, "it is told that it may");
    respond_with_trailers(200);
    pass_ms(1);
    ok(list_is_empty(&cache.refreshes), "a response with trailers ends it");
    request("GET", "/", "");
    is_text(sent, "200 body$", "and is stored");
    teardown();
}

static void
test_it_may_end_before_it_starts(void)
{
    setup();
    begin_refresh("");
    ok(!list_is_empty(&cache.refreshes), "a refresh waits");
    teardown();
    is(ncalls, 1, "it is not started");
}

static void
test_a_304_with_trailers_sends_what_is_stored(void)
{
    struct stream s;

    setup();
    app_fields = "cache-control: no-cache|vary: accept|last-modified: "
                 "Sun, 06 Nov 1994 08:49:37 GMT";
    request("GET", "/", "accept: a");
    app_waits = true;
    begin(&s, "GET", "/", "accept: a");
    is(seen.nfields, 2, "the request is conditional");
    is(seen.fields[1].id, FIELD_IF_MODIFIED_SINCE, "on the date");
    respond_with_trailers(304);
    is_text(sent, "200 body$", "the stored response, which has none");
    is(s.body_sent, 4, "its bytes are counted");
    end(&s);
    begin(&s, "GET", "/", "accept: a");
    app_fields = "cache-control: no-store";
    respond_with_trailers(304);
    is_text(sent, "200 body$", "also if the 304 forbids to store it");
    end(&s);
    begin(&s, "GET", "/other", "");
    respond_with_trailers(200);
    is_text(sent, "200 body1 trailers", "other trailers are sent");
    end(&s);
    teardown();
}

static void
test_a_failure_sends_what_is_stored(void)
{
    struct stream s;

    setup();
    app_fields = "cache-control: max-age=0, stale-if-error=60";
    request("GET", "/", "");
    app_waits = true;
    begin(&s, "GET", "/", "");
    stream_fail(&s, ERR_NOMEM);
    is_text(sent, "200 body$", "the stored response");
    is(s.body_sent, 4, "its bytes are counted");
    end(&s);
    teardown();
}

static void
test_a_length_that_is_too_large_is_not_kept(void)
{
    setup();
    app_fields = "cache-control: max-age=60|content-length: 99999999";
    request("GET", "/", "");
    is(cache.fill_bytes, 0, "nothing is kept");
    app_fields = "cache-control: max-age=60";
    request("GET", "/", "");
    is(ncalls, 2, "and nothing stored");
    teardown();
}

static void
test_a_leader_in_a_process_that_ends(void)
{
    struct stream s;
    int ends[2];
    char byte;

    setup();
    struct http_head head = head_of("GET", "/", "", some_fields);
    struct stream some = {.peer = &some_peer};
    struct cache_request r;
    is(request_read(&cache.store, &some, &head, &r), REQUEST_LOOKUP, "a request");
    uint64_t flight = request_flight(&cache.store, &r);
    ok(pipe(ends) == 0, "a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        (void)store_lead(&cache.store, flight);
        (void)!write(ends[1], "x", 1);
        pause();
        child_exit(0);
    }
    is(read(ends[0], &byte, 1), 1, "another process leads");
    begin(&s, "GET", "/", "");
    is(ncalls, 0, "the request waits for it");
    pass_ms(100);
    is(ncalls, 0, "as long as it runs");
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    pass_ms(100);
    is(ncalls, 1, "when it has ended the application is called");
    end(&s);
    (void)close(ends[0]);
    (void)close(ends[1]);
    teardown();
}

static void
test_many_that_wait_are_continued_in_several_turns(void)
{
    static struct stream followers[RESUMED_AT_ONCE + 6];
    struct stream leader;

    setup();
    app_waits = true;
    begin(&leader, "GET", "/", "");
    for (size_t i = 0; i < COUNT(followers); i++)
        begin(&followers[i], "GET", "/", "");
    is(app_respond(&leader), 0, "the response");
    due = UINT64_MAX;
    pass_ms(1);
    is(tally_get(&counters, TALLY_CACHE_COLLAPSED), RESUMED_AT_ONCE, "some");
    ok(due <= service.clock.ms, "the others soon");
    pass_ms(1);
    is(tally_get(&counters, TALLY_CACHE_COLLAPSED), COUNT(followers), "all");
    end(&leader);
    for (size_t i = 0; i < COUNT(followers); i++)
        end(&followers[i]);
    teardown();
}

static void
test_a_purge_of_a_path_that_is_too_long(void)
{
    char target[1000] = "/purge?/";

    setup();
    memset(target + strlen(target), 'a', 900);
    request("DELETE", target, "host: x|authorization: bearer secret");
    is_text(sent, "200 0 removed\n$", "nothing is stored for it");
    teardown();
}

int
main(void)
{
    test_it_has_what_a_proxy_has_reported();
    test_it_is_not_conditional();
    test_the_application_may_do_anything();
    test_it_may_end_before_it_starts();
    test_a_304_with_trailers_sends_what_is_stored();
    test_a_failure_sends_what_is_stored();
    test_a_length_that_is_too_large_is_not_kept();
    test_a_leader_in_a_process_that_ends();
    test_many_that_wait_are_continued_in_several_turns();
    test_a_purge_of_a_path_that_is_too_long();
    return tap_done();
}
