/* SPDX-License-Identifier: MIT */
/* static/types.h — media types of files by the suffixes of their names. */
#ifndef STATIC_TYPES_H
#define STATIC_TYPES_H

#include <stddef.h> /* size_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

/* Suffixes longer than this have no type. */
#define TYPES_ENDING_MAX 16u

/* Longer media types are skipped. */
#define TYPES_TYPE_MAX 128u

struct types_row;

/* The types of the system. All zero: only the built-in types are known. */
struct types {
    struct types_row *rows; /* owned; sorted */
    size_t nrows;
};

/* Reads the text of a mime.types file: each line has a type and its suffixes,
 * separated by spaces or tabs; "#" begins a comment. Types that cannot be sent in a
 * field are skipped. The first line that has a suffix determines its type. `text` is
 * borrowed until types_fini(). Returns 0 or ERR_NOMEM. */
MUST_USE int types_init(struct types *types, struct slice text);

/* Frees the rows; may be called twice. */
void types_fini(struct types *types);

/* Returns the media type of the file `name` by the letters after the last ".", in
 * any case: the built-in type, else that of the system, else
 * application/octet-stream. *charset is set to what follows the type: ";
 * charset=utf-8" for text, otherwise "". */
struct slice types_find(const struct types *types, struct slice name,
                        struct slice *charset);

#endif
