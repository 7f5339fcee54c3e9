/* SPDX-License-Identifier: MIT */
/* http/date.c — see date.h for the contract. */
#include "http/date.h"

#include <assert.h> /* assert */

/* The parts of a date as they are read. */
struct moment {
    unsigned year, month, day; /* month 1 to 12 */
    unsigned hour, minute, second;
};

#define DAY_S 86400
#define YEARS_AHEAD 50u

/* ---- Days ----------------------------------------------------------------------- */

static bool
is_leap_year(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned
days_of_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30,
                                         31, 31, 30, 31, 30, 31};

    assert(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && is_leap_year(year) ? 1u : 0u);
}

/* Returns the days from 1970-01-01 to a date, of the proleptic Gregorian calendar. */
static int64_t
days_from_epoch(unsigned year, unsigned month, unsigned day)
{
    /* Years begin in March here, so that a leap day is the last of its year. */
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Returns the year of the second `s`, which is not before 1970. */
static unsigned
year_of(int64_t s)
{
    unsigned year = 1970 + (unsigned)(s / (366 * (int64_t)DAY_S));

    while (days_from_epoch(year + 1, 1, 1) * DAY_S <= s)
        year++;
    return year;
}

/* ---- Reading -------------------------------------------------------------------- */

/* Each of these removes what it names from the front of `rest`, and returns false if
 * it is not there. */

static bool
date_take_text(struct slice *rest, const char *text)
{
    size_t n = strlen(text);

    if (rest->len < n || memcmp(rest->ptr, text, n) != 0)
        return false;
    *rest = slice_skip(*rest, n);
    return true;
}

static bool
take_digits(struct slice *rest, unsigned ndigits, unsigned *number)
{
    unsigned sum = 0;

    if (rest->len < ndigits)
        return false;
    for (unsigned i = 0; i < ndigits; i++) {
        unsigned digit = (uint8_t)rest->ptr[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    *rest = slice_skip(*rest, ndigits);
    return true;
}

/* Takes one of `names`; *which is its index. */
static bool
take_name(struct slice *rest, const char *const *names, unsigned nnames,
          unsigned *which)
{
    for (unsigned i = 0; i < nnames; i++) {
        if (date_take_text(rest, names[i])) {
            *which = i;
            return true;
        }
    }
    return false;
}

static bool
take_month(struct slice *rest, unsigned *month)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    if (!take_name(rest, months, COUNT(months), month))
        return false;
    *month += 1;
    return true;
}

static bool
take_time(struct slice *rest, struct moment *m)
{
    return take_digits(rest, 2, &m->hour) && date_take_text(rest, ":") &&
           take_digits(rest, 2, &m->minute) && date_take_text(rest, ":") &&
           take_digits(rest, 2, &m->second);
}

/* "06 Nov 1994 08:49:37 GMT", after "Sun, ". */
static bool
read_fixdate(struct slice rest, struct moment *m)
{
    return take_digits(&rest, 2, &m->day) && date_take_text(&rest, " ") &&
           take_month(&rest, &m->month) && date_take_text(&rest, " ") &&
           take_digits(&rest, 4, &m->year) && date_take_text(&rest, " ") &&
           take_time(&rest, m) && date_take_text(&rest, " GMT") && rest.len == 0;
}

/* "06-Nov-94 08:49:37 GMT", after "Sunday, ". */
static bool
read_rfc850(struct slice rest, struct moment *m, unsigned this_year)
{
    bool is_good = take_digits(&rest, 2, &m->day) && date_take_text(&rest, "-") &&
                   take_month(&rest, &m->month) && date_take_text(&rest, "-") &&
                   take_digits(&rest, 2, &m->year) && date_take_text(&rest, " ") &&
                   take_time(&rest, m) && date_take_text(&rest, " GMT") &&
                   rest.len == 0;

    if (!is_good)
        return false;
    m->year += (this_year + YEARS_AHEAD) / 100 * 100;
    if (m->year > this_year + YEARS_AHEAD)
        m->year -= 100;
    return true;
}

/* "Nov  6 08:49:37 1994", after "Sun ". */
static bool
read_asctime(struct slice rest, struct moment *m)
{
    if (!take_month(&rest, &m->month) || !date_take_text(&rest, " "))
        return false;
    bool has_day = date_take_text(&rest, " ") ? take_digits(&rest, 1, &m->day)
                                              : take_digits(&rest, 2, &m->day);
    return has_day && date_take_text(&rest, " ") && take_time(&rest, m) &&
           date_take_text(&rest, " ") && take_digits(&rest, 4, &m->year) &&
           rest.len == 0;
}

static bool
read_moment(struct slice text, struct moment *m, unsigned this_year)
{
    static const char *const days[] = {
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
        "Sun",    "Mon",    "Tue",     "Wed",       "Thu",      "Fri",    "Sat"};
    unsigned which;

    if (!take_name(&text, days, COUNT(days), &which))
        return false;
    if (which < 7)
        return date_take_text(&text, ", ") && read_rfc850(text, m, this_year);
    if (date_take_text(&text, ", "))
        return read_fixdate(text, m);
    return date_take_text(&text, " ") && read_asctime(text, m);
}

bool
date_read(struct slice text, int64_t now_s, int64_t *s)
{
    struct moment m = {0};

    assert(now_s >= 0 && now_s <= DATE_MAX_S);
    if (!read_moment(text, &m, year_of(now_s)) || m.day < 1 ||
        m.day > days_of_month(m.year, m.month) || m.hour > 23 || m.minute > 59 ||
        m.second > 60)
        return false;
    *s = days_from_epoch(m.year, m.month, m.day) * DAY_S + m.hour * 3600 +
         m.minute * 60 + m.second;
    return true;
}

struct slice
date_write(char room[DATE_BYTES + 1], int64_t s)
{
    assert(s >= 0 && s <= DATE_MAX_S);
    clock_write_date(room, s);
    return slice_new(room, DATE_BYTES);
}
