/* SPDX-License-Identifier: MIT */
/* tests/c/test_conditional.c — preconditions, alone and in the order of RFC 9110
 * 13.2.2. */
#include "http/conditional.c"

#include "tap.h"

#define FIELDS_MAX 4

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"
#define SAME_S 784111777
#define NOW_S (SAME_S + 3600)
#define FUTURE "Sun, 06 Nov 2094 08:49:37 GMT"

/* Creates a head with up to FIELDS_MAX lines "name: value". */
static struct http_head
head_of(const char *method, const char *const *lines, struct http_field *fields)
{
    struct http_head head = {.method = slice_of(method), .fields = fields};

    for (; head.nfields < FIELDS_MAX && lines[head.nfields] != NULL; head.nfields++) {
        const char *line = lines[head.nfields], *colon = strchr(line, ':');
        struct slice name = slice_new(line, (size_t)(colon - line));
        fields[head.nfields] = (struct http_field){
            .name = name,
            .value = slice_trim(slice_of(colon + 1)),
            .id = field_lookup(name),
        };
    }
    return head;
}

enum {
    PASS = CONDITIONAL_PASSED,
    SAME_304 = CONDITIONAL_NOT_MODIFIED,
    FAIL = CONDITIONAL_FAILED
};

static const struct {
    const char *method, *lines[FIELDS_MAX];
    int want;         /* with the entity tag "a" and the date SAME */
    int want_weak;    /* ... W/"a" */
    int want_nothing; /* without a representation */
} rows[] = {
    {"GET", {NULL}, PASS, PASS, PASS},
    {"GET", {"if-match: *"}, PASS, PASS, FAIL},
    {"GET", {"if-match: \"a\""}, PASS, FAIL, FAIL},
    {"PUT", {"if-match: \"a\""}, PASS, FAIL, FAIL},
    {"GET", {"if-match: \"b\", \"a\""}, PASS, FAIL, FAIL},
    {"GET", {"if-match: \"b\"", "if-match: \"a\""}, PASS, FAIL, FAIL},
    {"GET", {"if-match: \"b\""}, FAIL, FAIL, FAIL},
    {"GET", {"if-match: W/\"a\""}, FAIL, FAIL, FAIL},
    {"GET", {"if-match: a"}, FAIL, FAIL, FAIL},
    {"GET", {"if-match: \"a\"", "if-match: b"}, FAIL, FAIL, FAIL},
    {"GET", {"if-match:"}, FAIL, FAIL, FAIL},
    {"GET", {"if-none-match: *"}, SAME_304, SAME_304, PASS},
    {"HEAD", {"if-none-match: *"}, SAME_304, SAME_304, PASS},
    {"PUT", {"if-none-match: *"}, FAIL, FAIL, PASS},
    {"GET", {"if-none-match: \"a\""}, SAME_304, SAME_304, PASS},
    {"GET", {"if-none-match: W/\"a\""}, SAME_304, SAME_304, PASS},
    {"GET", {"If-None-Match: \"b\"", "if-none-match: \"a\""}, SAME_304, SAME_304, PASS},
    {"GET", {"if-none-match: \"b\""}, PASS, PASS, PASS},
    {"GET", {"if-none-match: a"}, PASS, PASS, PASS},
    {"GET", {"if-none-match: \"a\"", "if-none-match: b"}, PASS, PASS, PASS},
    {"GET", {"if-modified-since: " SAME}, SAME_304, SAME_304, PASS},
    {"GET", {"if-modified-since: " AFTER}, SAME_304, SAME_304, PASS},
    {"GET", {"if-modified-since: " BEFORE}, PASS, PASS, PASS},
    {"GET",
     {"if-modified-since: Sunday, 06-Nov-94 08:49:37 GMT"},
     SAME_304,
     SAME_304,
     PASS},
    {"POST", {"if-modified-since: " SAME}, PASS, PASS, PASS},
    {"GET", {"if-modified-since: " FUTURE}, PASS, PASS, PASS},
    {"GET", {"if-modified-since: yesterday"}, PASS, PASS, PASS},
    {"GET", {"if-modified-since: " SAME, "if-modified-since: " SAME}, PASS, PASS, PASS},
    {"GET", {"if-unmodified-since: " SAME}, PASS, PASS, PASS},
    {"GET", {"If-Unmodified-Since: " AFTER}, PASS, PASS, PASS},
    {"GET", {"If-Unmodified-Since: " BEFORE}, FAIL, FAIL, PASS},
    {"PUT", {"if-unmodified-since: " BEFORE}, FAIL, FAIL, PASS},
    {"GET", {"if-unmodified-since: yesterday"}, PASS, PASS, PASS},
    {"GET",
     {"if-unmodified-since: " BEFORE, "if-unmodified-since: " BEFORE},
     PASS,
     PASS,
     PASS},
    /* The order: entity tags take precedence over dates. */
    {"GET", {"if-match: \"a\"", "if-unmodified-since: " BEFORE}, PASS, FAIL, FAIL},
    {"GET", {"if-none-match: \"b\"", "if-modified-since: " SAME}, PASS, PASS, PASS},
    {"GET", {"if-none-match: x", "if-modified-since: " SAME}, PASS, PASS, PASS},
    {"GET",
     {"if-none-match: \"a\"", "if-modified-since: " BEFORE},
     SAME_304,
     SAME_304,
     PASS},
    /* ... and If-Match takes precedence over If-None-Match. */
    {"GET", {"if-none-match: \"a\"", "if-match: \"b\""}, FAIL, FAIL, FAIL},
    {"GET", {"if-none-match: \"a\"", "if-match: \"a\""}, SAME_304, FAIL, FAIL},
    {"GET",
     {"if-modified-since: " SAME, "if-unmodified-since: " BEFORE},
     FAIL,
     FAIL,
     PASS},
};

