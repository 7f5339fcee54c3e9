/* SPDX-License-Identifier: MIT */
/* tests/c/test_added_fields.c — which of the fields added by a user are sent without
 * TLS. */
#include "builtin/added_fields.c"

#include "tap.h"

#define STS "Strict-Transport-Security: max-age=1\r\n"

static void
test_strict_transport_security_is_sent_only_over_tls(void)
{
    static const struct {
        const char *given, *plain, *tls;
    } cases[] = {
        {"", "", ""},
        {"a: b\r\n", "a: b\r\n", "a: b\r\n"},
        {"a: b\r\n" STS, "a: b\r\n", "a: b\r\n" STS},
        {STS, "", STS},
        {STS "a: b\r\n", "a: b\r\n", "a: b\r\n" STS},
        {"c: d\r\nstrict-transport-security: 1\r\na: b\r\n", "c: d\r\na: b\r\n",
         "c: d\r\na: b\r\nstrict-transport-security: 1\r\n"},
        {"x-strict-transport-security: 1\r\n", "x-strict-transport-security: 1\r\n",
         "x-strict-transport-security: 1\r\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct added_fields added;
        struct filters filters = {0};
        is(added_fields_init(&added, slice_of(cases[i].given)), 0, "case %zu", i);
        is(filters_add(&filters, &added.filter), 0, "it is registered");
        added_fields_fini(&added);
        ok(slice_equal(filters_lines(&filters, false), slice_of(cases[i].plain)),
           "case %zu without TLS", i);
        ok(slice_equal(filters_lines(&filters, true), slice_of(cases[i].tls)),
           "case %zu over TLS", i);
        filters_fini(&filters);
        filters_fini(&filters);
    }
}

static void
test_no_memory(void)
{
    struct added_fields added;

    mem_fail_at(1);
    is(added_fields_init(&added, slice_of("a: b\r\n")), ERR_NOMEM, "there is none");
    mem_fail_at(0);
    added_fields_fini(&added);
}

int
main(void)
{
    test_strict_transport_security_is_sent_only_over_tls();
    test_no_memory();
    return tap_done();
}
