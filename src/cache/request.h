/* SPDX-License-Identifier: MIT */
/* cache/request.h — how the cache reads a request: whether it concerns the cache,
 * its key, and its conditions. */
#ifndef CACHE_REQUEST_H
#define CACHE_REQUEST_H

#include <stdbool.h> /* bool */

#include "cache/store.h"        /* struct store_key */
#include "http/cache_control.h" /* struct cache_control */
#include "http/head.h"          /* struct http_head */
#include "http/stream.h"        /* struct stream */

enum request_kind {
    REQUEST_OTHER,  /* the cache does nothing */
    REQUEST_LOOKUP, /* GET or HEAD: a stored response may be sent */
    REQUEST_UNSAFE, /* its response may invalidate stored ones (RFC 9111 4.4) */
};

struct cache_request {
    const struct http_head *head; /* borrowed */
    struct store_key key;         /* `text` is in `room` */
    struct cache_control cc;
    bool is_head;
    bool has_range;         /* Range */
    bool has_condition;     /* If-None-Match or If-Modified-Since */
    bool has_authorization; /* gets only responses that are marked for it */
    bool has_cookie;
    char room[STORE_KEY_BYTES];
};

/* Reads the request of `s` into *out. A GET with a body, with If-Match or If-
 * Unmodified-Since (RFC 9111 4.3.2), or whose key is longer than STORE_KEY_BYTES is
 * REQUEST_OTHER. */
enum request_kind request_read(const struct store *store, const struct stream *s,
                               const struct http_head *head, struct cache_request *out);

/* Sets the key of another URI of the requested host. `path` may include a query.
 * Returns false if the key is too long. */
bool request_key_of(const struct store *store, const struct http_head *head,
                    bool is_secure, struct slice path, struct slice query,
                    struct cache_request *out);

/* Returns whether the client uses https. */
bool request_is_secure(const struct stream *s, const struct http_head *head);

/* Returns the hash of the fields of `head` that `vary` names, a list in lower case
 * (see rules.h). White space around commas is ignored, and the lines of a field are
 * joined. Of Accept-Encoding, only the preference among the codings that the engine
 * knows is hashed. */
uint64_t request_variant(const struct store *store, const struct http_head *head,
                         struct slice vary);

/* Returns the hash by which concurrent requests wait for one response. It is made of
 * the key and the accepted codings. */
uint64_t request_flight(const struct store *store, const struct cache_request *r);

#endif
