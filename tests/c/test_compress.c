/* SPDX-License-Identifier: MIT */
/* tests/c/test_compress.c — the filter that compresses responses: any segmentation by the
 * application, a wire that is full at any time, long bodies in slices, files, trailers,
 * and exchanges that end at any place. */
#include "coding/compress.c"

#include "compress_wire.h"

static void
test_a_whole_body(void)
{
    struct stream s;

    begin_server(1);
    for (size_t n = 0; n <= COMPRESS_WHOLE_BYTES; n = n * 3 + 1) {
        begin(&s);
        is(send_head(&s, 200, false), 0, "a head");
        is_text(head_text,
                "content-type: text/plain;etag: W/\"a\";content-encoding: gzip;"
                "vary: Accept-Encoding;",
                "is changed");
        is(send_bytes(&s, slice_new(body_text, n), true), 0, "a body of %zu bytes", n);
        is_whole(n);
        ok(nparts == 1 || nwire > COMPRESS_OUT_BYTES, "its length is known");
        is(s.state, STREAM_ENDED, "the response is complete");
        is(s.coded_sent, nwire, "the log gets the bytes that were sent");
        end(&s);
    }
    ok(tally_get(&tally, TALLY_CODED_IN_GZIP) > tally_get(&tally, TALLY_CODED_OUT_GZIP),
       "it is counted");
    end_server();
}

static void
test_each_message_is_sent_at_once(void)
{
    struct stream s;
    bool ended;

    begin_server(1);
    begin(&s);
    is(send_head(&s, 200, false), 0, "a head");
    for (size_t i = 0; i < 20; i++) {
        is(send_bytes(&s, slice_new(body_text + 50 * i, 50), false), 0, "message");
        is(decoded(&ended), 50 * (i + 1), "%zu can be decoded", i);
    }
    is(send_bytes(&s, slice_of(""), true), 0, "the end");
    is_whole(1000);
    end(&s);
    end_server();
}

static void
test_a_long_body_is_divided(void)
{
    struct stream s;

    begin_server(1);
    begin(&s);
    is(send_head(&s, 200, false), 0, "a head");
    is(send_bytes(&s, slice_new(body_text, BODY_MAX), true), 0, "a long body");
    ok(s.state == STREAM_HEAD_SENT && nrests == 1, "is not complete at once");
    is(tally_get(&tally, TALLY_CODED_IN_GZIP), COMPRESS_SLICE_BYTES,
       "but a slice of it");
    is(drain(&s), BODY_MAX / COMPRESS_SLICE_BYTES - 1, "the others follow, one by one");
    is_whole(BODY_MAX);
    is(s.state, STREAM_ENDED, "it is complete");
    is(nwritable, 0, "no sender waited for it");
    end(&s);
    end_server();
}

static void
test_the_handler_waits_for_what_is_left(void)
{
    struct stream s;

    begin_server(1);
    begin(&s);
    is(send_head(&s, 200, false), 0, "a head");
    is(send_bytes(&s, slice_new(body_text, BODY_MAX / 2), false), ERR_AGAIN,
       "it waits");
    is(send_bytes(&s, slice_new(body_text + BODY_MAX / 2, 100), false), ERR_AGAIN,
       "one that does not wait");
    (void)drain(&s);
    is(nwritable, 1, "it continues");
    is(send_bytes(&s, slice_new(body_text + BODY_MAX / 2 + 100, 1), true), 0,
       "the end");
    is_whole(BODY_MAX / 2 + 101);
    end(&s);
    end_server();
}

static void
test_a_wire_that_is_full(void)
{
    struct stream s;

    begin_server(1);
    begin(&s);
    is(send_head(&s, 200, false), 0, "a head");
    fills = true;
    is(send_bytes(&s, slice_new(body_text, BODY_MAX), true), 0, "a long body");
    is(nrests, 0, "the wire reports when it continues");
    (void)drain(&s);
    is_whole(BODY_MAX);
    end(&s);
    end_server();
}

