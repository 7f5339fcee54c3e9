/* SPDX-License-Identifier: MIT */
/* server/format.h — the access log's format: a text with atoms, read once at the start, and
 * the line that it makes of an exchange.  docs/LOGS.md has the atoms' names and meanings.
 *
 * An atom is "%(name)s"; d and f mean the same as s, and "%(name)j" is a JSON value: quoted
 * unless it is a number, null where there is none; "%(name)J" goes away then, with the text
 * in front of it.  "%(name)s" is "-" where there is none.  "%%" is a percent sign.  What
 * strangers chose is escaped by the atom that it stands for: j and J escape as JSON in any
 * format, the others as JSON in a format that begins with "{", else as \xHH. */
#ifndef SERVER_FORMAT_H
#define SERVER_FORMAT_H

#include "base/clock.h"    /* struct clock_stamp */
#include "base/compiler.h" /* MUST_USE */
#include "http/stream.h"   /* struct stream */

#define FORMAT_TEXT_BYTES 2048u /* of a format */
#define FORMAT_LINE_BYTES                                                              \
    4096u                 /* of a line, its newline counted: a pipe takes no more at
                                   once without mixing it with others' (PIPE_BUF) */
#define FORMAT_FIELDS 16u /* fields of requests and answers in one format */

#define FORMAT_SLACK                                                                   \
    16u /* bytes behind a line that are written to and mean nothing: short
                            pieces are copied by whole words */

/* What is kept of an exchange until its line is made: longer ones are cut. */
#define FORMAT_TARGET_BYTES 512u /* method and target */
#define FORMAT_FIELD_BYTES 256u  /* a field's value */

struct format; /* immutable once made */

/* Reads `text`, or the format that "common", "combined" and "json" are names of; it is
 * copied.  `colors`: the status has a colour.  Returns 0 with *out the caller's, for
 * format_free, or
 *   ERR_NOMEM
 *   ERR_LOG_FORMAT   no format, for the reason in why[FORMAT_WHY_BYTES] */
#define FORMAT_WHY_BYTES 128u
MUST_USE int format_new(struct slice text, bool colors, struct format **out,
                        char why[FORMAT_WHY_BYTES]);

/* The text that `given` is the name of, static, or `given` itself. */
struct slice format_text(struct slice given);

/* Frees; NULL is fine. */
void format_free(struct format *format);

/* How much it keeps of each exchange; service->note_bytes. */
size_t format_note_bytes(const struct format *format);

/* Keeps what it needs of a request in s->note; sets s->on_head where it asks for fields of
 * the answer. */
void format_note(const struct format *format, struct stream *s,
                 const struct http_head *head);

/* What a line says beside the exchange. */
struct format_facts {
    const struct clock_stamp *stamp; /* of now; borrowed */
    uint64_t now_ns;                 /* when the exchange has ended */
    long pid;
};

/* Makes the line of an exchange that is over, with its newline, in
 * out[FORMAT_LINE_BYTES + FORMAT_SLACK]; returns its length. */
size_t format_line(const struct format *format, const struct stream *s,
                   const struct format_facts *facts, char *out);

#endif
