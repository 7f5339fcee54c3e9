/* SPDX-License-Identifier: MIT */
/* base/lender.h — how bytes are lent for a while: who owns them, and how they are given
 * back. */
#ifndef BASE_LENDER_H
#define BASE_LENDER_H

#include <stddef.h> /* size_t */

/* A lender of bytes. `retain` and `release` are called in pairs; neither may fail,
 * call the queue, or be NULL. */
struct lender {
    void (*retain)(void *owner);
    void (*release)(void *owner);
    size_t bytes_min; /* shorter bytes are copied instead, if the caller can choose
                         (chunk_queue) */
};

#endif
