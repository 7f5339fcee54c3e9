/* SPDX-License-Identifier: MIT */
/* http/etag.h — entity tags (RFC 9110 8.8.3) and lists of them (RFC 9110 13.1). */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

struct etag {
    struct slice
        opaque;   /* between the quotes, may be empty; borrowed. A NULL ptr: there
                            is no entity tag */
    bool is_weak; /* W/"..." */
};

/* How two entity tags are compared (RFC 9110 8.8.3.2). */
enum etag_comparison {
    ETAG_WEAKLY = 0, /* the opaque tags are equal */
    ETAG_STRONGLY,   /* ... and neither is weak */
};

/* Reads a whole field value as one entity tag. Returns false, with an `etag` that has
 * none, if it is anything else. */
MUST_USE bool etag_read(struct slice value, struct etag *etag);

/* Compares two entity tags; false if one of them has none. */
bool etag_is_equal(struct etag a, struct etag b, enum etag_comparison comparison);

/* What a list of entity tags has. */
enum etag_found {
    ETAG_ABSENT = 0, /* a list without the entity tag, or an empty list */
    ETAG_FOUND,      /* the entity tag is in the list, or the list is "*" */
    ETAG_MALFORMED,  /* not a list of entity tags: it matches nothing */
};

/* Searches a field value "*" or #entity-tag (RFC 9110 13.1.1, 13.1.2) for `etag`. A
 * malformed list has no matches, not even those before the error, so that the result
 * does not depend on the order. "*" matches always, also if there is no `etag`. */
enum etag_found etag_find(struct slice list, struct etag etag,
                          enum etag_comparison comparison);

#endif
