/* SPDX-License-Identifier: MIT */
/* http2/walk.h — a walk over the frames that were read, before nghttp2 reads them: it skips
 * some unseen, and counts the pieces that the head of a CONTINUATION frame comes in as so many
 * frames.  All are shown to the guard, nghttp2 gets heads of frames whole, and PRIORITY
 * frames, which mean nothing where RFC 9218 is spoken, have to be well formed even so (RFC
 * 9113 6.3, RFC 7540 5.3.1). */
#ifndef HTTP2_WALK_H
#define HTTP2_WALK_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

#include "base/budget.h"   /* struct budget */
#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http2/guard.h"   /* struct h2_guard */

struct h2_walk {
    uint32_t left;  /* bytes to pass over: of the preface, of a payload */
    bool is_costly; /* ... of a frame of headers or of a body */
};

/* Begins in front of the client's preface. */
void h2_walk_init(struct h2_walk *walk);

/* Walks over the next bytes of a connection, up to the next frame that begins an exchange or
 * brings a part of a body, and spends what the frames cost, that one included; takes no
 * frame when the budget is used up.  Returns how many of them may be read: all but
 * the begin of a head, which has to come again with what follows; or those in front of the
 * place where the peer has gone wrong, with *err ERR_H2 or what h2_guard_frame says in place
 * of 0. */
size_t h2_walk_over(struct h2_walk *walk, struct h2_guard *guard, struct slice bytes,
                    struct budget *budget, int *err);

#endif
