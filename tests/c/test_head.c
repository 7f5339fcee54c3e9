/* SPDX-License-Identifier: MIT */
/* tests/c/test_head.c — which methods are served, and what Expect may say. */
#include "http/head.c"
#include "tap.h"

static void
test_methods(void)
{
    static const struct {
        const char *method;
        int err;
    } cases[] = {
        {"GET", 0},
        {"POST", 0},
        {"PURGE", 0},
        {"M-SEARCH", 0},
        {"!#$%&'*+.^_`|~9", 0},
        {"CONNECT", ERR_METHOD_REFUSED},
        {"TRACE", ERR_METHOD_REFUSED},
        {"CONNECTS", 0},
        {"TRAC", 0},
        {"get", ERR_METHOD_UNKNOWN},
        {"Get", ERR_METHOD_UNKNOWN},
        {"connect", ERR_METHOD_UNKNOWN},
        {"GETa", ERR_METHOD_UNKNOWN},
        {"GETz", ERR_METHOD_UNKNOWN},
        {"GET{", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        is(head_check_method(slice_of(cases[i].method)), cases[i].err, "method %s",
           cases[i].method);
}

static void
test_expectations(void)
{
    static const struct {
        const char *value;
        int err;
        bool continues;
    } cases[] = {
        {"", 0, false},
        {",, ,", 0, false},
        {"100-continue", 0, true},
        {"100-Continue", 0, true},
        {" , 100-continue ,100-continue", 0, true},
        {"100-continue, x", ERR_EXPECTATION, true},
        {"x, 100-continue", ERR_EXPECTATION, false},
        {"100-continue;a=b", ERR_EXPECTATION, false},
        {"100-continu", ERR_EXPECTATION, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool continues = false;
        is(head_read_expect(slice_of(cases[i].value), &continues), cases[i].err,
           "Expect: %s", cases[i].value);
        is(continues, cases[i].continues, "whether it asks for a 100");
    }
}

static void
test_an_earlier_expectation_is_kept(void)
{
    bool continues = true;

    is(head_read_expect(slice_of(""), &continues), 0, "an empty second field");
    is(continues, true, "does not take the first one back");
}

int
main(void)
{
    test_methods();
    test_expectations();
    test_an_earlier_expectation_is_kept();
    return tap_done();
}
