/* SPDX-License-Identifier: MIT */
/* coding/decompress.h — decodes the bodies of requests that have a Content-Encoding
 * (--decompress), used by all protocols. The handler gets a head without
 * Content-Encoding and Content-Length, and the decoded body. Slices are decoded only
 * as the handler pulls, and the size and the ratio of the decoded body are limited.
 * A request with an unknown coding gets a 415 (RFC 9110 15.5.16).
 * docs/COMPRESSION.md has the rules. */
#ifndef CODING_DECOMPRESS_H
#define CODING_DECOMPRESS_H

#include "base/pool.h"      /* struct pool */
#include "coding/decoder.h" /* struct decoders */
#include "http/filter.h"    /* struct filter */
#include "http/handler.h"   /* struct handler */

struct service;

/* Decoded bytes that are passed up at a time. */
#define DECOMPRESS_OUT_BYTES (64u * 1024)

/* The ratio is not checked below this many decoded bytes. */
#define DECOMPRESS_FREE_BYTES (1u << 20)

struct decompress_config {
    bool is_on;
    uint32_t bodies; /* 64; bodies that are decoded at the same time */
    uint32_t ratio;  /* 100; decoded bytes per received byte */
    uint64_t bytes;  /* 67108864; the size of one decoded body */
};

/* The defaults above. */
#define DECOMPRESS_CONFIG_DEFAULT                                                      \
    ((struct decompress_config){                                                       \
        .bodies = 64,                                                                  \
        .ratio = 100,                                                                  \
        .bytes = 67108864,                                                             \
    })

/* The filter of one worker, and the handler that rejects what it cannot decode. The
 * owner registers both. */
struct decompressor {
    struct filter filter;
    struct handler refuser;
    struct decompress_config config; /* copied */
    const struct service *service;   /* borrowed: its limits and counters */
    struct decoders decoders;
    struct pool buffers; /* DECOMPRESS_OUT_BYTES each */
};

/* Initializes both. `service` must outlive them. */
void decompressor_init(struct decompressor *decompressor,
                       const struct decompress_config *config,
                       const struct service *service);

/* Frees the decoders and buffers that are kept for reuse. No exchange may be
 * running. May be called twice, and on a decompressor that is all zero. */
void decompressor_fini(struct decompressor *decompressor);

#endif
