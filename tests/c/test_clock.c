/* SPDX-License-Identifier: MIT */
/* tests/c/test_clock.c — dates in the format of HTTP, cached for a moment. */
#include "base/clock.c"

#include <stdlib.h> /* setenv */

#include "base/compiler.h"
#include "tap.h"

static void
test_a_date_is_an_imf_fixdate(void)
{
    static const struct {
        time_t at;
        const char *date;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110 5.6.7 */
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1709164800, "Thu, 29 Feb 2024 00:00:00 GMT"},
        {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},
        {1741305600, "Fri, 07 Mar 2025 00:00:00 GMT"},
        {1746057600, "Thu, 01 May 2025 00:00:00 GMT"},
        {1754092800, "Sat, 02 Aug 2025 00:00:00 GMT"},
        {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
        {4102444800, "Fri, 01 Jan 2100 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    struct clock clock;

    /* The local time zone does not matter. */
    setenv("TZ", "Pacific/Kiritimati", 1);
    tzset();
    clock_init(&clock);
    for (size_t i = 0; i < COUNT(rows); i++) {
        clock_write_date(clock.date, rows[i].at);
        is_text(clock.date, rows[i].date, "%lld", (long long)rows[i].at);
    }
}

static void
test_the_date_is_that_of_now(void)
{
    struct clock clock, want;
    struct timespec now;

    clock_init(&clock);
    clock_init(&want);
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    struct slice date = clock_date(&clock);
    is(date.len, CLOCK_DATE_BYTES, "a date has its length");
    clock_write_date(want.date, now.tv_sec);
    if (clock.date_s != now.tv_sec) /* the second has passed between the two */
        clock_write_date(want.date, now.tv_sec + 1);
    is_text(date.ptr, want.date, "and is now");
}

static void
test_a_date_is_cached_until_it_may_have_changed(void)
{
    struct clock clock;

    clock_init(&clock);
    clock_begin(&clock);
    is(clock_date(&clock).len, CLOCK_DATE_BYTES, "a date is made");
    uint64_t due_ms = clock.date_due_ms;
    ok(due_ms > clock.ms && due_ms <= clock.ms + 1000, "and is trusted for a while");
    clock_write_date(clock.date, 0);
    clock.date_s = 0;
    clock.ms = due_ms - 1;
    is_text(clock_date(&clock).ptr, "Thu, 01 Jan 1970 00:00:00 GMT",
            "until then the clock is not read");
    clock.ms = due_ms;
    ok(strcmp(clock_date(&clock).ptr, "Thu, 01 Jan 1970 00:00:00 GMT") != 0,
       "then it is read");
    ok(clock.date_s > 0, "the date belongs to a second");
}

static void
test_time_does_not_go_back(void)
{
    struct clock clock;
    uint64_t before_ms, before_ns = clock_now_ns();
    bool good = true;

    clock_init(&clock);
    for (int i = 0; i < 1000; i++) {
        before_ms = clock.ms;
        clock_read(&clock);
        uint64_t now_ns = clock_now_ns();
        good = good && clock.ms >= before_ms && now_ns >= before_ns;
        before_ns = now_ns;
    }
    ok(good, "neither clock goes back");
    ok(before_ns / NS_PER_MS >= clock.ms && before_ns / NS_PER_MS <= clock.ms + 1000,
       "and both count the same time");
}

static void
test_the_time_in_a_log_has_its_zone(void)
{
    static const struct {
        const char *tz, *zone;
    } rows[] = {
        {"UTC0", "+0000"},     {"XST-5:30", "+0530"}, {"XST3:30", "-0330"},
        {"XST-14", "+1400"},   {"XST12", "-1200"},    {"XST0:30", "-0030"},
        {"XST-0:45", "+0045"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct clock_stamp stamp = {.s = -1};
        const char *text = stamp.common;
        struct tm tm = {0};
        setenv("TZ", rows[i].tz, 1);
        tzset();
        time_t before = time(NULL);
        clock_stamp(&stamp, &(struct clock){0});
        is(strlen(text), 26, "TZ=%s: 26 characters", rows[i].tz);
        is_text(text + 21, rows[i].zone, "and the zone");
        const char *end = strptime(text, "%d/%b/%Y:%H:%M:%S %z", &tm);
        ok(end != NULL && *end == '\0', "in the common log format");
        long ahead_s = tm.tm_gmtoff; /* timegm clears it */
        time_t at = timegm(&tm) - ahead_s;
        ok(at >= before && at <= before + 60, "and it is now");
        char iso[27];
        strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%S.", &tm);
        is(strlen(stamp.iso), CLOCK_ISO_BYTES, "RFC 3339 has 29");
        ok(strncmp(stamp.iso, iso, 20) == 0, "and the same time: %s", stamp.iso);
        ok(strncmp(stamp.iso + 23, rows[i].zone, 3) == 0 && stamp.iso[26] == ':' &&
               strcmp(stamp.iso + 27, rows[i].zone + 3) == 0,
           "and the same zone");
    }
}

static void
test_a_stamp_is_kept_while_the_clock_is(void)
{
    struct clock clock = {.ms = 1};
    struct clock_stamp stamp = {.s = -1};

    clock_stamp(&stamp, &clock);
    memcpy(stamp.common, "kept", 5);
    clock_stamp(&stamp, &clock);
    is_text(stamp.common, "kept", "the clock was not read again");
    stamp.s = 0;
    clock.ms = 2;
    clock_stamp(&stamp, &clock);
    is(strlen(stamp.common), CLOCK_COMMON_BYTES, "it was, and the second is another");
}

static void
test_a_turn_has_one_time(void)
{
    struct clock clock;

    clock_init(&clock);
    clock_begin(&clock);
    clock.ms = 7; /* as if the turn had begun then */
    is(clock_ms(&clock), 7, "the clock is not read while the engine runs");
    is(clock_due(&clock, 5), 12, "deadlines are counted from there");
    clock_read(&clock);
    ok(clock_ms(&clock) > 7, "a read brings the time up to date");
    clock_end(&clock);
}

static void
test_each_time_outside_a_turn_is_read_from_the_clock(void)
{
    struct clock clock;

    clock_init(&clock);
    clock_begin(&clock);
    clock_end(&clock);
    for (int i = 0; i < 2; i++) {
        clock.ms = 7;
        ok(clock_due(&clock, 5) > 1000, "no deadline begins in the past");
    }
    clock.ms = 7;
    clock.date_due_ms = 100;
    clock.date_s = 0;
    clock_date(&clock);
    ok(clock.date_s > 0, "the date is that of now");
}

static void
test_code_called_by_the_engine_makes_the_clock_stale(void)
{
    struct clock clock;

    clock_init(&clock);
    clock_begin(&clock);
    uint8_t outer = clock_lend(&clock);
    clock.ms = 7;
    ok(clock_ms(&clock) > 7, "other code gets the current time");
    uint8_t inner = clock_lend(&clock);
    clock_take_back(&clock, inner);
    clock.ms = 7;
    ok(clock_ms(&clock) > 7, "also after code that it has called");
    clock_take_back(&clock, outer);
    clock.ms = 7;
    ok(clock_ms(&clock) > 7, "the engine then reads the clock once");
    clock.ms = 7;
    is(clock_ms(&clock), 7, "but not a second time");
    ok(clock_had_passed(&clock, 6) && !clock_had_passed(&clock, 7),
       "earlier deadlines have passed");
    clock_end(&clock);
}

int
main(void)
{
    test_a_turn_has_one_time();
    test_each_time_outside_a_turn_is_read_from_the_clock();
    test_code_called_by_the_engine_makes_the_clock_stale();
    test_a_date_is_an_imf_fixdate();
    test_the_date_is_that_of_now();
    test_a_date_is_cached_until_it_may_have_changed();
    test_time_does_not_go_back();
    test_the_time_in_a_log_has_its_zone();
    test_a_stamp_is_kept_while_the_clock_is();
    return tap_done();
}
