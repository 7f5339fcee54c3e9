/* SPDX-License-Identifier: MIT */
/* log/format.c — reads a format; see format.h for the contract, line.c for the
 * lines. */
#include <stdarg.h> /* va_list */
#include <stdio.h>  /* vsnprintf */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "log/format_parts.h"

/* The least number of bytes of a line for each text. */
#define TEXT_LEAST_BYTES 64u

static const struct {
    const char *name, *text;
} named[] = {
    {"common", "%(h)s - - [%(time_common)s] \"%(r)s\" %(s)s %(B)s"},
    {"combined", "%(h)s - - [%(time_common)s] \"%(r)s\" %(s)s %(B)s"
                 " \"%({referer}i)s\" \"%({user-agent}i)s\""},
    {"json", "{\"time\":%(time)j,\"client\":%(h)j,\"port\":%(remote_port)j,"
             "\"method\":%(m)j,\"path\":%(U)j,\"query\":%(q)J,\"protocol\":%(H)j,"
             "\"status\":%(s)j,\"bytes_in\":%(bytes_in)j,\"bytes_out\":%(B)j,"
             "\"duration_us\":%(D)j,\"host\":%({host}i)J,"
             "\"referer\":%({referer}i)J,\"user_agent\":%({user-agent}i)J,"
             "\"request_id\":%(request_id)J,\"trace_id\":%(trace_id)J,"
             "\"parent_id\":%(parent_id)J,\"upstream\":%(upstream)J,"
             "\"queue_us\":%(queue_us)J,\"pid\":%(pid)j}"},
};

