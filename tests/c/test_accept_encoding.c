/* SPDX-License-Identifier: MIT */
/* tests/c/test_accept_encoding.c — Accept-Encoding: weights, codings that are not
 * listed, and which coding is selected (RFC 9110 12.5.3). */
#include "http/accept.c"

#include "aborts.h"
#include "base/compiler.h"
#include "tap.h"

static const enum coding all[] = {CODING_ZSTD, CODING_BROTLI, CODING_GZIP};

/* Returns the coding selected for a request with the field `text`. */
static enum coding
choose(const char *text, const enum coding *offered, unsigned n)
{
    struct accepted a;

    accept_init(&a);
    accept_add(&a, slice_of(text));
    return accept_choose(&a, offered, n);
}

static void
test_the_choice(void)
{
    static const struct {
        const char *text;
        enum coding choice;
    } rows[] = {
        {"gzip, deflate, br, zstd", CODING_ZSTD},
        {"gzip, deflate, br", CODING_BROTLI},
        {"gzip", CODING_GZIP},
        {"x-gzip", CODING_GZIP},
        {"GZip", CODING_GZIP},
        {"deflate", CODING_IDENTITY},
        {"", CODING_IDENTITY},
        {",, ,", CODING_IDENTITY},
        {"identity", CODING_IDENTITY},
        {"*", CODING_ZSTD},
        {"*;q=0.5", CODING_ZSTD},
        {"*;q=0", CODING_IDENTITY},
        {"zstd;q=0, *", CODING_BROTLI},
        {"gzip;q=1.0, br;q=0.9, zstd;q=0.8", CODING_GZIP},
        {"zstd;q=0.001, br;q=0.002", CODING_BROTLI},
        {"gzip;q=0.5, br;q=0.5", CODING_BROTLI},
        {"gzip;q=0.5, identity", CODING_IDENTITY},
        {"gzip;q=0.5, identity;q=0.5", CODING_GZIP},
        {"gzip;q=0.001", CODING_GZIP},
        {"gzip;q=0", CODING_IDENTITY},
        {"gzip;q=0.000", CODING_IDENTITY},
        {"identity;q=0", CODING_IDENTITY},
        {"identity;q=0, gzip", CODING_GZIP},
        {"gzip ; q=0.5", CODING_GZIP},
        {"gzip\t;\tQ=1", CODING_GZIP},
        {"gzip, gzip;q=0", CODING_IDENTITY},
        {"gzip;q=0, gzip", CODING_IDENTITY},
        {"gzip;q=0, x-gzip", CODING_IDENTITY},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        is(choose(rows[i].text, all, 3), rows[i].choice, "\"%s\"", rows[i].text);
    is(choose("br, zstd", all + 2, 1), CODING_IDENTITY, "what is not offered");
    is(choose("gzip", all, 0), CODING_IDENTITY, "nothing is offered");
}

static void
test_malformed_elements_are_ignored(void)
{
    static const char *const rows[] = {
        "gzip;q=",       "gzip;q=2",    "gzip;q=1.001", "gzip;q=0.5555",
        "gzip;q=.5",     "gzip;q=-1",   "gzip;q=1;q=1", "gzip;level=1",
        "gzip;",         "gzip;q",      "gz ip",        "gzip;q = 1",
        "gzip;q=0,5x;q", ";q=1",        "gzip;q=0x1",   "gzip;q=1.0000",
        "gzip;q=0.x",    "gzip;q=0.5x", "\"gzip\"",     "gzip;q=\"1\"",
        "gzip/1",        "gzip;q=1 x",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        is(choose(rows[i], all, 3), CODING_IDENTITY, "\"%s\"", rows[i]);
    }
    is(choose("br;q=x, gzip", all, 3), CODING_GZIP, "the others count");
    is(choose("gzip;q=0.", all, 3), CODING_IDENTITY, "a point without digits is 0");
    is(choose("gzip;q=1.", all, 3), CODING_GZIP, "... or 1");
}

static void
test_weights(void)
{
    struct accepted a;

    accept_init(&a);
    ok(!a.is_listed, "there is no field");
    is(accept_weight(&a, CODING_GZIP), 0, "then no coding is sent");
    ok(accept_has_identity(&a), "but identity");
    accept_add(&a, slice_of("gzip;q=0.123"));
    accept_add(&a, slice_of("*;q=0.4, unknown"));
    ok(a.is_listed, "there are two");
    is(accept_weight(&a, CODING_GZIP), 123, "listed in the first");
    is(accept_weight(&a, CODING_ZSTD), 400, "any other");
    is(accept_weight(&a, CODING_IDENTITY), 1, "identity comes last");
    accept_add(&a, slice_of("*;q=0"));
    ok(!accept_has_identity(&a), "identity is excluded by *");
    accept_init(&a);
    accept_add(&a, slice_of("identity;q=0.5, *;q=0"));
    is(accept_weight(&a, CODING_IDENTITY), 500, "unless it is listed");
    accept_init(&a);
    accept_add(&a, slice_of(""));
    ok(a.is_listed && accept_has_identity(&a), "an empty field accepts identity");
}

static void
test_a_head_with_two_lines(void)
{
    struct http_field fields[] = {
        {.id = FIELD_ACCEPT_ENCODING, .value = slice_of("gzip")},
        {.id = FIELD_ACCEPT, .value = slice_of("br")},
        {.id = FIELD_ACCEPT_ENCODING, .value = slice_of("zstd;q=0.5")},
    };
    struct http_head head = {.fields = fields, .nfields = COUNT(fields)};
    struct accepted a;

    accept_read(&a, &head);
    is(accept_weight(&a, CODING_GZIP), 1000, "the first line");
    is(accept_weight(&a, CODING_ZSTD), 500, "the last");
    is(accept_weight(&a, CODING_BROTLI), 0, "no other field");
    head.nfields = 0;
    accept_read(&a, &head);
    ok(!a.is_listed, "no line");
}

static void
test_names(void)
{
    for (enum coding coding = 0; coding < CODING_END; coding++)
        is(coding_lookup(coding_name(coding)), coding, "coding %u", (unsigned)coding);
    is(coding_lookup(slice_of("BR")), CODING_BROTLI, "any case");
    is(coding_lookup(slice_of("deflate")), CODING_END, "an unknown one");
    is(coding_lookup(slice_of("")), CODING_END, "an empty one");
}

static void
name_the_end(void *arg)
{
    (void)arg;
    (void)coding_name(CODING_END);
}

static void
weigh_the_end(void *arg)
{
    (void)accept_weight(arg, CODING_END);
}

static void
test_contracts(void)
{
    struct accepted a;

    accept_init(&a);
    ok(aborts(name_the_end, NULL), "an unknown coding has no name");
    ok(aborts(weigh_the_end, &a), "nor a weight");
}

int
main(void)
{
    test_the_choice();
    test_malformed_elements_are_ignored();
    test_weights();
    test_a_head_with_two_lines();
    test_names();
    test_contracts();
    return tap_done();
}