static void
test_check(void)
{
    const struct validators strong = {{slice_of("a"), false}, SAME_S};
    const struct validators weak = {{slice_of("a"), true}, SAME_S};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_field fields[FIELDS_MAX];
        struct http_head head = head_of(rows[i].method, rows[i].lines, fields);
        is(conditional_check(&head, &strong, NOW_S), rows[i].want, "%s with %s; %s",
           rows[i].method, rows[i].lines[0] ? rows[i].lines[0] : "nothing",
           rows[i].lines[0] && rows[i].lines[1] ? rows[i].lines[1] : "");
        is(conditional_check(&head, &weak, NOW_S), rows[i].want_weak,
           "... and W/\"a\"");
        is(conditional_check(&head, NULL, NOW_S), rows[i].want_nothing,
           "... and no representation");
    }
}

static void
test_without_validators(void)
{
    static const char *const lines[][FIELDS_MAX] = {
        {"if-modified-since: " AFTER},
        {"if-unmodified-since: " BEFORE},
        {"if-none-match: \"\""},
    };
    const struct validators none = {.modified_s = -1};

    for (size_t i = 0; i < COUNT(lines); i++) {
        struct http_field fields[FIELDS_MAX];
        struct http_head head = head_of("GET", lines[i], fields);
        is(conditional_check(&head, &none, NOW_S), CONDITIONAL_PASSED,
           "%s has nothing to compare with", lines[i][0]);
    }
}

static void
test_if_range(void)
{
    static const struct {
        const char *lines[FIELDS_MAX];
        bool want, want_weak, want_now; /* the last: modified in this second */
    } ranges[] = {
        {{NULL}, true, true, true},
        {{"if-range: \"a\""}, true, false, true},
        {{"If-Range: W/\"a\""}, false, false, false},
        {{"if-range: \"b\""}, false, false, false},
        {{"if-range: *"}, false, false, false},
        {{"if-range: \"a\", \"b\""}, false, false, false},
        {{"if-range:"}, false, false, false},
        {{"if-range: " SAME}, true, true, false},
        {{"if-range: " BEFORE}, false, false, false},
        {{"if-range: " AFTER}, false, false, false},
        {{"if-range: \"a\"", "if-range: \"a\""}, false, false, false},
    };

    for (size_t i = 0; i < COUNT(ranges); i++) {
        struct validators v = {{slice_of("a"), false}, SAME_S};
        struct http_field fields[FIELDS_MAX];
        struct http_head head = head_of("GET", ranges[i].lines, fields);
        const char *line = ranges[i].lines[0] ? ranges[i].lines[0] : "no If-Range";
        is(conditional_has_range(&head, &v, NOW_S), ranges[i].want, "%s", line);
        is(conditional_has_range(&head, &v, SAME_S), ranges[i].want_now,
           "... when it has just been modified");
        v.etag.is_weak = true;
        is(conditional_has_range(&head, &v, NOW_S), ranges[i].want_weak,
           "... with a weak entity tag");
        v = (struct validators){.modified_s = -1};
        is(conditional_has_range(&head, &v, NOW_S), ranges[i].lines[0] == NULL,
           "... without validators");
    }
}

int
main(void)
{
    test_check();
    test_without_validators();
    test_if_range();
    return tap_done();
}
