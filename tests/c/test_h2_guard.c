/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_guard.c — limits on work that an HTTP/2 peer causes for nothing. */
#include "../../src/http2/guard.c"
#include "tap.h"

static int
see(struct h2_guard *guard, uint8_t type, uint8_t flags, int32_t id, size_t length)
{
    nghttp2_frame_hd hd = {
        .length = length, .stream_id = id, .type = type, .flags = flags};

    return h2_guard_frame(guard, &hd);
}

static void
test_resets_are_a_bucket_that_fills_again(void)
{
    struct h2_guard guard = {0};
    int err = 0;

    for (unsigned i = 0; i < 40; i++)
        err = h2_guard_reset(&guard, 40, 1000);
    is(err, 0, "as many as allowed at once");
    is(h2_guard_reset(&guard, 40, 1000), ERR_H2_RESETS, "one more is too many");
    is(h2_guard_reset(&guard, 40, 1200), 0, "two more a fifth of a second later");
    is(h2_guard_reset(&guard, 40, 1200), ERR_H2_RESETS, "and not three");
    is(h2_guard_reset(&guard, 40, UINT32_MAX), 0, "much later it is empty");
    ok(guard.resets.level == 1000, "and holds one");
    for (unsigned i = 0; i < 5000; i++)
        err = err != 0 ? err : h2_guard_reset(&guard, 0, UINT32_MAX);
    is(err, 0, "0 is no limit");
}

static void
test_a_steady_pace_is_never_too_fast(void)
{
    struct h2_guard guard = {0};
    int err = 0;

    for (uint64_t ms = 1000; ms < 600000 && err == 0; ms += 10)
        err = h2_guard_reset(&guard, 400, ms);
    is(err, 0, "a hundred a second for ten minutes, of 400");
}

static void
test_thousands_of_refused_streams_are_limited(void)
{
    struct h2_guard guard = {0};
    unsigned n = 0;

    while (!h2_guard_refused(&guard))
        n++;
    is(n, H2_REFUSED, "these do not");
    ok(h2_guard_refused(&guard), "all others do");
}

static void
test_the_number_of_late_streams_is_limited(void)
{
    struct h2_guard guard = {.is_calming = true};
    int32_t id = 1;

    for (unsigned i = 0; i < H2_LATE; i++, id += 2)
        (void)!see(&guard, NGHTTP2_HEADERS, 5, id, 10);
    is(see(&guard, NGHTTP2_HEADERS, 5, 1, 10), 0, "trailers are no stream");
    is(see(&guard, NGHTTP2_HEADERS, 5, id, 10), ERR_H2_FLOOD, "one too many");
}

static void
test_continuations_are_counted_by_the_block(void)
{
    struct h2_guard guard = {0};
    int err = 0;

    for (unsigned block = 0; block < 3; block++) {
        err = see(&guard, NGHTTP2_HEADERS, 0, (int32_t)(2 * block + 1), 1);
        for (unsigned i = 0; err == 0 && i < H2_CONTINUATIONS; i++)
            err = see(&guard, NGHTTP2_CONTINUATION, 0, (int32_t)(2 * block + 1), 1);
    }
    is(err, 0, "as many as allowed, for each block");
    is(see(&guard, NGHTTP2_CONTINUATION, 0, 5, 1), ERR_H2_FLOOD, "one more");
}

