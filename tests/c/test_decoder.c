/* SPDX-License-Identifier: MIT */
/* tests/c/test_decoder.c — decoders: any segmentation of input and room, what is not
 * valid, memory that fails, and those that are kept. */
#include "coding/decoder.c"
#include "coding/decoder_gzip.c"
#ifdef HAVE_BROTLI
#include "coding/decoder_brotli.c"
#endif
#ifdef HAVE_ZSTD
#include "coding/decoder_zstd.c"
#endif

#include "aborts.h"
#include "coding/encoder.h"
#include "random.h"
#include "tap.h"

#define TEXT_BYTES 60000u

static char text[TEXT_BYTES], packed[2 * TEXT_BYTES], back[2 * TEXT_BYTES];
static size_t npacked;

/* Encodes the first `n` bytes of the text. */
static void
pack(enum coding coding, size_t n)
{
    struct encoders encoders = {.nlent_max = 1, .levels = {5, 5, 5, 5}};
    struct encoder *e = encoders_take(&encoders, coding, n);
    struct slice in = slice_new(text, n);

    ok(e != NULL &&
           e->ops->write(e, &in, ENCODER_END, packed, sizeof packed, &npacked) == 0,
       "a body of %zu bytes", n);
    encoders_give(&encoders, e);
    encoders_fini(&encoders);
}

/* Decodes packed[0, n) in parts of `part` into at most `room` at a time. Returns the last
 * result; *len becomes the number of bytes. */
static int
unpack(struct decoder *d, size_t n, size_t part, size_t room, size_t *len)
{
    int err = ERR_AGAIN;
    bool is_full = false;

    *len = 0;
    for (size_t at = 0; err == ERR_AGAIN && (at < n || is_full);) {
        struct slice in = slice_new(packed + at, n - at < part ? n - at : part);
        size_t had = in.len, written;
        err = d->ops->read(d, &in, back + *len, room, &written);
        at += had - in.len;
        *len += written;
        is_full = written == room;
        if (written > room || *len + room > sizeof back)
            return -1000;
    }
    return err;
}

static void
test_any_segmentation(enum coding coding)
{
    static const size_t parts[] = {1, 13, 4096, 2 * TEXT_BYTES};
    static const size_t rooms[] = {1, 100, 65536};
    struct decoders decoders = {.nlent_max = 1};
    struct decoder *d;
    size_t len;

    for (size_t n = 0; n <= TEXT_BYTES; n = n * 40 + 37) {
        pack(coding, n);
        for (unsigned i = 0; i < 12; i++) {
            is(decoders_take(&decoders, coding, &d), 0, "a decoder");
            is(unpack(d, npacked, parts[i / 3], rooms[i % 3], &len), 0,
               "parts of %zu bytes to %zu", parts[i / 3], rooms[i % 3]);
            ok(len == n && memcmp(back, text, n) == 0, "are the body");
            decoders_give(&decoders, d);
        }
    }
    is(decoders.nkept[coding], 1, "one decoder has served all bodies");
    decoders_fini(&decoders);
    decoders_fini(&decoders);
}

static void
test_what_is_not_valid(enum coding coding)
{
    struct decoders decoders = {.nlent_max = 1};
    uint64_t seed = 5;
    struct decoder *d;
    size_t len;

    pack(coding, TEXT_BYTES);
    is(decoders_take(&decoders, coding, &d), 0, "a decoder");
    is(unpack(d, npacked - 1, 100, 1000, &len), ERR_AGAIN, "a truncated body");
    decoders_give(&decoders, d);
    for (int i = 0; i < 200; i++) {
        size_t at = random_below(&seed, npacked);
        char was = packed[at];
        packed[at] = (char)random_next(&seed);
        is(decoders_take(&decoders, coding, &d), 0, "a decoder");
        int err = unpack(d, npacked, 100, 1000, &len);
        ok(err == 0 || err == ERR_AGAIN || err == ERR_BODY_CODING,
           "a byte that has changed");
        decoders_give(&decoders, d);
        packed[at] = was;
    }
    memset(packed, 0x7f, 100);
    is(decoders_take(&decoders, coding, &d), 0, "a decoder");
    is(unpack(d, 100, 100, 1000, &len), ERR_BODY_CODING, "what is none at all");
    decoders_give(&decoders, d);
    decoders_fini(&decoders);
}

