/* SPDX-License-Identifier: MIT */
/* builtin/added_fields.c — see added_fields.h for the contract. */
#include "builtin/added_fields.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"

static bool
is_for_tls(struct slice line)
{
    static const char *const names[] = {"strict-transport-security:", "alt-svc:"};

    for (size_t i = 0; i < COUNT(names); i++) {
        struct slice name = slice_of(names[i]);
        if (line.len >= name.len &&
            slice_equal_folded(slice_first(line, name.len), name))
            return true;
    }
    return false;
}

/* Appends the lines of `lines` that are, or are not, for TLS only; returns their
 * end. */
static char *
added_fields_gather(char *to, struct slice lines, bool for_tls)
{
    while (lines.len > 0) {
        const char *end = memchr(lines.ptr, '\n', lines.len);
        assert(end != NULL && end > lines.ptr && end[-1] == '\r');
        struct slice line = slice_first(lines, (size_t)(end + 1 - lines.ptr));
        lines = slice_skip(lines, line.len);
        if (is_for_tls(line) != for_tls)
            continue;
        memcpy(to, line.ptr, line.len);
        to += line.len;
    }
    return to;
}

int
added_fields_init(struct added_fields *added, struct slice lines)
{
    *added = (struct added_fields){.text = NULL};
    if (lines.len == 0)
        return 0;
    added->text = mem_alloc(lines.len);
    if (added->text == NULL)
        return ERR_NOMEM;
    char *middle = added_fields_gather(added->text, lines, false);
    char *end = added_fields_gather(middle, lines, true);
    assert(end == added->text + lines.len);
    added->filter.lines = slice_new(added->text, (size_t)(middle - added->text));
    added->filter.tls_lines = slice_new(middle, (size_t)(end - middle));
    return 0;
}

void
added_fields_fini(struct added_fields *added)
{
    mem_free(added->text);
    *added = (struct added_fields){.text = NULL};
}
