/* SPDX-License-Identifier: MIT */
/* log/format.h — the format of the access log, which is a text with atoms, parsed at
 * the start; and the lines that it produces. docs/LOGS.md lists the atoms.
 *
 * An atom is "%(name)s"; d and f mean the same as s, and "%(name)j" is a JSON value:
 * quoted unless it is a number, null if there is no value; "%(name)J" is then
 * omitted together with the text before it. "%(name)s" is "-" if there is no value.
 * "%%" is a percent sign.  Values from clients are escaped: j and J as JSON in any
 * format, the others as JSON in a format that begins with "{", otherwise as \xHH. */
#ifndef LOG_FORMAT_H
#define LOG_FORMAT_H

#include "base/clock.h"    /* struct clock_stamp */
#include "base/compiler.h" /* MUST_USE */
#include "http/stream.h"   /* struct stream */

#define FORMAT_TEXT_BYTES 2048u /* of a format */
#define FORMAT_LINE_BYTES                                                              \
    4096u                 /* of a line with its newline: a pipe accepts no more at
                             once without mixing it with other lines (PIPE_BUF) */
#define FORMAT_FIELDS 16u /* fields of requests and responses in one format */

#define FORMAT_SLACK                                                                   \
    16u /* bytes after a line that may be overwritten, because short texts are copied
           in whole words */

/* Sizes of the values that are kept until the line is written; longer ones are
 * truncated. */
#define FORMAT_TARGET_BYTES 512u /* method and target */
#define FORMAT_FIELD_BYTES 256u  /* a field's value */

struct format; /* immutable after creation */

/* Parses a copy of `text`, or the format named "common", "combined" or "json".
 * `colors`: the status is coloured. Returns 0 with *out owned by the caller, who calls
 * format_free, or
 *   ERR_NOMEM
 *   ERR_LOG_FORMAT   not a format; the reason is in why[FORMAT_WHY_BYTES] */
#define FORMAT_WHY_BYTES 128u
MUST_USE int format_new(struct slice text, bool colors, struct format **out,
                        char why[FORMAT_WHY_BYTES]);

/* Returns the format that `given` names, static, or `given` itself. */
struct slice format_text(struct slice given);

/* Frees `format`, which may be NULL. */
void format_free(struct format *format);

/* Returns the bytes that it keeps for each exchange, for service->note_bytes. */
size_t format_note_bytes(const struct format *format);

/* Copies the values that it needs from a request to s->note, and sets s->on_head if
 * it needs fields of the response. */
void format_note(const struct format *format, struct stream *s,
                 const struct http_head *head);

/* Further inputs of a line. */
struct format_facts {
    const struct clock_stamp *stamp; /* of now; borrowed */
    uint64_t now_ns;                 /* when the exchange ended */
    long pid;
};

/* Writes the line of an exchange that has ended, with its newline, to
 * out[FORMAT_LINE_BYTES + FORMAT_SLACK]. Returns its length. */
size_t format_line(const struct format *format, const struct stream *s,
                   const struct format_facts *facts, char *out);

#endif
