/* SPDX-License-Identifier: MIT */
/* tests/c/test_request_id.c — IDs that are created, and IDs that are kept. */
#include "http/request_id.c"
#include "tap.h"

#define NAMES 500

static void
test_ids_are_not_repeated(void)
{
    static char names[NAMES][REQUEST_ID_MADE_BYTES];
    struct request_ids ids = {.seed = 1, .next = UINT64_MAX - NAMES / 2};
    int same = 0, wrong = 0;

    for (int i = 0; i < NAMES; i++) {
        request_id_make(&ids, names[i]);
        for (int j = 0; j < i; j++)
            same += memcmp(names[i], names[j], sizeof names[i]) == 0;
        for (size_t k = 0; k < sizeof names[i]; k++)
            wrong += strchr("0123456789abcdef", names[i][k]) == NULL;
        wrong += !request_id_is_good(slice_new(names[i], sizeof names[i]));
    }
    is(same, 0, "no ID is repeated, even when the counter wraps");
    is(wrong, 0, "IDs are hexadecimal digits, which others accept");
}

static void
test_processes_have_different_ids(void)
{
    struct request_ids one, two;
    char a[REQUEST_ID_MADE_BYTES], b[REQUEST_ID_MADE_BYTES];

    request_ids_init(&one);
    request_ids_init(&two);
    request_id_make(&one, a);
    request_id_make(&two, b);
    ok(memcmp(a, b, sizeof a) != 0, "two seeds, two IDs");
    two = (struct request_ids){.seed = one.seed + 1, .next = one.next - 1};
    request_id_make(&two, b);
    ok(memcmp(a, b, sizeof a) != 0, "the same counter with another seed is another ID");
}

static void
test_ids_from_others(void)
{
    static const char good[] = "azAZ09-_.:/+=@~",
                      bad[] = " ,;\"\\%<>{}|`'^()[]?#*!&$\t";
    char longest[REQUEST_ID_BYTES + 1];

    memset(longest, 'x', sizeof longest);
    ok(request_id_is_good(slice_of(good)), "letters, digits and what has no meaning");
    ok(!request_id_is_good(slice_of("")), "an empty ID is not kept");
    ok(request_id_is_good(slice_new(longest, REQUEST_ID_BYTES)), "the longest");
    ok(!request_id_is_good(slice_new(longest, sizeof longest)), "one byte more");
    for (const char *c = bad; *c != '\0'; c++)
        ok(!request_id_is_good(slice_new(c, 1)), "byte %d is refused", *c);
    for (int c = 0x80; c < 0x100; c++) {
        char byte = (char)c;
        if (request_id_is_good(slice_new(&byte, 1)))
            ok(false, "byte %d is refused", c);
    }
    ok(!request_id_is_good(slice_new("a\0b", 3)), "a NUL is rejected");
    ok(!request_id_is_good(slice_new("a\x7f", 2)), "so is DEL");
}

int
main(void)
{
    test_ids_are_not_repeated();
    test_processes_have_different_ids();
    test_ids_from_others();
    return tap_done();
}
