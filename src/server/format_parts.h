/* SPDX-License-Identifier: MIT */
/* server/format_parts.h — what a format is made of; for format.c, which reads it, note.c,
 * which keeps what it needs of an exchange, and line.c, which makes lines of both. */
#ifndef SERVER_FORMAT_PARTS_H
#define SERVER_FORMAT_PARTS_H

#include "base/escape.h"   /* enum escape_style */
#include "http/field.h"    /* enum field_id */
#include "server/format.h" /* FORMAT_* */

#define FORMAT_ATOMS 64u /* in one format */

enum atom_kind {
    ATOM_EMPTY = 0, /* a literal alone */
    ATOM_FIELD,     /* of a request or an answer */
#define ATOM(kind, ...) ATOM_##kind,
#include "server/atoms.def"
#undef ATOM
};

struct atom {
    struct slice before; /* the literal in front of it, in format->text */
    enum atom_kind kind;
    uint32_t place;          /* ATOM_FIELD: in format->kept */
    uint32_t most;           /* bytes; 0: it is text of any length */
    uint32_t tail;           /* bytes of a line to leave for what follows */
    enum escape_style style; /* of text that strangers chose */
    bool is_json;            /* null where there is nothing to tell, else "-" */
    bool is_quoted;          /* a value of JSON that is no number */
    bool may_go;             /* with its literal, where there is nothing to tell */
};

#define NOTE_ABSENT UINT16_MAX /* a field that did not come */

/* Behind an exchange.  Places are fixed, so that what is short touches little memory. */
struct note {
    const struct format *format;
    uint16_t method_len, target_len; /* in `line`, one behind the other */
    uint16_t path_at;                /* where the path begins in the target */
    uint16_t path_len;
    uint16_t field_lens[FORMAT_FIELDS]; /* or NOTE_ABSENT */
    char line[FORMAT_TARGET_BYTES];
    char fields[][FORMAT_FIELD_BYTES];
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
    enum escape_style style; /* of atoms that end with s, d or f */
    bool colors;
    bool keeps_answer; /* one of `kept` is of the answer */
    char text[FORMAT_TEXT_BYTES + FORMAT_SLACK];
};

#endif