static void
test_empty_data_is_counted_in_a_row(void)
{
    struct h2_guard guard = {0};
    nghttp2_frame_hd padded = {.length = 3,
                               .stream_id = 1,
                               .type = NGHTTP2_DATA,
                               .flags = NGHTTP2_FLAG_PADDED};
    int err = 0;

    for (unsigned i = 0; i < H2_EMPTY_DATA; i++)
        err = see(&guard, NGHTTP2_DATA, 0, 1, 0);
    is(err, 0, "a row of empty ones");
    is(see(&guard, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, 0), 0,
       "one with END_STREAM does not count");
    is(see(&guard, NGHTTP2_DATA, 0, 1, 1), 0, "data ends the row");
    for (unsigned i = 0; i < H2_EMPTY_DATA; i++) {
        err = h2_guard_frame(&guard, &padded);
        if (err == 0)
            err = h2_guard_padding(&guard, &padded, 3);
    }
    is(err, 0, "a row of nothing but padding");
    is(see(&guard, NGHTTP2_DATA, 0, 1, 0), ERR_H2_FLOOD, "one more");
    is(h2_guard_padding(&guard, &padded, 2), 0, "a byte beside the padding");
    is(see(&guard, NGHTTP2_DATA, 0, 1, 0), 0, "ends the row");
}

static void
test_skipped_streams_are_closed(void)
{
    struct h2_guard guard = {0};

    is(see(&guard, NGHTTP2_HEADERS, 0, 1, 1), 0, "stream 1");
    is(see(&guard, NGHTTP2_HEADERS, 0, 9, 1), 0, "stream 9");
    is(see(&guard, NGHTTP2_HEADERS, 0, 5, 1), ERR_H2, "stream 5 cannot be begun");
    is(see(&guard, NGHTTP2_HEADERS, 0, 1, 1), 0, "trailers of stream 1");
    for (int32_t id = 19; id < 19 + 10 * (int32_t)H2_GAPS; id += 10)
        (void)!see(&guard, NGHTTP2_HEADERS, 0, id, 1);
    is(see(&guard, NGHTTP2_HEADERS, 0, 5, 1), 0, "an old gap is forgotten");
}

static void
test_streams_that_have_ended_are_remembered(void)
{
    struct h2_guard guard = {0};

    is(see(&guard, NGHTTP2_HEADERS, 0, 1, 1), 0, "stream 1");
    is(see(&guard, NGHTTP2_DATA, 0, 1, 1), 0, "and its data");
    is(see(&guard, NGHTTP2_RST_STREAM, 0, 1, 4), 0, "the peer resets it");
    is(see(&guard, NGHTTP2_DATA, 0, 1, 1), ERR_H2_ENDED, "no data then");
    is(see(&guard, NGHTTP2_HEADERS, 0, 1, 1), ERR_H2_ENDED, "nor fields");
    is(see(&guard, NGHTTP2_WINDOW_UPDATE, 0, 1, 4), 0, "a window may be late");
    for (int32_t id = 3; id < 3 + 2 * (int32_t)H2_ENDED; id += 2)
        h2_guard_ended(&guard, id);
    is(see(&guard, NGHTTP2_DATA, 0, 1, 1), 0, "an old end is forgotten");
    is(see(&guard, NGHTTP2_DATA, 0, 0, 1), 0, "stream 0 is rejected by nghttp2");
}

static void
test_less_than_an_eighth_of_useful_bytes_is_a_flood(void)
{
    struct h2_guard guard = {0};

    is(h2_guard_bytes(&guard, 8u * H2_OVERHEAD_BYTES), 0, "8 MiB for nothing");
    is(h2_guard_bytes(&guard, 8), ERR_H2_FLOOD, "and not more");
    h2_guard_sent(&guard, 100);
    is(h2_guard_bytes(&guard, 0), 0, "output is useful");
    is(h2_guard_bytes(&guard, 800), ERR_H2_FLOOD, "by so much");
}

int
main(void)
{
    test_resets_are_a_bucket_that_fills_again();
    test_a_steady_pace_is_never_too_fast();
    test_thousands_of_refused_streams_are_limited();
    test_the_number_of_late_streams_is_limited();
    test_continuations_are_counted_by_the_block();
    test_empty_data_is_counted_in_a_row();
    test_skipped_streams_are_closed();
    test_streams_that_have_ended_are_remembered();
    test_less_than_an_eighth_of_useful_bytes_is_a_flood();
    return tap_done();
}
