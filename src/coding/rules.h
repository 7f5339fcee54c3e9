/* SPDX-License-Identifier: MIT */
/* coding/rules.h — decides which responses are compressed, by the configuration and
 * the rules of RFC 9110. docs/COMPRESSION.md lists them. */
#ifndef CODING_RULES_H
#define CODING_RULES_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

#include "base/slice.h"  /* struct slice */
#include "http/accept.h" /* enum coding */
#include "http/stream.h" /* struct http_response */

/* The settings. The slices are borrowed and must outlive the server. */
struct compress_config {
    bool is_on;
    uint32_t min_bytes;   /* 1024; shorter bodies are not compressed */
    uint32_t bodies;      /* 128; bodies that are compressed at the same time */
    uint8_t zstd_level;   /* 3 */
    uint8_t brotli_level; /* 4 */
    uint8_t gzip_level;   /* 5 */
    struct slice codings; /* comma-separated names in order of preference; empty: all
                             that are built in */
    struct slice types;   /* comma-separated media types; "*" matches any text */
    struct slice except;  /* comma-separated paths: responses for these and the paths
                             below them are not compressed */
};

/* The defaults above; bolide/config/coding.py has those of `types`. */
#define COMPRESS_CONFIG_DEFAULT                                                        \
    ((struct compress_config){                                                         \
        .min_bytes = 1024,                                                             \
        .bodies = 128,                                                                 \
        .zstd_level = 3,                                                               \
        .brotli_level = 4,                                                             \
        .gzip_level = 5,                                                               \
    })

/* Returns whether a Content-Type, with or without parameters and in any case, matches
 * one of `patterns`. */
bool rules_have_type(struct slice patterns, struct slice content_type);

/* Returns whether the path of a request is one of `paths` or below one. The path is
 * decoded before it is compared, so that escapes cannot bypass the list. */
bool rules_have_path(struct slice paths, struct slice path);

/* Returns whether a response with this head may be compressed for a client that
 * accepts it. If the client `excludes_identity`, short bodies are compressed too.
 * The `id` of each field must be set. */
bool rules_allow(const struct compress_config *config, const struct http_response *res,
                 bool excludes_identity);

/* Returns the Content-Length of a head for which rules_allow() is true, or
 * HTTP_LENGTH_NONE. */
uint64_t rules_length(const struct http_response *res);

#endif