#ifdef UNZSTD_WINDOW_LOG_MAX
/* libzstd reads formats before RFC 8878 if it gets their first four bytes at once, also
 * in the middle of a header. */
static void
test_old_formats_of_zstd_are_not_valid(void)
{
    struct decoders decoders = {.nlent_max = 1};
    struct decoder *d;
    size_t len;

    memcpy(packed, "\x28\xb5\x2f\xfd\x04\xf3\x20\x77", 8);
    for (int first = 0x1e; first < 0x28; first++) {
        packed[0] = (char)first;
        for (size_t part = 1; part <= 8; part++) {
            is(decoders_take(&decoders, CODING_ZSTD, &d), 0, "a decoder");
            is(unpack(d, 8, part, 1000, &len), ERR_BODY_CODING,
               "the format of 0x%x, in parts of %zu", first, part);
            decoders_give(&decoders, d);
        }
    }
    memcpy(packed, "\x28\xb5\x2f\xfd\xae\x58\x41\x03\x25\xb5\x2f\xfd\x04\xf3\x20\xc5",
           16);
    for (size_t part = 1; part <= 16; part++) {
        is(decoders_take(&decoders, CODING_ZSTD, &d), 0, "a decoder");
        is(unpack(d, 16, part, 1000, &len), ERR_BODY_CODING,
           "an old format in a header, in parts of %zu", part);
        decoders_give(&decoders, d);
    }
    decoders_fini(&decoders);
}
#endif

static void
test_memory_that_fails(enum coding coding)
{
    struct decoder *d = NULL;
    bool failed = true;
    size_t len;

    pack(coding, TEXT_BYTES);
    for (unsigned long n = 1; n < 100 && failed; n++) {
        struct decoders decoders = {.nlent_max = 1};
        mem_fail_at(n);
        int err = decoders_take(&decoders, coding, &d);
        if (err == 0)
            err = unpack(d, npacked, 100, 1000, &len);
        failed = mem_count() >= n;
        mem_fail_at(0);
        is(err, failed ? ERR_NOMEM : 0, "allocation %lu", n);
        if (decoders.nlent > 0)
            decoders_give(&decoders, d);
        decoders_fini(&decoders);
    }
    ok(!failed, "the allocations end");
}

static void
take_identity(void *arg)
{
    struct decoder *d;

    (void)!decoders_take(arg, CODING_IDENTITY, &d);
}

static void
test_decoders_are_kept(void)
{
    struct decoders decoders = {.nlent_max = 3};
    struct decoder *d[4];

    for (int i = 0; i < 3; i++)
        is(decoders_take(&decoders, CODING_GZIP, &d[i]), 0, "decoder %d", i);
    is(decoders_take(&decoders, CODING_GZIP, &d[3]), ERR_DECODERS, "no more are lent");
    for (int i = 0; i < 3; i++)
        decoders_give(&decoders, d[i]);
    decoders_give(&decoders, NULL);
    is(decoders.nkept[CODING_GZIP], DECODERS_KEPT, "some are kept");
    ok(decoder_find(CODING_IDENTITY) == NULL && decoder_find(CODING_END) == NULL,
       "no coding has no decoder");
    ok(aborts(take_identity, &decoders), "and none is taken");
    decoders_fini(&decoders);
}

int
main(void)
{
    uint64_t seed = 3;

    for (size_t i = 0; i < TEXT_BYTES; i++)
        text[i] = i % 5000 < 4500 ? "abcdefgh "[random_below(&seed, 9)]
                                  : (char)random_next(&seed);
    for (enum coding coding = 0; coding < CODING_END; coding++) {
        if (decoder_find(coding) == NULL)
            continue;
        test_any_segmentation(coding);
        test_what_is_not_valid(coding);
        test_memory_that_fails(coding);
    }
#ifdef UNZSTD_WINDOW_LOG_MAX
    test_old_formats_of_zstd_are_not_valid();
#endif
    test_decoders_are_kept();
    return tap_done();
}
