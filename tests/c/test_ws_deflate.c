/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_deflate.c — messages from RFC 7692 7.2.3, in both directions,
 * decompression bombs, and allocation failures. */
#include "ws/deflate.c"

#include <stdlib.h> /* malloc */

#include "tap.h"
#include "ws_unpack.h"

struct fixture {
    struct ws_deflate_config config;
    struct ws_spares spares;
    struct ws_deflate_pool pool;
    struct ws_deflate d;
    size_t room; /* of a slice */
};

static void
begin(struct fixture *f, bool takeover)
{
    *f = (struct fixture){.config = WS_DEFLATE_CONFIG_DEFAULT,
                          .room = f->room > 0 ? f->room : WS_UNPACK_OUT_BYTES};
    ws_deflate_pool_init(&f->pool, &f->config, &f->spares);
    f->d.params = (struct ws_deflate_params){true, takeover, takeover, 12, 15};
}

static void
end(struct fixture *f)
{
    ws_deflate_fini(&f->d, &f->pool);
    is(f->pool.nlent, 0, "no inflater is lent any more");
    ws_deflate_pool_fini(&f->pool);
    ws_spares_fini(&f->spares);
}

/* Inflates a payload and compares it with `want`; NULL: it must fail with `err`. */
static void
inflates(struct fixture *f, struct slice payload, const char *want, int err,
         const char *about)
{
    struct ws_bytes out = {0};
    int got = unpack_message(&f->d, &f->pool, payload, 100, f->room, &out);
    is(got, err, "%s", about);
    if (got == 0)
        ok(want != NULL && slice_equal(ws_bytes_slice(&out), slice_of(want)),
           "%s: the text", about);
    ws_bytes_give(&out, &f->spares);
}

#define B(text) slice_new(text, sizeof text - 1)

