/* SPDX-License-Identifier: MIT */
/* static/path.h — maps the path of a request to a file below a directory. */
#ifndef STATIC_PATH_H
#define STATIC_PATH_H

#include <stddef.h> /* size_t */

#include "base/slice.h" /* struct slice */

/* Longest decoded path of a request that can name a file. */
#define PATH_BYTES_MAX 1024u

/* Longest name in a directory. */
#define PATH_NAME_MAX 255u

enum path_verdict {
    PATH_OTHER = 0, /* not below the prefix */
    PATH_BAD,       /* below it, but no file may have this path */
    PATH_GOOD,
};

/* Maps the raw path of a request to the path below `prefix`, which is empty or begins
 * with "/" and does not end with it. Each %XX is decoded once. PATH_GOOD: `out` gets
 * what follows the prefix, *len bytes and a NUL. It is empty, or "/" and names
 * separated by "/", with a final "/" if the request has one. PATH_BAD: an escape is
 * malformed or encodes "/", or a name is not allowed. A name must not be empty,
 * be longer than PATH_NAME_MAX, contain a NUL, control character or backslash, or
 * begin with ".", which excludes ".." and hidden files. Only ".well-known" is
 * allowed as the first name of a whole path (RFC 8615). The comparison is
 * case-sensitive. */
enum path_verdict path_map(struct slice raw, struct slice prefix,
                           char out[PATH_BYTES_MAX + 1], size_t *len);

#endif
