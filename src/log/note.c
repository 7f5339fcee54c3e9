/* SPDX-License-Identifier: MIT */
/* log/note.c — what is kept of an exchange until its line is made; see format.h for the
 * contract. */
#include "log/format_parts.h"

#include <assert.h> /* assert */

#include "base/narrow.h"

size_t
format_note_bytes(const struct format *format)
{
    return sizeof(struct note) + (size_t)format->nkept * FORMAT_FIELD_BYTES;
}

static void
keep_value(const struct format *f, struct note *note, const struct http_field *field,
           bool of_answer)
{
    for (uint32_t i = 0; i < f->nkept; i++) {
        const struct kept *kept = &f->kept[i];
        if (kept->of_answer != of_answer || note->field_lens[i] != NOTE_ABSENT)
            continue;
        if (kept->id != FIELD_OTHER ? field->id != kept->id
                                    : !slice_equal_folded(field->name, kept->name))
            continue;
        size_t n = field->value.len;
        n = n < FORMAT_FIELD_BYTES ? n : FORMAT_FIELD_BYTES;
        if (n > 0)
            memcpy(note->fields[i], field->value.ptr, n);
        note->field_lens[i] = narrow_u16(n);
    }
}

/* The fields of the response, as the application gave them; for s->on_head. */
static void
note_answer(struct stream *s, const struct http_response *res)
{
    struct note *note = s->note;

    assert(note->format->keeps_answer);
    for (uint32_t i = 0; i < res->nfields; i++)
        keep_value(note->format, note, &res->fields[i], true);
}

static uint16_t
keep_piece(char *at, size_t room, struct slice piece)
{
    size_t n = piece.len < room ? piece.len : room;

    if (n > 0)
        memcpy(at, piece.ptr, n);
    return narrow_u16(n);
}

void
format_note(const struct format *format, struct stream *s, const struct http_head *head)
{
    struct note *note = s->note;

    assert(note != NULL && format->nkept <= FORMAT_FIELDS);
    note->format = format;
    note->method_len = keep_piece(note->line, FORMAT_TARGET_BYTES, head->method);
    note->target_len = keep_piece(note->line + note->method_len,
                                  FORMAT_TARGET_BYTES - note->method_len, head->target);
    note->path_at = note->target_len;
    if (head->path.ptr >= head->target.ptr &&
        head->path.ptr < head->target.ptr + note->target_len)
        note->path_at = narrow_u16(narrow_size(head->path.ptr - head->target.ptr));
    size_t left = (size_t)note->target_len - note->path_at;
    note->path_len = narrow_u16(head->path.len < left ? head->path.len : left);
    assert(note->method_len + note->target_len <= FORMAT_TARGET_BYTES);
    for (uint32_t i = 0; i < format->nkept; i++)
        note->field_lens[i] = NOTE_ABSENT;
    for (uint32_t i = 0; format->nkept > 0 && i < head->nfields; i++)
        keep_value(format, note, &head->fields[i], false);
    if (format->keeps_answer)
        s->on_head = note_answer;
}
