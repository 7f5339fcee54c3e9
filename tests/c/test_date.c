/* SPDX-License-Identifier: MIT */
/* tests/c/test_date.c — HTTP-date in its three forms. */
#include "http/date.c"

#include "aborts.h"
#include "tap.h"

#define NOW INT64_C(1795000000) /* November 2026 */

static const struct {
    const char *text;
    int64_t s; /* -1: not a date */
} dates[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    {"Sun Nov 16 08:49:37 1994", 784975777},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
    {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
    {"Fri, 31 Dec 9999 23:59:59 GMT", DATE_MAX_S},
    {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},  /* a leap second */
    {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777},   /* another day of the week */
    {"Friday, 01-Jan-76 00:00:00 GMT", 3345062400}, /* 50 years ahead: 2076 */
    {"Friday, 01-Jan-77 00:00:00 GMT", 220924800},  /* more: 1977 */
    {"Saturday, 01-Jan-00 00:00:00 GMT", 946684800},
    {"", -1},
    {"Sun", -1},
    {"0", -1},
    {"784111777", -1},
    {"Sun, 06 Nov 1994 08:49:37", -1},
    {"Sun, 06 Nov 1994 08:49:37 gmt", -1},
    {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
    {"Sun Foo  6 08:49:37 1994", -1},
    {"Sun Nov", -1},
    {"Sun, 06 Nov 1994 08:49:37 +0000", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
    {" Sun, 06 Nov 1994 08:49:37 GMT", -1},
    {"sun, 06 nov 1994 08:49:37 GMT", -1},
    {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 94 08:49:37 GMT", -1},
    {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
    {"Thu, 29 Feb 2023 12:00:00 GMT", -1},
    {"Thu, 29 Feb 1900 12:00:00 GMT", -1},
    {"Sun, 06 Foo 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
    {"Sun, 06 Nov 1994 08:60:00 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
    {"Sun, 06 Nov 1994 8:49:37 GMT", -1},
    {"Sun, 06 Nov 19940 08:49:37 GMT", -1},
    {"Sun, 06-Nov-94 08:49:37 GMT", -1},
    {"Sunday, 06 Nov 1994 08:49:37 GMT", -1},
    {"Sunday, 06-Nov-1994 08:49:37 GMT", -1},
    {"Sun Nov 6 08:49:37 1994", -1},
    {"Sun Nov 06 08:49:37 94", -1},
    {"Sun Nov  6 08:49:37 1994 GMT", -1},
};

static void
test_read(void)
{
    for (size_t i = 0; i < COUNT(dates); i++) {
        int64_t s = -1;
        bool is_date = date_read(slice_of(dates[i].text), NOW, &s);
        ok(is_date == (dates[i].s >= 0), "\"%s\" is %sa date", dates[i].text,
           dates[i].s >= 0 ? "" : "not ");
        is(s, dates[i].s, "... its second");
    }
}

static void
test_prefixes(void)
{
    const char *text = "Sun, 06 Nov 1994 08:49:37 GMT";
    bool is_date = false;
    int64_t s;

    for (size_t n = 0; n < strlen(text); n++)
        is_date |= date_read(slice_new(text, n), NOW, &s);
    ok(!is_date, "no beginning of a date is a date");
}

static void
test_write(void)
{
    char room[DATE_BYTES + 1];

    is_text(date_write(room, 784111777).ptr, "Sun, 06 Nov 1994 08:49:37 GMT", "a date");
    is_text(date_write(room, 0).ptr, "Thu, 01 Jan 1970 00:00:00 GMT", "the first one");
    is_text(date_write(room, 1767225599).ptr, "Wed, 31 Dec 2025 23:59:59 GMT",
            "the last second of a year");
    is_text(date_write(room, 1767225600).ptr, "Thu, 01 Jan 2026 00:00:00 GMT",
            "the first of the next one");
    is_text(date_write(room, DATE_MAX_S).ptr, "Fri, 31 Dec 9999 23:59:59 GMT",
            "the last one");
}

static void
test_both(void)
{
    char room[DATE_BYTES + 1];
    int nbad = 0;

    for (int64_t s = 0; s < DATE_MAX_S; s += INT64_C(26 * 3600 * 37) + 11) {
        int64_t again = -1;
        if (!date_read(date_write(room, s), NOW, &again) || again != s)
            nbad++;
    }
    is(nbad, 0, "what is written is read");
}

static void
write_late(void *arg)
{
    char room[DATE_BYTES + 1];

    (void)arg;
    date_write(room, DATE_MAX_S + 1);
}

/* The first moment of 2026, for which the days of the years before are counted. */
static void
test_two_digits_of_a_year_are_near_the_present(void)
{
    const int64_t now = 1767225600;
    int64_t s;

    ok(date_read(slice_of("Friday, 01-Jan-76 00:00:00 GMT"), now, &s), "in 50 years");
    is(s, 3345062400, "is the year 2076");
    ok(date_read(slice_of("Friday, 01-Jan-77 00:00:00 GMT"), now - 1, &s), "in 52");
    is(s, 220924800, "is 1977");
}

int
main(void)
{
    test_read();
    test_prefixes();
    test_write();
    test_both();
    ok(aborts(write_late, NULL), "a year of five digits is not written");
    test_two_digits_of_a_year_are_near_the_present();
    return tap_done();
}
