/* SPDX-License-Identifier: MIT */
/* tests/c/test_tally.c — where durations are counted, and whose counters remain. */
#include "http/tally.c"
#include "tap.h"

static void
test_each_bucket_ends_where_the_next_begins(void)
{
    is(tally_bucket(0), 0, "nothing at all");
    for (unsigned i = 0; i < TALLY_BUCKETS - 1; i++) {
        uint64_t end = tally_bucket_end_ns(i);
        is(tally_bucket(end - 1), i, "the last ns of bucket %u", i);
        is(tally_bucket(end), i + 1, "the first ns after it");
    }
    is(tally_bucket(UINT64_MAX), TALLY_BUCKETS - 1, "the last bucket has no end");
    ok(tally_bucket_end_ns(TALLY_BUCKETS - 1) == UINT64_MAX, "and its bound says so");
}

static void
test_a_new_worker_continues_the_counters_of_its_seat(void)
{
    static struct tally memory[2];
    struct tallies tallies;

    ok(tallies_init(&tallies, memory, sizeof memory, 1), "the second seat");
    ok(!tallies_init(&tallies, memory, sizeof memory, 2), "there is no third");
    tally_begin(&memory[1]);
    ok(tally_get(&memory[1], TALLY_PID) != 0, "a worker is running");
    tally_add(&memory[1], TALLY_DONE_2, 3);
    tally_set(&memory[1], TALLY_RUNNING, 1);
    tally_end(&memory[1]);
    is(tally_get(&memory[1], TALLY_PID), 0, "no worker is running any more");
    tally_begin(&memory[1]);
    is(tally_get(&memory[1], TALLY_RUNNING), 0, "nothing runs at first");
    is(tally_get(&memory[1], TALLY_DONE_2), 3, "what was counted stays");
}

static void
test_reasons_have_their_class(void)
{
    static const struct {
        int err;
        enum tally_id class;
    } cases[] = {
        {ERR_HOST_MISSING, TALLY_REFUSED_HEAD},
        {ERR_REQUEST_LINE, TALLY_REFUSED_HEAD},
        {ERR_HEAD_TOO_LARGE, TALLY_REFUSED_LIMIT},
        {ERR_BODY_TOO_LARGE, TALLY_REFUSED_LIMIT},
        {ERR_CHUNK_SIZE, TALLY_REFUSED_BODY},
        {ERR_TLS, TALLY_REFUSED_TLS},
        {ERR_TLS_TIMEOUT, TALLY_REFUSED_TIMEOUT},
        {ERR_HEAD_TIMEOUT, TALLY_REFUSED_TIMEOUT},
        {ERR_SEND_TIMEOUT, TALLY_REFUSED_TIMEOUT},
        {ERR_H2_FLOOD, TALLY_REFUSED_HTTP2},
        {ERR_WS_UTF8, TALLY_REFUSED_WEBSOCKET},
        {ERR_WS_PING_TIMEOUT, TALLY_REFUSED_TIMEOUT},
        {ERR_OVERLOAD, TALLY_REFUSED_OVERLOAD},
        {ERR_NOMEM, TALLY_REFUSED_OTHER},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        is(class_of(cases[i].err), cases[i].class, "%s", err_text(cases[i].err));
}

int
main(void)
{
    test_each_bucket_ends_where_the_next_begins();
    test_a_new_worker_continues_the_counters_of_its_seat();
    test_reasons_have_their_class();
    return tap_done();
}