/* Any parts, with a wire that is full at any time. */
static void
test_any_segmentation(void)
{
    struct stream s;

    begin_server(1);
    for (uint32_t seed = 1; seed < 200; seed++) {
        uint64_t state = seed;
        size_t n = 1 + random_below(&state, seed % 10 == 0 ? BODY_MAX : 3000), at = 0;
        begin(&s);
        (void)send_head(&s, 200, false);
        while (at < n && !has_failed) {
            size_t len = 1 + random_below(&state, n);
            len = len < n - at ? len : n - at;
            fills = random_below(&state, 4) == 0;
            at += len;
            (void)send_bytes(&s, slice_new(body_text + at - len, len),
                             at == n && seed % 2 == 0);
            if (random_below(&state, 3) != 0)
                (void)drain(&s);
        }
        if (seed % 2 != 0)
            (void)send_bytes(&s, slice_of(""), true);
        (void)drain(&s);
        is_whole(n);
        end(&s);
    }
    end_server();
}

static void
test_trailers(void)
{
    struct http_field field = {.name = slice_of("x"), .value = slice_of("y")};
    struct stream s;

    begin_server(1);
    for (size_t n = 10; n < BODY_MAX; n = n * 50) {
        for (int taken = 0; taken < 2; taken++) {
            begin(&s);
            s.te_trailers = taken;
            is(send_head(&s, 200, true), 0, "a head");
            (void)send_bytes(&s, slice_new(body_text, n), true);
            is(stream_send_trailers(&s, &field, 1), 0, "trailers");
            (void)drain(&s);
            is_whole(n);
            is(has_trailers, taken, "trailers follow the body if they were accepted");
            end(&s);
        }
    }
    end_server();
}

static void
test_a_file(void)
{
    char path[] = "/tmp/test_compressXXXXXX";
    int fd = mkstemp(path);
    struct stream s;

    unlink(path);
    ok(fd >= 0 && write(fd, body_text, 200000) == 200000, "a file");
    struct file *file = file_new(fd);
    begin_server(1);
    begin(&s);
    is(send_head(&s, 200, false), 0, "a head");
    struct chunk chunk = {.bytes = slice_new(NULL, 200000), .file = file};
    is(stream_send_body(&s, &chunk, true), 0, "a file");
    ok(s.state == STREAM_HEAD_SENT, "is read in slices");
    (void)drain(&s);
    is_whole(200000);
    end(&s);
    begin(&s);
    is(send_head(&s, 200, false), 0, "a head");
    chunk.bytes.len = 200001;
    is(stream_send_body(&s, &chunk, true), 0, "a file that has become shorter");
    (void)drain(&s);
    ok(has_failed && !has_ended, "is truncated visibly");
    end(&s);
    begin(&s);
    is(send_head(&s, 200, false), 0, "a head");
    chunk.offset = 200000;
    chunk.bytes.len = 1;
    is(stream_send_body(&s, &chunk, true), ERR_FILE, "one that is empty");
    ok(has_failed, "is truncated at once");
    end(&s);
    file_release(file);
    end_server();
}

static void
test_what_passes(void)
{
    struct stream s;

    begin_server(1);
    is(begin_with(&s, "gzip", "/secret/x"), 0, "an excluded path");
    ok(s.filters == NULL, "has no filter");
    is(begin_with(&s, "identity", "/"), 0, "a client that accepts none");
    is(send_head(&s, 200, false), 0, "a head");
    is_text(head_text, "content-type: text/plain;etag: \"a\";vary: Accept-Encoding;",
            "has Vary nevertheless");
    is(send_bytes(&s, slice_of("abc"), true), 0, "a body");
    ok(nwire == 3 && memcmp(wire, "abc", 3) == 0, "unchanged");
    end(&s);
    begin(&s);
    is(send_head(&s, 206, false), 0, "a part");
    is_text(head_text, "content-type: text/plain;etag: \"a\";", "passes unchanged");
    end(&s);
    begin(&s);
    is(send_head(&s, 304, false), 0, "a confirmation of an encoded body");
    is_text(head_text, "content-type: text/plain;etag: W/\"a\";vary: Accept-Encoding;",
            "the ETag is weak");
    end(&s);
    end_server();
}

