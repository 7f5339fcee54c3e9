/* SPDX-License-Identifier: MIT */
/* base/escape.h — text that strangers chose, made safe to stand in a line: nothing in it
 * ends the line or a pair of quotes, or talks to a terminal. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/slice.h" /* struct slice */

enum escape_style {
    ESCAPE_HEX = 0, /* \xHH, as nginx does; for lines that people read */
    ESCAPE_JSON, /* \u00HH, \" and \\ (RFC 8259 7); a byte above 0x7E becomes the code
                       point of its number, so that any bytes are valid */
};

/* The most that one byte becomes. */
#define ESCAPE_MOST 6u

/* Copies `text` to [at, end) with '"', '\\' and every byte outside of 0x20 to 0x7E escaped;
 * what does not fit is cut off, never inside an escape.  Returns the end of what was
 * written. */
char *escape_text(char *at, const char *end, struct slice text,
                  enum escape_style style);

#endif
