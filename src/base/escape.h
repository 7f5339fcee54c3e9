/* SPDX-License-Identifier: MIT */
/* base/escape.h — escapes text from untrusted clients for a log line, so that it
 * cannot end the line or a quoted string, or control a terminal. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/slice.h" /* struct slice */

enum escape_style {
    ESCAPE_HEX = 0, /* \xHH, as nginx; for lines that people read */
    ESCAPE_JSON,    /* \u00HH, \" and \\ (RFC 8259 7); a byte above 0x7E becomes the
                    code point of the same number, so any bytes are valid */
};

/* The longest escape of one byte. */
#define ESCAPE_MOST 6u

/* Copies `text` to [at, end) with '"', '\\' and every byte outside of 0x20 to 0x7E
 * escaped; text that does not fit is truncated, never inside an escape. Returns the
 * end of the written text. */
char *escape_text(char *at, const char *end, struct slice text,
                  enum escape_style style);

#endif
