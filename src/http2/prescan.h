/* SPDX-License-Identifier: MIT */
/* http2/prescan.h — scans received frames before nghttp2 reads them. nghttp2 skips some
 * frames without a callback, and counts the head of a CONTINUATION frame that arrives
 * in parts as several frames. Therefore the guard sees all frames here, and nghttp2
 * gets frame heads whole. PRIORITY frames, which have no meaning with RFC 9218, must
 * still be well formed (RFC 9113 6.3, RFC 7540 5.3.1). */
#ifndef HTTP2_PRESCAN_H
#define HTTP2_PRESCAN_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

#include "base/budget.h"   /* struct budget */
#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http2/guard.h"   /* struct h2_guard */

struct h2_prescan {
    uint32_t left;  /* bytes to skip: of the preface, of a payload */
    bool is_costly; /* ... of a frame with fields or body bytes */
};

/* Initializes it at the start of the client's preface. */
void h2_prescan_init(struct h2_prescan *prescan);

/* Scans the next bytes of a connection, up to the next frame that begins an exchange or
 * carries a part of a body, and charges the cost of the frames to the budget, including
 * that one; accepts no frame if the budget is used up. Returns how many of the bytes
 * may be read: all except the start of an incomplete frame head, which must be passed
 * again with what follows. On a violation, returns the number of bytes before it, and
 * *err is ERR_H2 or the error of h2_guard_frame() instead of 0. */
size_t h2_prescan_frames(struct h2_prescan *prescan, struct h2_guard *guard,
                         struct slice bytes, struct budget *budget, int *err);

#endif
