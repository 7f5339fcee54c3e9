/* SPDX-License-Identifier: MIT */
/* tests/c/test_cache_control.c — Cache-Control and Age: each form that a directive
 * may have, and what a malformed one means. */
#include "http/cache_control.c"

#include "tap.h"

#define NONE CACHE_SECONDS_NONE
#define MOST CACHE_SECONDS_MAX

static struct cache_control
read_lines(const char *first, const char *second)
{
    struct cache_control cc;

    cache_control_init(&cc);
    cache_control_read(&cc, slice_of(first));
    if (second != NULL)
        cache_control_read(&cc, slice_of(second));
    return cc;
}

static void
test_lifetimes(void)
{
    static const struct {
        const char *value;
        uint32_t max_age;
    } cases[] = {
        {"max-age=60", 60},
        {"MAX-AGE=60", 60},
        {"max-age=\"60\"", 60},
        {"max-age=0", 0},
        {"max-age=0060", 60},
        {"max-age=2147483647", MOST},
        {"max-age=2147483648", MOST},
        {"max-age=99999999999999999999999999", MOST},
        {"max-age=60, max-age=10", 60}, /* the first one counts */
        {"max-age=, max-age=10", 0},
        {"max-age", 0},
        {"max-age=", 0},
        {"max-age=\"\"", 0},
        {"max-age=-1", 0},
        {"max-age=1.5", 0},
        {"max-age=60s", 0},
        {"max-age='60'", 0},
        {"max-age=\"60", 0},
        {"max-age =60", 0},
        {"max-age= 60", 0},
        {"public, max-age=60", 60},
        {"a=\"max-age=1, \\\", max-age=2\", max-age=60", 60},
        {"a=\"max-age=1, max-age=60", NONE}, /* a string without an end */
        {" ,, max-age=60 ,", 60},
        {"s-maxage=60", NONE},
        {"x-max-age=60", NONE},
        {"max-ages=60", NONE},
        {"", NONE},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        is(read_lines(cases[i].value, NULL).max_age, cases[i].max_age, "%s",
           cases[i].value);
}

static void
test_other_directives(void)
{
    struct cache_control cc = read_lines(
        "no-cache=\"set-cookie\", no-store, private=\"a, b\"",
        "public, must-revalidate, proxy-revalidate, must-understand, only-if-cached");

    ok(cc.no_cache && cc.no_store && cc.is_private && cc.is_public, "the first line");
    ok(cc.must_revalidate && cc.proxy_revalidate && cc.must_understand &&
           cc.only_if_cached,
       "the second line");
    ok(cc.is_present && cc.max_age == NONE, "there is no lifetime");
    cc = read_lines("s-maxage=1,stale-while-revalidate=2,stale-if-error=3",
                    "min-fresh=4,max-stale=5");
    ok(cc.s_maxage == 1 && cc.stale_while_revalidate == 2 && cc.stale_if_error == 3 &&
           cc.min_fresh == 4 && cc.max_stale == 5,
       "numbers");
    is(read_lines("max-stale", NULL).max_stale, MOST, "any staleness");
    is(read_lines("min-fresh=x", NULL).min_fresh, MOST, "nothing is fresh enough");
    ok(!read_lines("immutable, x=y", NULL).is_present, "unknown ones are ignored");
    is(read_lines("max-age=1", "max-age=2").max_age, 1, "the first line counts");
}

static void
test_age(void)
{
    is(cache_age(slice_of("7")), 7, "a number");
    is(cache_age(slice_of(" 7 ")), 7, "with spaces");
    is(cache_age(slice_of("7, 8")), 7, "the first of a list");
    is(cache_age(slice_of("-7")), 0, "not negative");
    is(cache_age(slice_of("7.0")), 0, "whole");
    is(cache_age(slice_of("")), 0, "empty");
    is(cache_age(slice_of("99999999999999999999")), MOST, "too large");
}

int
main(void)
{
    test_lifetimes();
    test_other_directives();
    test_age();
    return tap_done();
}