static void
test_head(void)
{
    struct stream s;

    begin_server(1);
    begin(&s);
    s.is_head = true;
    is(send_head(&s, 200, false), 0, "a head");
    is_text(head_text,
            "content-type: text/plain;etag: W/\"a\";content-encoding: gzip;"
            "vary: Accept-Encoding;",
            "has the fields of GET");
    is(send_bytes(&s, slice_of("abc"), true), 0, "a body");
    ok(nwire == 0 && has_ended, "is dropped");
    end(&s);
    end_server();
}

static void
test_no_more_bodies_than_allowed(void)
{
    struct stream one, two;

    begin_server(1);
    begin(&one);
    is(send_head(&one, 200, false), 0, "a head");
    begin(&two);
    is(send_head(&two, 200, false), 0, "another");
    is_text(head_text, "content-type: text/plain;etag: \"a\";vary: Accept-Encoding;",
            "is not encoded");
    end(&two);
    end(&one);
    begin(&two);
    is(send_head(&two, 200, false), 0, "one after them");
    ok(strstr(head_text, "gzip") != NULL, "is");
    end(&two);
    end_server();
}

static void
test_the_exchange_ends_anywhere(void)
{
    struct stream s;

    begin_server(1);
    for (unsigned after = 0; after < 5; after++) {
        begin(&s);
        is(send_head(&s, 200, false), 0, "a head");
        dies = after == 0;
        int err = send_bytes(&s, slice_new(body_text, BODY_MAX), true);
        is(err, after == 0 ? ERR_CLOSED : 0, "a long body");
        for (unsigned i = 1; i < after; i++)
            stream_drained(&s);
        dies = true;
        if (after > 1 && s.state != STREAM_CLOSED)
            stream_drained(&s);
        if (s.state != STREAM_CLOSED)
            stream_close(&s, ERR_RESET);
        ok(s.filters == NULL, "the filter is freed");
    }
    end_server();
}

/* A protocol may notify the handler, which sends more, while a body is encoded. */
static void
test_a_wire_that_calls_back(void)
{
    struct stream s;

    begin_server(1);
    for (int more = 0; more < 2; more++) {
        begin(&s);
        is(send_head(&s, 200, false), 0, "a head");
        calls_back = true;
        sends_more = more != 0;
        (void)send_bytes(&s, slice_new(body_text, 300000), false);
        (void)drain(&s);
        is(nwritable, 1, "the handler is notified once, after the body");
        is(send_bytes(&s, slice_new(body_text + 300000 + 5 * more, 7), true), 0,
           "the end");
        (void)drain(&s);
        is_whole((size_t)(300007 + 5 * more));
        end(&s);
    }
    end_server();
}

static void
test_trailers_after_bytes_that_cannot_be_sent(void)
{
    struct http_field field = {.name = slice_of("x"), .value = slice_of("y")};
    struct stream s;

    begin_server(1);
    begin(&s);
    s.te_trailers = true;
    is(send_head(&s, 200, true), 0, "a head");
    (void)send_bytes(&s, slice_new(body_text, 300000), true);
    says = ERR_NOMEM;
    is(stream_send_trailers(&s, &field, 1), ERR_NOMEM, "there is no memory");
    ok(has_failed && !has_trailers, "the response is truncated visibly");
    end(&s);
    end_server();
}

/* Sends a long body while the n-th allocation fails; returns whether any did. */
static bool
send_without_memory(struct stream *s, unsigned long n, int *err)
{
    mem_fail_at(n);
    *err = begin_with(s, "gzip", "/");
    if (*err == 0)
        *err = send_head(s, 200, false);
    if (*err == 0)
        *err = send_bytes(s, slice_new(body_text, 300000), true);
    while (*err == 0 && s->waits_for_writable && s->state == STREAM_HEAD_SENT)
        stream_drained(s);
    bool failed = mem_count() >= n;
    mem_fail_at(0);
    return failed;
}

