/* SPDX-License-Identifier: MIT */
/* coding/compress.h — the filter that compresses responses (--compress), used by all
 * protocols. Each message of the application is flushed, so that server-sent events
 * arrive without delay. A long body is compressed in slices of COMPRESS_SLICE_BYTES,
 * and other connections are served between slices. docs/COMPRESSION.md has the
 * rules. */
#ifndef CODING_COMPRESS_H
#define CODING_COMPRESS_H

#include "base/compiler.h"  /* MUST_USE */
#include "base/outq.h"      /* struct outq_pools */
#include "base/pool.h"      /* struct pool */
#include "coding/encoder.h" /* struct encoders */
#include "coding/rules.h"   /* struct compress_config */
#include "http/filter.h"    /* struct filter */

struct service;

/* The bytes of a body that are compressed before other connections are served. A
 * body of at most COMPRESS_WHOLE_BYTES is compressed completely before its head is
 * sent, so that its length is known. */
#define COMPRESS_SLICE_BYTES (32u * 1024)
#define COMPRESS_WHOLE_BYTES (64u * 1024)

/* The maximum of output that is passed on at a time. */
#define COMPRESS_OUT_BYTES (32u * 1024)

/* The filter of one worker. */
struct compressor {
    struct filter filter;          /* registered by the owner */
    struct compress_config config; /* copied */
    const struct service *service; /* borrowed: its counters */
    enum coding offered[CODING_END];
    unsigned noffered;
    struct encoders encoders;
    struct pool exchanges; /* blocks for struct compressing */
    struct pool buffers;   /* COMPRESS_OUT_BYTES each */
    struct outq_pools pending_pools;
};

/* Initializes the filter. Configured codings that are not built in are skipped.
 * `service` must outlive the filter. */
void compressor_init(struct compressor *compressor,
                     const struct compress_config *config,
                     const struct service *service);

/* Frees the encoders and buffers that are kept for reuse. No exchange may be
 * running. May be called twice, and on a compressor that is all zero. */
void compressor_fini(struct compressor *compressor);

#endif
