/* SPDX-License-Identifier: MIT */
/* server/format_parts.h — what a format is made of; for format.c, which reads it, and
 * line.c, which makes lines of it. */
#ifndef SERVER_FORMAT_PARTS_H
#define SERVER_FORMAT_PARTS_H

#include "base/escape.h"   /* enum escape_style */
#include "http/field.h"    /* enum field_id */
#include "server/format.h" /* FORMAT_* */

#define FORMAT_ATOMS 64u /* in one format */

enum atom_kind {
    ATOM_EMPTY = 0, /* a literal alone */
    ATOM_FIELD,     /* of a request or an answer */
#define ATOM(kind, most, ...) ATOM_##kind,
#include "server/atoms.def"
#undef ATOM
};

struct atom {
    struct slice before; /* the literal in front of it, in format->text */
    enum atom_kind kind;
    uint32_t place; /* ATOM_FIELD: in format->kept */
    uint32_t most;  /* bytes; 0: it is text of any length */
    uint32_t tail;  /* bytes of a line to leave for what follows */
    bool is_json;   /* quoted, or null */
    bool is_figure; /* a number, which put_figure writes */
};

/* A field that is kept of each exchange. */
struct kept {
    struct slice name; /* lower case, in format->text or static */
    enum field_id id;
    bool of_answer; /* else of the request */
};

struct format {
    struct atom atoms[FORMAT_ATOMS];
    uint32_t natoms, nkept;
    struct slice last; /* the literal behind the last atom */
    struct kept kept[FORMAT_FIELDS];
    enum escape_style style;
    bool colors;
    bool keeps_answer; /* one of `kept` is of the answer */
    char text[FORMAT_TEXT_BYTES + FORMAT_SLACK];
};

#endif
