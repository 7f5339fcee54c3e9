/* SPDX-License-Identifier: MIT */
/* tests/c/test_buf.c — appended bytes come out in order, whatever is moved in
 * between; an empty buf owns nothing; a failed call changes nothing. */
#include "base/buf.c"

#include "random.h"
#include "tap.h"

static void
test_an_empty_buf_owns_no_memory(void)
{
    struct buf buf;

    buf_init(&buf);
    is(buf_bytes(&buf).len, 0, "a new buf has no bytes");
    is(buf_append(&buf, slice_new(NULL, 0)), 0, "nothing can be appended");
    ok(buf.data == NULL, "and needs no memory");
    is(buf_append(&buf, slice_of("abc")), 0, "something is appended");
    buf_consume(&buf, 2);
    is(buf_bytes(&buf).len, 1, "one byte is left");
    ok(buf.data != NULL, "and kept");
    buf_consume(&buf, 1);
    ok(buf.data == NULL && buf.cap == 0, "the last one frees the memory");
    is(buf_append(&buf, slice_of("again")), 0, "the buf can be used again");
    buf_release(&buf);
    ok(buf.data == NULL && buf_bytes(&buf).len == 0, "a released buf is empty");
    buf_release(&buf);
    ok(buf.data == NULL, "and may be released twice");
}

static void
test_bytes_one_at_a_time_cost_few_allocations(void)
{
    struct buf buf;

    buf_init(&buf);
    mem_fail_at(0);
    for (int i = 0; i < 100000; i++) {
        if (buf_append(&buf, slice_new("x", 1)) != 0)
            break;
    }
    is(buf.len, 100000, "all arrive");
    ok(mem_count() <= 9, "the buf has grown %lu times", mem_count());
    buf_release(&buf);
}

/* A steady stream through a buf that is never empty is moved within the memory it
 * has. */
static void
test_consumed_room_is_used_again(void)
{
    struct buf buf;

    buf_init(&buf);
    is(buf_append(&buf, slice_of("x")), 0, "one byte always waits");
    uint32_t cap = buf.cap;
    for (int i = 0; i < 10000; i++) {
        if (buf_append(&buf, slice_of("0123456789")) != 0)
            break;
        buf_consume(&buf, 10);
    }
    is(buf.cap, cap, "the buf does not grow");
    is(buf_bytes(&buf).len, 1, "and has what waits");
    is(buf_bytes(&buf).ptr[0], '9', "which is the last byte");
    buf_release(&buf);
}

static void
test_reserved_bytes_are_counted_when_committed(void)
{
    struct buf buf;
    char *at;

    buf_init(&buf);
    is(buf_append(&buf, slice_of("head ")), 0, "the first bytes are appended");
    is(buf_reserve(&buf, 100000, &at), 0, "much is reserved");
    memset(at, 'z', 100000);
    is(buf_bytes(&buf).len, 5, "and not counted");
    buf_commit(&buf, 3);
    ok(slice_equal(buf_bytes(&buf), slice_of("head zzz")), "what is committed is");
    buf_release(&buf);
}

static void
test_an_impossible_size_is_rejected(void)
{
    static const size_t rooms[] = {
        (size_t)3 << 30, UINT32_MAX,   (size_t)UINT32_MAX + 1,
        (size_t)1 << 33, SIZE_MAX / 4, SIZE_MAX / 2,
        SIZE_MAX,
    };

    for (size_t i = 0; i < COUNT(rooms); i++) {
        struct buf buf;
        char *at = NULL;
        buf_init(&buf);
        is(buf_append(&buf, slice_of("abc")), 0, "three bytes wait");
        is(buf_reserve(&buf, rooms[i], &at), ERR_NOMEM, "%zu more do not fit",
           rooms[i]);
        ok(at == NULL && slice_equal(buf_bytes(&buf), slice_of("abc")),
           "and the three are left alone");
        buf_release(&buf);
    }
}

/* Random appends and consumes, against a counter: byte i of the stream is i % 251. */
static bool
agrees_with_a_counter(uint64_t seed, unsigned fails)
{
    struct buf buf;
    uint64_t in = 0, out = 0;
    bool good = true;

    buf_init(&buf);
    for (int i = 0; good && i < 5000; i++) {
        char bytes[3000];
        size_t n = random_below(&seed, random_below(&seed, 4) ? 50 : sizeof bytes);
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)((in + k) % 251);
        mem_fail_at(fails == 0 ? 0 : 1 + random_below(&seed, fails));
        if (buf_append(&buf, slice_new(bytes, n)) == 0)
            in += n;
        struct slice have = buf_bytes(&buf);
        good = have.len == in - out;
        for (size_t k = 0; good && k < have.len; k++)
            good = (unsigned char)have.ptr[k] == (out + k) % 251;
        n = random_below(&seed, 3) ? random_below(&seed, have.len + 1) : have.len;
        buf_consume(&buf, n);
        out += n;
    }
    mem_fail_at(0);
    buf_release(&buf);
    return good;
}

static void
test_bytes_are_unchanged(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++)
        ok(agrees_with_a_counter(seed, 0), "operations from seed %d", (int)seed);
}

static void
test_a_failed_append_changes_nothing(void)
{
    for (uint64_t seed = 11; seed <= 20; seed++)
        ok(agrees_with_a_counter(seed, 2), "failing operations from seed %d",
           (int)seed);
}

int
main(void)
{
    test_an_empty_buf_owns_no_memory();
    test_bytes_one_at_a_time_cost_few_allocations();
    test_consumed_room_is_used_again();
    test_reserved_bytes_are_counted_when_committed();
    test_an_impossible_size_is_rejected();
    test_bytes_are_unchanged();
    test_a_failed_append_changes_nothing();
    return tap_done();
}
