/* SPDX-License-Identifier: MIT */
/* http/filter_list.c — registers filters for a service; see filter.h for the contract. */
#include "http/filter.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"

/* Appends `more` to *to. Returns 0 or ERR_NOMEM. */
static int
chain_grow(struct slice *to, struct slice more)
{
    char *block = mem_realloc((char *)to->ptr, to->len + more.len);

    if (block == NULL)
        return ERR_NOMEM;
    memcpy(block + to->len, more.ptr, more.len);
    *to = slice_new(block, to->len + more.len);
    return 0;
}

/* Adds `lines` to responses: to those over a plain transport if `plain`, and to those
 * over TLS. */
static int
chain_add_lines(struct filters *filters, struct slice lines, bool plain)
{
    if (lines.len == 0)
        return 0;
    assert(lines.len > 2 && lines.ptr[lines.len - 1] == '\n');
    if (chain_grow(&filters->tls, lines) != 0)
        return ERR_NOMEM;
    return plain ? chain_grow(&filters->plain, lines) : 0;
}

int
filters_add(struct filters *filters, struct filter *filter)
{
    struct filter **at = &filters->first;
    size_t had_plain = filters->plain.len, had_tls = filters->tls.len;

    if (chain_add_lines(filters, filter->lines, true) != 0 ||
        chain_add_lines(filters, filter->tls_lines, false) != 0) {
        filters->plain.len = had_plain;
        filters->tls.len = had_tls;
        return ERR_NOMEM;
    }
    if (filter->attach == NULL)
        return 0;
    for (; *at != NULL; at = &(*at)->next)
        assert(*at != filter);
    filter->next = NULL;
    *at = filter;
    return 0;
}

void
filters_fini(struct filters *filters)
{
    mem_free((char *)filters->plain.ptr);
    mem_free((char *)filters->tls.ptr);
    *filters = (struct filters){0};
}
