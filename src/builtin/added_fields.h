/* SPDX-License-Identifier: MIT */
/* builtin/added_fields.h — the filter for the fields that the user adds to every
 * response (--header, --hsts). Strict-Transport-Security is sent over TLS only (RFC
 * 6797 7.2). */
#ifndef BUILTIN_ADDED_FIELDS_H
#define BUILTIN_ADDED_FIELDS_H

#include "base/compiler.h" /* MUST_USE */
#include "http/filter.h"   /* struct filter */

struct added_fields {
    struct filter filter;
    char *text; /* owned; its lines point into it */
};

/* Initializes the filter with `lines`, whole field lines with CR LF; may be empty.
 * Returns 0 or ERR_NOMEM. */
MUST_USE int added_fields_init(struct added_fields *added, struct slice lines);

/* Frees its memory; may be called twice, and after the filter is registered. */
void added_fields_fini(struct added_fields *added);

#endif
