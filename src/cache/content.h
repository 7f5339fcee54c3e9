/* SPDX-License-Identifier: MIT */
/* cache/content.h — a copy of a stored response outside of the shared memory, from
 * which it is sent. A worker has at most one copy of each entry, which all its
 * clients share. */
#ifndef CACHE_CONTENT_H
#define CACHE_CONTENT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/lender.h"   /* struct lender */
#include "base/slice.h"    /* struct slice */

/* Bits of store_meta.flags. */
enum content_flag {
    CONTENT_MUST_REVALIDATE = 1, /* it is never served stale */
    CONTENT_NO_CACHE = 2,        /* it is validated before each use */
    CONTENT_AUTHORIZED = 4,      /* requests with Authorization may get it */
    CONTENT_VALIDATOR = 8,       /* it has an ETag or Last-Modified */
    CONTENT_SHARED = 16,         /* its lifetime is from s-maxage, which clients may not
                            extend */
};

/* What is known about a stored response. */
struct store_meta {
    uint64_t stored_ms; /* CLOCK_MONOTONIC when it was received */
    uint64_t variant;   /* the hash of the request's fields that Vary names */
    uint32_t age_s;     /* its age at stored_ms */
    uint32_t fresh_s;   /* its freshness lifetime */
    uint32_t revalidate_s, error_s; /* of stale-while-revalidate and stale-if-error;
                                       0: none */
    uint32_t head_bytes;            /* bytes of its fields, which precede the body */
    uint16_t status;
    uint16_t flags; /* bits of enum content_flag */
};

/* The copies of one worker that are in use. */
struct contents {
    struct content *slots[256]; /* by serial number */
    unsigned n;
};

struct content {
    struct content *next; /* index of its slot */
    struct contents *all; /* borrowed */
    uint64_t serial;      /* of the entry; unique */
    unsigned refs;
    struct store_meta meta;
    size_t bytes;       /* head and body */
    size_t body_offset; /* where the body begins */
    char data[];
};

/* Returns the copy of the entry `serial` with a new reference, or NULL. */
struct content *contents_find(struct contents *all, uint64_t serial);

/* Returns a new copy with one reference, whose `data` of `bytes` bytes the caller
 * fills in; NULL if there is no memory. */
MUST_USE struct content *contents_add(struct contents *all, uint64_t serial,
                                      const struct store_meta *meta, size_t bytes);

/* Add and drop a reference. Dropping the last one frees the copy. content_release()
 * accepts NULL. */
void content_retain(struct content *content);
void content_release(struct content *content);

/* The lender of the bytes of a copy. */
extern const struct lender content_lender;

static inline struct slice
content_head(const struct content *content)
{
    return slice_new(content->data, content->body_offset);
}

static inline struct slice
content_body(const struct content *content)
{
    return slice_new(content->data + content->body_offset,
                     content->bytes - content->body_offset);
}

#endif
