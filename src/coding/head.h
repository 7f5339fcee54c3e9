/* SPDX-License-Identifier: MIT */
/* coding/head.h — changes the head of a response whose body is encoded: adds
 * Content-Encoding, removes Content-Length and Accept-Ranges, makes a strong ETag
 * weak (RFC 9110 8.8.1: two encodings of the same bytes differ), and adds
 * Accept-Encoding to Vary (12.5.5). */
#ifndef CODING_HEAD_H
#define CODING_HEAD_H

#include "base/compiler.h" /* MUST_USE */
#include "http/accept.h"   /* enum coding */
#include "http/stream.h"   /* struct http_response */

/* A head with changed fields. Fields that do not change are borrowed from the
 * original. */
struct coded_head {
    struct http_response res; /* its fields are in `block` */
    void *block;              /* owned */
};

/* Initializes *coded with the fields of `res` for a body in `coding`. With
 * CODING_IDENTITY the body is sent unchanged, and only Vary is changed, because
 * other clients get an encoded body. `is_weak` makes the ETag weak even then, for a
 * 304 that confirms an encoded response. Returns 0 or ERR_NOMEM. */
MUST_USE int coded_head_init(struct coded_head *coded, const struct http_response *res,
                             enum coding coding, bool is_weak);

/* Frees the fields; may be called twice. */
void coded_head_fini(struct coded_head *coded);

#endif
