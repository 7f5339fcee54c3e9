/* SPDX-License-Identifier: MIT */
/* tests/c/encoders.h — checks that the encoder of each coding passes: any segmentation of
 * input and room, flushes, memory that fails. The test defines decode(). */
#ifndef TESTS_ENCODERS_H
#define TESTS_ENCODERS_H

#include <stdlib.h> /* malloc */

#include "aborts.h"
#include "base/err.h"
#include "base/mem.h"
#include "coding/encoder.h"
#include "http/head.h"
#include "failing.h"
#include "tap.h"

/* Decodes in[0, n), which may be incomplete, to out[0, room). Returns the number of bytes,
 * and sets *ended if the coding is complete. */
static size_t decode(const char *in, size_t n, char *out, size_t room, bool *ended);

#define ENCODERS_TEXT 100000u

static char encoders_text[ENCODERS_TEXT], encoders_out[2 * ENCODERS_TEXT],
    encoders_back[2 * ENCODERS_TEXT];

/* Fills the text with dictionary words, and its last fifth with noise. */
static void
encoders_fill(void)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < ENCODERS_TEXT; i++) {
        seed = seed * 1664525u + 1013904223u;
        encoders_text[i] = i < ENCODERS_TEXT / 5 * 4 ? "abcdefgh "[(seed >> 24) % 9]
                                                     : (char)(seed >> 24);
    }
}

/* Encodes the first `n` bytes in parts of `part`, each flushed if `flushes`, with `room`
 * for each call. Returns the number of bytes written, or an error. */
static long
encoders_write(struct encoder *e, size_t n, size_t part, size_t room, bool flushes)
{
    size_t total = 0, at = 0;

    for (bool ends = false; !ends;) {
        size_t len = n - at < part ? n - at : part;
        struct slice in = slice_new(encoders_text + at, len);
        at += len;
        ends = at == n;
        enum encoder_mode mode = ends      ? ENCODER_END
                                 : flushes ? ENCODER_FLUSH
                                           : ENCODER_MORE;
        for (int err = ERR_AGAIN; err != 0;) {
            size_t written;
            err = e->ops->write(e, &in, mode, encoders_out + total, room, &written);
            if (err != 0 && err != ERR_AGAIN)
                return err;
            if (written > room || (err == 0 && in.len > 0))
                return -1000;
            total += written;
        }
    }
    return (long)total;
}

static bool
encoders_decodes(size_t encoded, size_t n)
{
    bool ended;
    size_t len =
        decode(encoders_out, encoded, encoders_back, sizeof encoders_back, &ended);

    return ended && len == n && memcmp(encoders_back, encoders_text, n) == 0;
}

static void
test_any_segmentation(struct encoders *encoders, enum coding coding)
{
    static const size_t parts[] = {1, 7, 1000, 65536, ENCODERS_TEXT};
    static const size_t rooms[] = {ENCODER_ROOM_MIN, 1000, ENCODERS_TEXT};

    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (unsigned k = 0; k < 6; k++) {
            size_t n = parts[i] == 1 ? 500 : ENCODERS_TEXT;
            struct encoder *e =
                encoders_take(encoders, coding, k % 2 ? n : HTTP_LENGTH_NONE);
            long encoded = encoders_write(e, n, parts[i], rooms[k / 2], k % 2 == 0);
            ok(encoded > 0 && encoders_decodes((size_t)encoded, n),
               "parts of %zu bytes into %zu", parts[i], rooms[k / 2]);
            encoders_give(encoders, e);
        }
    }
}

static void
test_a_flush_is_complete(struct encoders *encoders, enum coding coding)
{
    struct encoder *e = encoders_take(encoders, coding, HTTP_LENGTH_NONE);
    size_t total = 0, n, len = 0;
    bool ended;

    for (int i = 0; i < 20; i++) {
        struct slice in = slice_new(encoders_text + len, 37);
        len += in.len;
        is(e->ops->write(e, &in, ENCODER_FLUSH, encoders_out + total, 1000, &n), 0,
           "message %d", i);
        total += n;
        n = decode(encoders_out, total, encoders_back, sizeof encoders_back, &ended);
        ok(n == len && !ended && memcmp(encoders_back, encoders_text, len) == 0,
           "is decoded when it is flushed");
    }
    struct slice none = slice_of("");
    is(e->ops->write(e, &none, ENCODER_FLUSH, encoders_out + total, 1000, &n), 0,
       "a flush without input");
    total += n;
    is(e->ops->write(e, &none, ENCODER_END, encoders_out + total, 1000, &n), 0,
       "the end");
    ok(encoders_decodes(total + n, len), "the whole is decoded");
    encoders_give(encoders, e);
}

