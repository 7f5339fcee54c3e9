/* SPDX-License-Identifier: MIT */
/* static/entry.h — what is known about the path of a file: its contents or
 * descriptor in each encoding and the fields of its responses, or the fact that no
 * such file exists. */
#ifndef STATIC_ENTRY_H
#define STATIC_ENTRY_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h"    /* MUST_USE */
#include "base/file.h"        /* struct file */
#include "base/list.h"        /* struct list_node */
#include "http/conditional.h" /* struct validators */
#include "http/date.h"        /* DATE_BYTES */
#include "http/field.h"       /* struct http_field */
#include "static/load.h"      /* struct load */
#include "static/path.h"      /* PATH_BYTES_MAX */
#include "static/pattern.h"   /* struct pattern_rule */
#include "static/types.h"     /* struct types */

/* The maximum number of fields of a response with a file. The fields of a 304 are a
 * range of them; Content-Length is the last one. */
#define VARIANT_FIELDS_MAX 9

/* One encoding of a file. */
struct variant {
    uint64_t size;
    char *bytes;              /* owned: the contents; NULL: in `file` */
    struct file *file;        /* a reference; NULL: none */
    uint64_t resident_due_ms; /* until then all of it is assumed to be in memory */
    struct validators validators;
    struct http_field fields[VARIANT_FIELDS_MAX]; /* of a 200 */
    uint8_t nfields;
    uint8_t kept, nkept; /* [kept, kept + nkept): of a 304 */
    char etag[56], date[DATE_BYTES + 1], length[24];
};

enum entry_kind {
    ENTRY_LOADING = 0,
    ENTRY_FILE,
    ENTRY_DIRECTORY, /* redirected to the path with "/" */
    ENTRY_MISSING,   /* nothing below this path exists */
    ENTRY_FORBIDDEN,
    ENTRY_BUSY,
    ENTRY_FAILED,
};

struct statics;

struct entry {
    struct statics *statics; /* borrowed */
    struct entry *next;      /* in its bucket */
    struct list_node node;   /* the least recently used one is the first */
    struct list_node waiters;
    unsigned nrefs;
    unsigned mount; /* index of the prefix */
    uint64_t hash;
    uint64_t due_ms;                          /* when it must be read again */
    uint64_t nbytes;                          /* of contents */
    uint8_t kind;                             /* enum entry_kind */
    bool is_cached;                           /* in a bucket */
    uint8_t nfiles;                           /* descriptors */
    struct variant *variants[LOAD_ENCODINGS]; /* owned; NULL: there is none */
    char *content_type;                       /* owned, with its charset */
    size_t path_len;
    char path[]; /* as path_map() returns it */
};

/* Creates an entry that is loading, with one reference. Returns NULL if there is no
 * memory. */
MUST_USE struct entry *entry_new(struct statics *statics, unsigned mount,
                                 struct slice path);

/* What the fields of a file depend on. */
struct entry_rules {
    const struct types *types;
    const struct pattern_rule *rules; /* of Cache-Control; borrowed */
    size_t nrules;
    struct slice index; /* name of the index file, of which a path with a last "/" is */
    int64_t now_s;
};

/* Stores the result of a load and takes ownership of its files. The entity tag of a
 * file consists of its time and size. The tag is weak while the file is so new that
 * it could change again within the same tick of the clock. Returns 0, or ERR_NOMEM;
 * the kind is ENTRY_BUSY then. */
MUST_USE int entry_fill(struct entry *entry, struct load *load,
                        const struct entry_rules *rules);

static inline struct slice
entry_path(const struct entry *entry)
{
    return slice_new(entry->path, entry->path_len);
}

static inline struct entry *
entry_retain(struct entry *entry)
{
    entry->nrefs++;
    return entry;
}

/* Releases a reference; the last one frees the entry. */
void entry_release(struct entry *entry);

/* The lender of contents, which are owned by the entry. */
extern const struct lender entry_lender;

#endif
