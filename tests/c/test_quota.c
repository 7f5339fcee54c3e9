/* SPDX-License-Identifier: MIT */
/* tests/c/test_quota.c — an allocator with a limit. */
#include "base/quota.c"

#include <string.h> /* memcpy */

#include "tap.h"

static void
test_what_is_allocated_is_counted(void)
{
    struct mem_quota quota = {.most = 10000};

    char *one = quota_alloc(100, &quota);
    char *zero = quota_calloc(10, 10, &quota);
    ok(one != NULL && zero != NULL && quota.used >= 200, "two blocks");
    for (int i = 0; i < 100; i++)
        ok(zero[i] == 0, "counted memory is zero");
    memcpy(one, "abc", 4);
    one = quota_realloc(one, 5000, &quota);
    ok(one != NULL && strcmp(one, "abc") == 0, "a block grows");
    ok(quota.used >= 5100, "and is counted");
    one = quota_realloc(one, 10, &quota);
    ok(one != NULL && quota.used < 300, "or becomes smaller");
    quota_free(one, &quota);
    quota_free(zero, &quota);
    quota_free(NULL, &quota);
    is(quota.used, 0, "nothing is left");
    ok(!quota.is_exceeded, "within the limit");
}

static void
test_the_limit_is_noticed_once(void)
{
    struct mem_quota quota = {.most = 1000};

    char *one = quota_alloc(900, &quota);
    ok(one != NULL, "below the limit");
    ok(quota_realloc(one, 1100, &quota) == NULL, "growing beyond it");
    ok(quota.is_exceeded, "is noticed");
    struct mem_quota other = {.most = 100};
    ok(quota_calloc(10, 10, &other) == NULL && other.is_exceeded,
       "so is a product beyond it");
    char *two = quota_calloc(1, 900, &quota);
    ok(two != NULL, "what ends the connection gets memory");
    quota_free(one, &quota);
    quota_free(two, &quota);
    is(quota.used, 0, "nothing is left");
}

static void
test_a_failure_is_not_the_limit(void)
{
    struct mem_quota quota = {.most = SIZE_MAX};
    volatile size_t half = SIZE_MAX / 2;

    ok(quota_alloc(SIZE_MAX, &quota) == NULL, "a size that overflows");
    ok(quota_calloc(half, 3, &quota) == NULL, "a product that overflows");
    mem_fail_at(1);
    ok(quota_alloc(10, &quota) == NULL, "no memory");
    mem_fail_at(1);
    ok(quota_calloc(1, 10, &quota) == NULL, "no memory");
    mem_fail_at(0);
    ok(quota.used == 0 && !quota.is_exceeded, "nothing is counted");
}

int
main(void)
{
    test_what_is_allocated_is_counted();
    test_the_limit_is_noticed_once();
    test_a_failure_is_not_the_limit();
    return tap_done();
}