static void
test_a_body_that_is_left(struct encoders *encoders, enum coding coding)
{
    size_t n;

    for (int i = 0; i < 3; i++) {
        struct encoder *e = encoders_take(encoders, coding, ENCODERS_TEXT);
        struct slice in = slice_new(encoders_text, 5000);
        (void)e->ops->write(e, &in, ENCODER_MORE, encoders_out, 100, &n);
        encoders_give(encoders, e);
        e = encoders_take(encoders, coding, 3);
        long encoded = encoders_write(e, 3, 3, 1000, false);
        ok(encoders_decodes((size_t)encoded, 3), "leaves nothing for the next one");
        encoders_give(encoders, e);
    }
}

static void
test_an_empty_body(struct encoders *encoders, enum coding coding)
{
    struct encoder *e = encoders_take(encoders, coding, HTTP_LENGTH_NONE);

    ok(encoders_decodes((size_t)encoders_write(e, 0, 1, 1000, false), 0), "is decoded");
    encoders_give(encoders, e);
}

/* Each allocation through base/mem.h fails in turn. */
static void
test_memory_that_fails(enum coding coding)
{
    for (unsigned long n = 1; n < 200; n++) {
        struct encoders encoders = {.nlent_max = 1};
        encoders.levels[coding] = 4;
        mem_fail_at(n);
        struct encoder *e = encoders_take(&encoders, coding, HTTP_LENGTH_NONE);
        long encoded =
            e != NULL ? encoders_write(e, ENCODERS_TEXT, 7000, 1000, true) : ERR_NOMEM;
        bool failed = mem_count() >= n;
        mem_fail_at(0);
        encoders_give(&encoders, e);
        encoders_fini(&encoders);
        if (!failed) {
            ok(encoders_decodes((size_t)encoded, ENCODERS_TEXT), "without a failure");
            return;
        }
        is(encoded, ERR_NOMEM, "allocation %lu", n);
    }
    ok(false, "the allocations end");
}

/* A body ends with an error if the library fails in `call`. */
static void __attribute__((unused))
test_a_library_that_fails(enum coding coding, const char *call)
{
    struct encoders encoders = {.nlent_max = 1};
    struct slice in = slice_of("text");
    size_t n = 0;

    encoders.levels[coding] = 1;
    struct encoder *e = encoders_take(&encoders, coding, 10);
    ok(e != NULL, "an encoder");
    fault_of(call, 1, 0);
    int err = e->ops->write(e, &in, ENCODER_END, encoders_out, sizeof encoders_out, &n);
    (void)fault_stop();
    if (fault_name()[0] != '\0')
        is(err, ERR_NOMEM, "%s fails", call);
    encoders_give(&encoders, e);
    e = encoders_take(&encoders, coding, 10);
    ok(e != NULL && e->ops->write(e, &in, ENCODER_END, encoders_out,
                                  sizeof encoders_out, &n) == 0,
       "it can be used for the next body");
    encoders_give(&encoders, e);
    encoders_fini(&encoders);
}

/* There is no encoder if the library cannot create or reset one in `call`. */
static void __attribute__((unused))
test_a_library_that_cannot_begin(enum coding coding, const char *call)
{
    struct encoders encoders = {.nlent_max = 1};

    encoders.levels[coding] = 1;
    fault_of(call, 1, 0);
    struct encoder *e = encoders_take(&encoders, coding, 10);
    (void)fault_stop();
    ok(fault_name()[0] == '\0' || e == NULL, "%s fails", call);
    encoders_give(&encoders, e);
    is(encoders.nlent, 0, "none is lent");
    encoders_fini(&encoders);
}

static void
test_an_encoder(enum coding coding)
{
    struct encoders encoders = {.nlent_max = 4};
    const struct encoder_ops *ops = encoder_find(coding);

    encoders_fill();
    for (int level = 1; level <= ops->level_max; level += 4) {
        encoders.levels[coding] = (uint8_t)level;
        test_any_segmentation(&encoders, coding);
        test_a_flush_is_complete(&encoders, coding);
        test_a_body_that_is_left(&encoders, coding);
        test_an_empty_body(&encoders, coding);
        is(encoders.nkept[coding], 1, "one encoder has served all bodies");
        encoders_fini(&encoders);
    }
    test_memory_that_fails(coding);
}

#endif