static const struct {
    enum atom_kind kind;
    bool is_figure;
    uint32_t most;
    const char *names[4];
} atoms[] = {
#define ATOM(kind, value, is_figure, most, ...)                                        \
    {ATOM_##kind, is_figure, most, {__VA_ARGS__}},
#include "log/atoms.def"
#undef ATOM
};

/* The state of parsing a format. */
struct reading {
    struct format *format;
    struct slice rest;
    struct slice literal; /* in format->text, after the last atom */
    char *why;
};

PRINTF_LIKE(2, 3) static int no_format(struct reading *r, const char *text, ...)
{
    va_list args;

    va_start(args, text);
    vsnprintf(r->why, FORMAT_WHY_BYTES, text, args);
    va_end(args);
    return ERR_LOG_FORMAT;
}

/* Assigns the field its index in format->kept. */
static int
keep_field(struct reading *r, struct slice name, bool of_answer, struct atom *atom)
{
    struct format *f = r->format;

    if (!is_token(name))
        return no_format(r, "no field's name: %.*s", narrow_len(name.len), name.ptr);
    for (uint32_t i = 0; i < f->nkept; i++) {
        if (f->kept[i].of_answer == of_answer && slice_equal(f->kept[i].name, name)) {
            atom->place = i;
            return 0;
        }
    }
    if (f->nkept == FORMAT_FIELDS)
        return no_format(r, "more than %u fields", FORMAT_FIELDS);
    f->kept[f->nkept] =
        (struct kept){.name = name, .id = field_lookup(name), .of_answer = of_answer};
    f->keeps_answer |= of_answer;
    atom->place = f->nkept++;
    return 0;
}

/* "{user-agent}i" or "{x}o"; the names are converted to lower case in place. */
static int
read_field_atom(struct reading *r, struct slice inner, struct atom *atom)
{
    if (inner.len < 4 || inner.ptr[inner.len - 2] != '}' ||
        (inner.ptr[inner.len - 1] != 'i' && inner.ptr[inner.len - 1] != 'o'))
        return no_format(r, "unknown: %%(%.*s)s", narrow_len(inner.len), inner.ptr);
    char *name = r->format->text + (inner.ptr + 1 - r->format->text);
    for (size_t i = 0; i < inner.len - 3; i++)
        name[i] = (char)byte_lower((uint8_t)name[i]);
    atom->kind = ATOM_FIELD;
    return keep_field(r, slice_new(name, inner.len - 3),
                      inner.ptr[inner.len - 1] == 'o', atom);
}

static int
read_atom(struct reading *r, struct slice inner, struct atom *atom)
{
    if (inner.len > 0 && inner.ptr[0] == '{')
        return read_field_atom(r, inner, atom);
    bool is_referer = slice_equal(inner, slice_of("f"));
    if (is_referer || slice_equal(inner, slice_of("a"))) {
        atom->kind = ATOM_FIELD;
        return keep_field(r, slice_of(is_referer ? "referer" : "user-agent"), false,
                          atom);
    }
    for (size_t i = 0; i < COUNT(atoms); i++) {
        for (size_t j = 0; j < COUNT(atoms[i].names); j++) {
            const char *name = atoms[i].names[j];
            if (name == NULL || !slice_equal(inner, slice_of(name)))
                continue;
            atom->kind = atoms[i].kind;
            atom->is_quoted &= !atoms[i].is_figure;
            atom->most = atoms[i].most;
            return 0;
        }
    }
    return no_format(r, "unknown: %%(%.*s)s", narrow_len(inner.len), inner.ptr);
}

/* Ends the literal before `atom`, and adds the atom to the format. */
static int
add_atom(struct reading *r, struct atom *atom)
{
    struct format *f = r->format;

    if (f->natoms == FORMAT_ATOMS)
        return no_format(r, "more than %u atoms", FORMAT_ATOMS);
    atom->before = r->literal;
    f->atoms[f->natoms++] = *atom;
    r->literal = slice_new(r->rest.ptr, 0);
    return 0;
}

/* Parses what begins with a percent sign. */
static int
read_percent(struct reading *r)
{
    struct slice rest = r->rest;
    struct atom atom = {0};

    if (rest.len >= 2 && rest.ptr[1] == '%') {
        /* The first percent sign belongs to the literal, which ends after it. */
        r->literal.len++;
        r->rest = slice_skip(rest, 2);
        return add_atom(r, &atom);
    }
    const char *end = memchr(rest.ptr, ')', rest.len);
    if (rest.len < 2 || rest.ptr[1] != '(' || end == NULL)
        return no_format(r, "a %% that begins no %%(name)s");
    size_t n = (size_t)(end - rest.ptr);
    if (n + 1 == rest.len || memchr("sdfjJ", end[1], 5) == NULL)
        return no_format(r, "behind %.*s) comes no s, d, f, j or J", narrow_len(n),
                         rest.ptr);
    atom.may_go = end[1] == 'J';
    atom.is_json = atom.is_quoted = end[1] == 'j' || atom.may_go;
    atom.style = atom.is_json ? ESCAPE_JSON : r->format->style;
    r->rest = slice_skip(rest, n + 2);
    int err = read_atom(r, slice_cut(rest, 2, n), &atom);
    return err != 0 ? err : add_atom(r, &atom);
}

static int
format_read_all(struct reading *r)
{
    r->literal = slice_new(r->rest.ptr, 0);
    while (r->rest.len > 0) {
        unsigned char byte = (unsigned char)r->rest.ptr[0];
        if (byte < 0x20 || byte == 0x7f)
            return no_format(r, "a control character");
        if (byte != '%') {
            r->literal.len++;
            r->rest = slice_skip(r->rest, 1);
            continue;
        }
        int err = read_percent(r);
        if (err != 0)
            return err;
    }
    r->format->last = r->literal;
    return 0;
}

/* Computes the bytes of a line that must be reserved after each atom for all that
 * follows. */
static int
share_line(struct reading *r)
{
    struct format *f = r->format;
    size_t tail = f->last.len + 1;

    for (uint32_t i = f->natoms; i > 0; i--) {
        struct atom *atom = &f->atoms[i - 1];
        atom->tail = narrow_u32(tail);
        tail += atom->before.len + (atom->is_json ? 4 : 0) +
                (atom->most > 0 ? atom->most : TEXT_LEAST_BYTES);
    }
    return tail <= FORMAT_LINE_BYTES ? 0 : no_format(r, "its lines are too long");
}

struct slice
format_text(struct slice given)
{
    for (size_t i = 0; i < COUNT(named); i++) {
        if (slice_equal(given, slice_of(named[i].name)))
            return slice_of(named[i].text);
    }
    return given;
}

int
format_new(struct slice given, bool colors, struct format **out,
           char why[FORMAT_WHY_BYTES])
{
    struct slice text = format_text(given);
    struct reading r = {.why = why};
    int err;

    r.format = mem_calloc(1, sizeof *r.format);
    if (r.format == NULL)
        return ERR_NOMEM;
    if (text.len > FORMAT_TEXT_BYTES) {
        err = no_format(&r, "more than %u bytes", FORMAT_TEXT_BYTES);
        goto fail;
    }
    if (text.len > 0)
        memcpy(r.format->text, text.ptr, text.len);
    r.format->colors = colors && (text.len == 0 || text.ptr[0] != '{');
    r.format->style = text.len > 0 && text.ptr[0] == '{' ? ESCAPE_JSON : ESCAPE_HEX;
    r.rest = slice_new(r.format->text, text.len);
    err = format_read_all(&r);
    if (err != 0)
        goto fail;
    err = share_line(&r);
    if (err != 0)
        goto fail;
    *out = r.format;
    return 0;

fail:
    format_free(r.format);
    return err;
}

void
format_free(struct format *format)
{
    mem_free(format);
}
