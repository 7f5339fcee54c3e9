/* SPDX-License-Identifier: MIT */
/* static/pattern.h — patterns of paths, and the Cache-Control that they assign to
 * files. */
#ifndef STATIC_PATTERN_H
#define STATIC_PATTERN_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */

#include "base/slice.h" /* struct slice */

/* Returns whether `path` matches: "*" matches any number of any bytes, including
 * "/"; "?" matches one byte; every other byte matches itself. The time is at most
 * proportional to the product of the lengths. */
bool pattern_matches(struct slice pattern, struct slice path);

/* Returns whether the name at the end of `path` contains a hash, as in
 * app.3f2a9c1b.js. ".", "-" and "_" divide the name into parts. A hash is a part
 * after the first that has at least 8 hexadecimal digits in lower case and nothing
 * else, and both a digit and a letter. */
bool pattern_is_hashed(struct slice path);

/* A rule: files whose path matches are sent with a Cache-Control of `value`. */
struct pattern_rule {
    struct slice pattern; /* "hashed" means pattern_is_hashed() */
    struct slice value;
};

/* Returns the value of the first of rules[0, n) that matches `path`, which begins with
 * "/"; empty if there is none. */
struct slice pattern_find(const struct pattern_rule *rules, size_t n,
                          struct slice path);

#endif
