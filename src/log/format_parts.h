/* SPDX-License-Identifier: MIT */
/* log/format_parts.h — the parts of a format. Internal to format.c, which parses it,
 * note.c, which keeps the values of an exchange, and line.c, which writes lines. */
#ifndef LOG_FORMAT_PARTS_H
#define LOG_FORMAT_PARTS_H

#include "base/escape.h" /* enum escape_style */
#include "http/field.h"  /* enum field_id */
#include "log/format.h"  /* FORMAT_* */

#define FORMAT_ATOMS 64u /* in one format */

enum atom_kind {
    ATOM_EMPTY = 0, /* a literal alone */
    ATOM_FIELD,     /* of a request or a response */
#define ATOM(kind, ...) ATOM_##kind,
#include "log/atoms.def"
#undef ATOM
};

struct atom {
    struct slice before; /* the literal before it, in format->text */
    enum atom_kind kind;
    uint32_t place;          /* ATOM_FIELD: index in format->kept */
    uint32_t most;           /* most bytes; 0: text of any length */
    uint32_t tail;           /* bytes of the line reserved for what follows */
    enum escape_style style; /* of values from clients */
    bool is_json;            /* null if there is no value, otherwise "-" */
    bool is_quoted;          /* a JSON value that is not a number */
    bool may_go;             /* omitted with its literal if there is no value */
};

#define NOTE_ABSENT UINT16_MAX /* the field is absent */

/* The values kept for an exchange. Offsets are fixed, so short values touch little
 * memory. */
struct note {
    const struct format *format;
    uint16_t method_len, target_len; /* in `line`, one after the other */
    uint16_t path_at;                /* offset of the path in the target */
    uint16_t path_len;
    uint16_t field_lens[FORMAT_FIELDS]; /* or NOTE_ABSENT */
    char line[FORMAT_TARGET_BYTES];
    char fields[][FORMAT_FIELD_BYTES];
};

/* A field that is kept for each exchange. */
struct kept {
    struct slice name; /* lower case, in format->text or static */
    enum field_id id;
    bool of_answer; /* otherwise of the request */
};

struct format {
    struct atom atoms[FORMAT_ATOMS];
    uint32_t natoms, nkept;
    struct slice last; /* the literal after the last atom */
    struct kept kept[FORMAT_FIELDS];
    enum escape_style style; /* of atoms that end with s, d or f */
    bool colors;
    bool keeps_answer; /* one of `kept` is a field of the response */
    char text[FORMAT_TEXT_BYTES + FORMAT_SLACK];
};

#endif