static void
test_examples(size_t room)
{
    struct fixture f = {.room = room};
    for (int takeover = 0; takeover < 2; takeover++) {
        begin(&f, takeover);
        inflates(&f, B("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello", 0, "one block");
        if (takeover)
            inflates(&f, B("\xf2\x00\x11\x00\x00"), "Hello", 0, "a kept window");
        inflates(&f, B("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello", 0,
                 "a stored block");
        inflates(&f, B("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello", 0,
                 "a final block");
        inflates(&f, B("\xf3\x48\xcd\xc9\xc9\x07\x00"), "Hello", 0,
                 "a final block without the empty one");
        if (takeover)
            inflates(&f, B("\xf2\x00\x11\x00\x00"), "Hello", 0,
                     "the window is kept after a final block");
        inflates(&f, B("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello",
                 0, "two blocks");
        inflates(&f, B("\x00"), "", 0, "nothing");
        inflates(&f, B(""), "", ERR_WS_DEFLATE, "not even a block");
        end(&f);
        begin(&f, takeover);
        inflates(&f, B("\xff\xff\xff\xff"), NULL, ERR_WS_DEFLATE, "not a block");
        end(&f);
        begin(&f, takeover);
        inflates(&f, B("\xf2\x48\xcd"), NULL, ERR_WS_DEFLATE, "half a block");
        end(&f);
    }
    begin(&f, false);
    inflates(&f, B("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello", 0, "a message");
    inflates(&f, B("\xf2\x00\x11\x00\x00"), NULL, ERR_WS_DEFLATE,
             "a window that is not kept");
    inflates(&f, B("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello", 0,
             "the shared stream is usable after an error");
    end(&f);
}

/* A stored block may contain the tail, which the peer has removed. */
static void
test_a_block_that_ends_with_the_tail(void)
{
    for (size_t room = 1; room < 12; room++) {
        for (int takeover = 0; takeover < 2; takeover++) {
            struct fixture f = {0};
            struct ws_bytes out = {0};
            begin(&f, takeover);
            is(unpack_message(&f.d, &f.pool,
                              B("\x00\x0a\x00\xf5\xff"
                                "Hello!"),
                              100, room, &out),
               0, "by %zu bytes", room);
            ok(slice_equal(ws_bytes_slice(&out), B("Hello!\0\0\xff\xff")),
               "it is whole");
            ws_bytes_give(&out, &f.spares);
            end(&f);
        }
    }
}

/* In both directions, like a client with the same window. */
static void
test_round_trips(void)
{
    static const size_t lengths[] = {0, 1, 5, 100, 4096, 70000, 300000};
    static const size_t rooms[] = {WS_UNPACK_OUT_BYTES, 1, 4096, 257, 30000};
    char *text = malloc(300000);
    for (size_t i = 0; i < 300000; i++)
        text[i] = (char)((i * 31 % 251) ^ (i / 3));
    for (int takeover = 0; takeover < 2; takeover++) {
        struct fixture f = {0};
        begin(&f, takeover);
        size_t first = 0, second = 0;
        for (size_t i = 0; i < 2 * COUNT(lengths); i++) {
            struct slice in = {text, lengths[i / 2]};
            struct ws_bytes packed = {0}, out = {0};
            is(ws_deflate_pack(&f.d, &f.pool, in, &packed), 0, "%zu bytes", in.len);
            if (i / 2 == 3)
                *(i % 2 == 0 ? &first : &second) = packed.len;
            is(unpack_message(&f.d, &f.pool, ws_bytes_slice(&packed), 300000,
                              rooms[i % COUNT(rooms)], &out),
               0, "and back from %zu", packed.len);
            ok(slice_equal(ws_bytes_slice(&out), in), "they are the same");
            ws_bytes_give(&packed, &f.spares);
            ws_bytes_give(&out, &f.spares);
        }
        ok(takeover ? second < first : second == first,
           "the same again takes %zu bytes after %zu", second, first);
        end(&f);
    }
    free(text);
}

/* A million zeros in about 1,000 bytes. */
static void
test_a_bomb_uses_at_most_the_limit(void)
{
    enum { BOMB = 1000000 };
    struct fixture f = {0};
    char *zeros = calloc(1, BOMB);
    struct ws_bytes packed = {0}, out = {0};
    begin(&f, false);
    f.config.level = 9;
    is(ws_deflate_pack(&f.d, &f.pool, slice_new(zeros, BOMB), &packed), 0, "a bomb");
    ok(packed.len < BOMB / 500, "of %zu bytes", packed.len);
    is(unpack_message(&f.d, &f.pool, ws_bytes_slice(&packed), 20000, 4096, &out),
       ERR_WS_TOO_BIG, "passes the limit");
    size_t held = 0;
    for (int i = 0; i < WS_SPARES; i++)
        held = f.spares.bytes[i].cap > held ? f.spares.bytes[i].cap : held;
    is(held, 20001, "not more was held");
    is(unpack_message(&f.d, &f.pool, ws_bytes_slice(&packed), BOMB - 1, 65536, &out),
       ERR_WS_TOO_BIG, "one byte over the limit");
    is(unpack_message(&f.d, &f.pool, ws_bytes_slice(&packed), BOMB, 65536, &out), 0,
       "exactly the limit");
    is(out.len, BOMB, "it is whole");
    ws_bytes_give(&packed, &f.spares);
    ws_bytes_give(&out, &f.spares);
    end(&f);
    free(zeros);
}

static void
test_memory_runs_out(void)
{
    for (int takeover = 0; takeover < 2; takeover++) {
        unsigned long n = 0;
        int err;
        do {
            struct fixture f = {0};
            struct ws_bytes packed = {0}, out = {0};
            begin(&f, takeover);
            char text[3000];
            memset(text, 'x', sizeof text);
            mem_fail_at(++n);
            err = ws_deflate_pack(&f.d, &f.pool, slice_new(text, sizeof text), &packed);
            if (err == 0)
                err = unpack_message(&f.d, &f.pool, ws_bytes_slice(&packed), 5000, 1000,
                                     &out);
            mem_fail_at(0);
            if (err != 0 && err != ERR_NOMEM)
                break;
            ws_bytes_give(&packed, &f.spares);
            ws_bytes_give(&out, &f.spares);
            end(&f);
        } while (err == ERR_NOMEM && n < 100);
        is(err, 0, "each of %lu allocations may fail", n - 1);
        ok(n > 5, "there were some");
    }
}

/* A slice never exceeds its size, however much is available. */
static void
test_the_size_of_a_slice_is_limited(void)
{
    enum { LONG = 1 << 20 };
    struct fixture f = {0};
    struct ws_bytes packed = {0};
    char *text = malloc(LONG), *to = malloc(WS_UNPACK_OUT_BYTES);
    uint32_t seed = 1;
    begin(&f, false);
    for (size_t i = 0; i < LONG; i++)
        text[i] = (char)(((seed = seed * 1103515245u + 12345u) >> 16) % 100);
    is(ws_deflate_pack(&f.d, &f.pool, slice_new(text, LONG), &packed), 0, "a message");
    struct slice in = ws_bytes_slice(&packed);
    size_t most = 0, done = 0, n, nslices = 0;
    bool same = true;
    int err;
    do {
        size_t before = in.len;
        err = ws_deflate_unpack(&f.d, &f.pool, &in, to, WS_UNPACK_OUT_BYTES, &n);
        same = same && n <= LONG - done && memcmp(to, text + done, n) == 0;
        most = before - in.len > most ? before - in.len : most;
        done += n;
        nslices++;
        ok(nslices > 1000 || f.pool.nlent == (err == ERR_AGAIN), "an inflater is lent");
    } while (err == ERR_AGAIN && nslices < 1000);
    ok(err == 0 && same && done == LONG, "%zu slices are the message", nslices);
    is(most, WS_UNPACK_IN_BYTES, "no slice uses more input");
    is(f.pool.nkept, 1, "the inflater is kept");
    ws_bytes_give(&packed, &f.spares);
    end(&f);
    free(text);
    free(to);
}

/* There are as many inflaters as half-inflated messages; a few are kept. */
static void
test_inflaters_are_lent_and_kept(void)
{
    enum { MANY = WS_INFLATERS_KEPT + 4 };
    struct fixture f = {0};
    struct ws_deflate all[MANY] = {0};
    struct slice payload = B("\xf2\x48\xcd\xc9\xc9\x07\x00");
    begin(&f, false);
    for (int round = 0; round < 2; round++) {
        struct slice rest[MANY];
        unsigned ngood = 0, nagain = 0;
        for (int i = 0; i < MANY; i++) {
            char c;
            size_t n;
            all[i].params = f.d.params;
            rest[i] = payload;
            nagain +=
                ws_deflate_unpack(&all[i], &f.pool, &rest[i], &c, 1, &n) == ERR_AGAIN;
        }
        is(nagain, MANY, "%d messages are half inflated", MANY);
        is(f.pool.nlent, MANY, "each with an inflater");
        is(f.pool.nkept, 0, "none is idle");
        for (int i = 0; i < MANY - 1; i++) {
            char text[10];
            size_t n;
            ngood += ws_deflate_unpack(&all[i], &f.pool, &rest[i], text, 10, &n) == 0 &&
                     n == 4 && memcmp(text, "ello", 4) == 0;
        }
        is(ngood, MANY - 1, "all but one are completed");
        is(f.pool.nlent, 1, "and release what they had");
        ws_deflate_fini(&all[MANY - 1], &f.pool);
        is(f.pool.nkept, WS_INFLATERS_KEPT, "some are kept");
    }
    end(&f);
}

/* Two long messages are compressed at a time; one deflater is kept for the next. */
static void
test_deflaters_are_lent_and_one_is_kept(void)
{
    struct fixture f = {0};

    begin(&f, false);
    z_stream *one = ws_deflate_pack_begin(&f.d, &f.pool);
    z_stream *two = ws_deflate_pack_begin(&f.d, &f.pool);
    ok(one != NULL && two != NULL && one != two, "each message has its own");
    ws_deflate_pack_end(&f.d, &f.pool, one);
    ws_deflate_pack_end(&f.d, &f.pool, two);
    ok(ws_deflate_pack_begin(&f.d, &f.pool) == one, "the first that ends is kept");
    ws_deflate_pack_end(&f.d, &f.pool, one);
    end(&f);
}

int
main(void)
{
    for (size_t room = 1; room < 9; room++)
        test_examples(room);
    test_examples(WS_UNPACK_OUT_BYTES);
    test_a_block_that_ends_with_the_tail();
    test_the_size_of_a_slice_is_limited();
    test_inflaters_are_lent_and_kept();
    test_round_trips();
    test_a_bomb_uses_at_most_the_limit();
    test_memory_runs_out();
    test_deflaters_are_lent_and_one_is_kept();
    return tap_done();
}
