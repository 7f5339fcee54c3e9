/* SPDX-License-Identifier: MIT */
/* tests/c/test_narrow.c — a value that fits is unchanged, and one that does not is
 * never truncated. */
#include "base/narrow.h"

#include "aborts.h"
#include "tap.h"

enum type { U8, U16, U32, LEN, LONG, OFF, SSIZE, I64, INT, SIZE };

struct number {
    enum type to;
    uint64_t n; /* of INT and SIZE: an int64_t */
};

static void
narrow(void *arg)
{
    const struct number *number = arg;

    switch (number->to) {
    case U8:
        (void)narrow_u8(number->n);
        break;
    case U16:
        (void)narrow_u16(number->n);
        break;
    case U32:
        (void)narrow_u32(number->n);
        break;
    case LEN:
        (void)narrow_len(number->n);
        break;
    case LONG:
        (void)narrow_long(number->n);
        break;
    case OFF:
        (void)narrow_off(number->n);
        break;
    case SSIZE:
        (void)narrow_ssize(number->n);
        break;
    case I64:
        (void)narrow_i64(number->n);
        break;
    case INT:
        (void)narrow_int((int64_t)number->n);
        break;
    case SIZE:
        (void)narrow_size((int64_t)number->n);
        break;
    }
}

static void
test_a_value_that_fits_is_unchanged(void)
{
    is(narrow_u8(255), 255, "u8");
    is(narrow_u16(65535), 65535, "u16");
    is(narrow_u32(UINT32_MAX), UINT32_MAX, "u32");
    is(narrow_len(INT_MAX), INT_MAX, "len");
    is(narrow_int(-5), -5, "int of an error");
    is(narrow_int(INT_MIN), INT_MIN, "int, the least");
    is(narrow_long(LONG_MAX), LONG_MAX, "long");
    is(narrow_off(INT64_MAX), INT64_MAX, "off");
    is(narrow_ssize(INT64_MAX), INT64_MAX, "ssize");
    is(narrow_i64(INT64_MAX), INT64_MAX, "i64");
    is(narrow_size(0), 0, "size of nothing");
    ok(narrow_size(INT64_MAX) == (size_t)INT64_MAX, "size");
}

static void
test_a_truncation_breaks_an_assertion(void)
{
    static const uint64_t over63 = (uint64_t)INT64_MAX + 1;
    struct number numbers[] = {
        {U8, 256},
        {U16, 65536},
        {U32, (UINT64_C(1) << 32) + 10},
        {LEN, (uint64_t)INT_MAX + 1},
        {LONG, over63},
        {OFF, over63},
        {SSIZE, over63},
        {I64, over63},
        {INT, (uint64_t)((int64_t)INT_MIN - 1)},
        {INT, (uint64_t)INT_MAX + 1},
        {SIZE, UINT64_MAX},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ok(aborts(narrow, &numbers[i]), "number %zu", i);
}

int
main(void)
{
    test_a_value_that_fits_is_unchanged();
    test_a_truncation_breaks_an_assertion();
    return tap_done();
}
