/* SPDX-License-Identifier: MIT */
/* http/date.h — HTTP-date (RFC 9110 5.6.7): formats the preferred form, and parses all
 * three. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

#include "base/clock.h"    /* CLOCK_DATE_BYTES */
#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

/* Length of a written date; room for it needs one byte more, for a NUL. */
#define DATE_BYTES CLOCK_DATE_BYTES

/* The last second that can be written: the end of the year 9999. */
#define DATE_MAX_S INT64_C(253402300799)

/* Writes the second `s` of Unix time, 0 <= s <= DATE_MAX_S, as IMF-fixdate and a NUL.
 * Returns the text, in `room`. */
struct slice date_write(char room[DATE_BYTES + 1], int64_t s);

/* Reads IMF-fixdate, the form of RFC 850 or that of asctime(). Names of days and months
 * are case-sensitive; the name of the day is not compared with the date. The two digits
 * of a year of RFC 850 mean the year that is at most 50 years after `now_s`. A leap
 * second is the first second of the next minute. Returns false, with *s unchanged, if
 * `text` is anything else. */
MUST_USE bool date_read(struct slice text, int64_t now_s, int64_t *s);

#endif