static void
test_no_memory(void)
{
    struct stream s;
    bool failed = true;
    int err;

    for (unsigned long n = 1; n < 100 && failed; n++) {
        begin_server(1);
        failed = send_without_memory(&s, n, &err);
        bool is_coded = err == 0 && strstr(head_text, "gzip") != NULL && !has_failed;
        ok(err == 0 || err == ERR_NOMEM, "allocation %lu", n);
        ok(failed || is_coded, "only a failure fails");
        if (is_coded)
            is_whole(300000);
        if (s.state != STREAM_CLOSED)
            stream_close(&s, s.state == STREAM_ENDED ? 0 : ERR_RESET);
        ok(s.filters == NULL, "the filter is freed");
        end_server();
    }
    ok(!failed, "the allocations end");
}

static void
test_a_file_without_memory(void)
{
    char path[] = "/tmp/test_compressXXXXXX";
    int fd = mkstemp(path), err = ERR_NOMEM;

    unlink(path);
    ok(write(fd, body_text, 1000) == 1000, "a file");
    struct file *file = file_new(fd);
    for (unsigned n = 1; err != 0 && n < 20; n++) {
        struct chunk chunk = {.bytes = slice_new(NULL, 1000), .file = file};
        struct stream s;
        begin_server(1);
        begin(&s);
        is(send_head(&s, 200, false), 0, "a head");
        mem_fail_at(n);
        err = stream_send_body(&s, &chunk, true);
        mem_fail_at(0);
        ok(err == 0 || (err == ERR_NOMEM && has_failed), "allocation %u", n);
        end(&s);
        end_server();
    }
    is(err, 0, "then it is sent");
    file_release(file);
}

static void
test_a_head_that_is_rejected(void)
{
    struct stream s;

    begin_server(1);
    begin(&s);
    says = ERR_NOMEM;
    is(send_head(&s, 200, false), ERR_NOMEM, "no memory");
    is(compressor.encoders.nlent, 0, "no encoder is taken");
    says = 0;
    is(send_head(&s, 200, false), 0, "again");
    says = ERR_NOMEM;
    is(send_bytes(&s, slice_of("abc"), true), ERR_NOMEM, "no memory for the body");
    ok(has_failed, "the exchange is over");
    end(&s);
    end_server();
}

static void
test_the_codings_offered(void)
{
    struct compress_config config = COMPRESS_CONFIG_DEFAULT;

    compressor_init(&compressor, &config, &service);
    is(compressor.offered[compressor.noffered - 1], CODING_GZIP, "all, gzip last");
    compressor_fini(&compressor);
    config.codings = slice_of("gzip, deflate, gzip, identity");
    compressor_init(&compressor, &config, &service);
    is(compressor.noffered, 1, "those that are known, once");
    compressor_fini(&compressor);
    compressor_fini(&(struct compressor){0});
}

int
main(void)
{
    uint64_t state = 7;

    for (size_t i = 0; i < BODY_MAX; i++)
        body_text[i] = i % 5000 < 4000 ? "abcdefgh "[random_below(&state, 9)]
                                       : (char)random_next(&state);
    test_a_whole_body();
    test_each_message_is_sent_at_once();
    test_a_long_body_is_divided();
    test_the_handler_waits_for_what_is_left();
    test_a_wire_that_is_full();
    test_any_segmentation();
    test_trailers();
    test_a_file();
    test_what_passes();
    test_head();
    test_no_more_bodies_than_allowed();
    test_the_exchange_ends_anywhere();
    test_a_wire_that_calls_back();
    test_trailers_after_bytes_that_cannot_be_sent();
    test_a_file_without_memory();
    test_no_memory();
    test_a_head_that_is_rejected();
    test_the_codings_offered();
    return tap_done();
}
