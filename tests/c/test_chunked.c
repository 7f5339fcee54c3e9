/* SPDX-License-Identifier: MIT */
/* tests/c/test_chunked.c — how chunked bodies are decoded, which ones are rejected
 * and at what cost, however their bytes arrive. */
#include "http1/chunked.c"

#include <stdlib.h> /* malloc, free */

#include "tap.h"

static const struct http_limits narrow = {
    .trailer_bytes = 20,
    .trailer_fields = 3,
    .chunk_overhead_bytes = 40,
};

static const struct {
    const char *about, *in;
    int want;         /* 0: ended */
    const char *body; /* what was decoded until then */
    size_t rest;      /* bytes after the body */
} bodies[] = {
    {"an empty body", "0\r\n\r\n", 0, "", 0},
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", 0, "hello", 0},
    {"two chunks and what follows", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET", 0, "hello!",
     3},
    {"digits of both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", 0,
     "01234567890123456789", 0},
    {"leading zeros", "005\r\nhello\r\n000\r\n\r\n", 0, "hello", 0},
    {"sixteen digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", 0, "hello", 0},
    {"seventeen digits", "00000000000000005\r\nhello\r\n", ERR_CHUNK_SIZE, "", 0},
    {"2^63 bytes", "8000000000000000\r\n", ERR_CHUNK_SIZE, "", 0},
    {"2^63 - 1 bytes", "7fffffffffffffff\r\nhello", ERR_AGAIN, "hello", 0},
    {"2^64 + 5 bytes", "10000000000000005\r\nhello\r\n", ERR_CHUNK_SIZE, "", 0},
    {"data that looks like framing", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", 0, "0\r\n\r\n", 0},
    {"CR LF as data", "2\r\n\r\n\r\n0\r\n\r\n", 0, "\r\n", 0},

    {"no size", "\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a sign", "+5\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a prefix", "0x5\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a space before the size", " 5\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a space after the size", "5 \r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"no digit", "g\r\n", ERR_CHUNK_SIZE, "", 0},
    {"LF after the size", "5\nhello", ERR_CHUNK_SIZE, "", 0},
    {"CR after the size", "5\rhello", ERR_CHUNK_SIZE, "", 0},

    {"an extension", "5;a\r\nhello\r\n0;b\r\n\r\n", 0, "hello", 0},
    {"one with a value", "5;a=b;c=d\r\nhello\r\n0\r\n\r\n", 0, "hello", 0},
    {"one in quotes", "1;a=\"\t;\\\"\x80 \"\r\n!\r\n0\r\n\r\n", 0, "!", 0},
    {"quotes and another", "1;a=\"\";b\r\n!\r\n0\r\n\r\n", 0, "!", 0},
    {"no name", "5;\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"no value", "5;a=\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a space in an extension", "5;a b\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a space before an extension", "5 ;a\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"an LF in an extension", "5;a\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a CR in an extension", "5;a\rb\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a CR in quotes", "5;a=\"\r\n\"\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"a CR escaped in quotes", "5;a=\"\\\r\n\"\r\nhello", ERR_CHUNK_SIZE, "", 0},
    {"something after quotes", "5;a=\"b\"c\r\nhello", ERR_CHUNK_SIZE, "", 0},

    {"no CR LF after data", "5\r\nhello0\r\n\r\n", ERR_CHUNK_DATA, "hello", 0},
    {"LF after data", "5\r\nhello\n0\r\n\r\n", ERR_CHUNK_DATA, "hello", 0},
    {"CR after data", "5\r\nhello\r0\r\n\r\n", ERR_CHUNK_DATA, "hello", 0},

    {"a trailer", "0\r\nX: a\r\n\r\nGET", 0, "", 3},
    {"one that looks like a request", "0\r\nX:GET / HTTP/1.1\r\n\r\n", 0, "", 0},
    {"trailers at the limit of fields", "0\r\na:\r\nb:\r\nc:\r\n\r\n", 0, "", 0},
    {"trailers over it", "0\r\na:\r\nb:\r\nc:\r\nd", ERR_TOO_MANY_TRAILERS, "", 0},
    {"trailers at the limit of bytes", "0\r\na:34567890123456\r\n\r\n", 0, "", 0},
    {"trailers over that", "0\r\na:345678901234567\r\n\r\n", ERR_TRAILER_TOO_LARGE, "",
     0},
    {"a length as a trailer", "0\r\nConTent-Length: 1\r\n\r\n", ERR_TRAILER, "", 0},
    {"a host as a trailer", "0\r\nHost: b\r\n\r\n", ERR_TRAILER, "", 0},
    {"a longer name than host", "0\r\nHosts: b\r\n\r\n", 0, "", 0},
    {"a shorter name than host", "0\r\nhos: b\r\n\r\n", 0, "", 0},
    {"a forbidden second one", "0\r\na: b\r\nte: b\r\n\r\n", ERR_TRAILER, "", 0},
    {"no colon", "0\r\nbad trailer\r\n\r\n", ERR_TRAILER, "", 0},
    {"a folded trailer", "0\r\na: b\r\n c\r\n\r\n", ERR_TRAILER, "", 0},
    {"a trailer without a name", "0\r\n: b\r\n\r\n", ERR_TRAILER, "", 0},
    {"a bell in a trailer", "0\r\na: \a\r\n\r\n", ERR_TRAILER, "", 0},
    {"LF after a trailer", "0\r\na: b\n\r\n", ERR_TRAILER, "", 0},
    {"CR in a trailer", "0\r\na: b\rc\r\n\r\n", ERR_TRAILER, "", 0},
    {"LF for the last line", "0\r\n\n", ERR_TRAILER, "", 0},
    {"CR for the last line", "0\r\n\rG", ERR_TRAILER, "", 0},

    {"no end", "5\r\nhello\r\n0\r\n", ERR_AGAIN, "hello", 0},
    {"no last chunk", "5\r\nhello\r\n", ERR_AGAIN, "hello", 0},
    {"framing at the limit", "1;a=3456789012345678901234567890123456\r\n!\r", ERR_AGAIN,
     "!", 0},
    {"framing over it", "1;a=345678901234567890123456789012345678901",
     ERR_CHUNK_OVERHEAD, "", 0},
};

/* Decodes `in` in a first step of `cut` bytes and then steps of `step`, each in its
 * own memory; collects the body. */
static int
decode(struct slice in, size_t cut, size_t step, char *body, size_t *nbody,
       size_t *nrest)
{
    struct h1_chunked c = {0};
    size_t from = 0, to = cut;
    int err;
    *nbody = 0;
    do {
        char *bytes = malloc(to > from ? to - from : 1);
        memcpy(bytes, in.ptr + from, to - from);
        struct slice piece = slice_new(bytes, to - from);
        struct slice data;
        while ((err = h1_chunked_decode(&c, &narrow, &piece, &data)) == 0 && !c.ended) {
            memcpy(body + *nbody, data.ptr, data.len);
            *nbody += data.len;
        }
        *nrest = in.len - to + piece.len;
        free(bytes);
        from = to;
        to = in.len - to < step ? in.len : to + step;
    } while (err == ERR_AGAIN && from < in.len);
    return err;
}

static bool
comes_out(size_t i, size_t cut, size_t step)
{
    char body[128];
    size_t nbody, nrest;
    int err = decode(slice_of(bodies[i].in), cut, step, body, &nbody, &nrest);
    return err == bodies[i].want &&
           slice_equal(slice_new(body, nbody), slice_of(bodies[i].body)) &&
           (err != 0 || nrest == bodies[i].rest);
}

static void
test_bodies(void)
{
    for (size_t i = 0; i < COUNT(bodies); i++) {
        size_t len = strlen(bodies[i].in);
        ok(comes_out(i, len, 1), "%s", bodies[i].about);
        ok(comes_out(i, 0, 1), "%s, byte by byte", bodies[i].about);
        size_t cut = 0;
        while (cut < len && comes_out(i, cut, len))
            cut++;
        is(cut, len, "%s, cut anywhere", bodies[i].about);
    }
}

/* Sends `unit` repeatedly until it is rejected, at most n times. */
static int
flood(const char *unit, unsigned n, unsigned *count)
{
    const struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct h1_chunked c = {0};
    for (*count = 0; *count < n; ++*count) {
        struct slice in = slice_of(unit), data;
        int err;
        while ((err = h1_chunked_decode(&c, &limits, &in, &data)) == 0)
            ;
        if (err != ERR_AGAIN)
            return err;
    }
    return 0;
}

static void
test_overhead_is_limited(void)
{
    unsigned count;
    char unit[1200];
    is(flood("a\r\n0123456789\r\n", 100000, &count), 0, "100,000 chunks of 10 pass");
    is(flood("1\r\nx\r\n", 300, &count), 0, "300 chunks of 1 pass");
    is(flood("1\r\nx\r\n", 1000000, &count), ERR_CHUNK_OVERHEAD,
       "1,000,000 chunks of 1 do not");
    ok(count > 10000 && count < 20000, "they end at chunk %u", count);

    int n = snprintf(unit, sizeof unit, "64;%01024d\r\n%0100d\r\n", 1, 2);
    ok(n == 3 + 1024 + 2 + 100 + 2, "a unit of %d bytes", n);
    is(flood(unit, 10000, &count), ERR_CHUNK_OVERHEAD,
       "10,000 extensions of 1 KiB do not");
    ok(count < 100, "they end at chunk %u", count);
}

/* One-byte chunks, 10,000 per second: 40,000 bytes of framing in addition to their
 * data. */
static void
test_a_slow_stream_of_small_chunks_may_last(void)
{
    const struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct h1_chunked c = {0};
    struct slice data;
    int err = ERR_AGAIN;

    for (uint64_t n = 0; n < 1000000 && err == ERR_AGAIN; n++) {
        struct slice in = slice_of("1\r\nx\r\n");
        h1_chunked_tick(&c, 5000 + n / 10);
        while ((err = h1_chunked_decode(&c, &limits, &in, &data)) == 0)
            ;
    }
    is(err, ERR_AGAIN, "a stream of small chunks lasts for 100 s");
    is(c.body_bytes, 1000000, "all of it is decoded");
    for (unsigned n = 0; n < 20000 && err == ERR_AGAIN; n++) {
        struct slice in = slice_of("1\r\nx\r\n");
        h1_chunked_tick(&c, 5000 + 100000 + n / 100);
        while ((err = h1_chunked_decode(&c, &limits, &in, &data)) == 0)
            ;
    }
    is(err, ERR_CHUNK_OVERHEAD, "a flood after it is rejected");
}

/* A second forgives the excess, but not the credit of earlier data. */
static void
test_data_counts_for_more_than_its_second(void)
{
    const struct http_limits limits = {.chunk_overhead_bytes = 10};
    struct h1_chunked c = {.body_bytes = 100, .framing_bytes = 20};

    h1_chunked_tick(&c, 10000);
    is(c.framing_bytes, 20, "framing below the data stays as it is");
    c.framing_bytes = 108;
    h1_chunked_tick(&c, 10999);
    is(c.framing_bytes, 108, "less than a second forgives nothing");
    h1_chunked_tick(&c, 11000);
    is(c.framing_bytes, 100, "a second forgives what is beyond the data");
    struct slice in = slice_of("00000000000"), data;
    is(h1_chunked_decode(&c, &limits, &in, &data), ERR_CHUNK_OVERHEAD, "and not more");
}

static void
test_a_trailer_flood_ends_at_the_limit(void)
{
    const struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct h1_chunked c = {0};
    struct slice in = slice_of("0\r\n"), data;
    int err = h1_chunked_decode(&c, &limits, &in, &data);
    unsigned nlines = 0;
    for (; err == ERR_AGAIN && nlines < 2000; nlines++) {
        in = slice_of("x-trailer: y\r\n");
        err = h1_chunked_decode(&c, &limits, &in, &data);
    }
    is(err, ERR_TOO_MANY_TRAILERS, "2,000 trailers are too many");
    is(nlines, limits.trailer_fields + 1, "the limit is trailer_fields");
}

int
main(void)
{
    test_bodies();
    test_overhead_is_limited();
    test_a_slow_stream_of_small_chunks_may_last();
    test_data_counts_for_more_than_its_second();
    test_a_trailer_flood_ends_at_the_limit();
    return tap_done();
}
