/* SPDX-License-Identifier: MIT */
/* http2/guard.h — limits on work that an HTTP/2 peer can cause at no cost: reset
 * streams, frames that carry little, header blocks in tiny parts. Every limit is per
 * connection. */
#ifndef HTTP2_GUARD_H
#define HTTP2_GUARD_H

#include <nghttp2/nghttp2.h> /* nghttp2_frame_hd */
#include <stdbool.h>         /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "http/resets.h"   /* struct resets */

/* Rejected streams over the limit of open streams that do not count as resets: the peer
 * cannot know the limit before it has read our SETTINGS. */
#define H2_REFUSED 4096u

/* Streams that may be requested after a GOAWAY with ENHANCE_YOUR_CALM: they were in
 * transit, and are rejected. */
#define H2_LATE 1000u

/* Maximum number of CONTINUATION frames of one header block (CVE-2024-28182). */
#define H2_CONTINUATIONS 8u

/* Maximum number of consecutive DATA frames without a byte of the body
 * (CVE-2019-9518). */
#define H2_EMPTY_DATA 100u

/* Bytes of frames that carry neither fields nor data that are allowed before their
 * share is checked. */
#define H2_OVERHEAD_BYTES (1024u * 1024)

/* How many of the last gaps between stream numbers are stored. */
#define H2_GAPS 4u

/* How many of the last streams that the peer has ended are stored. */
#define H2_ENDED 16u

/* All zero at first. */
struct h2_guard {
    uint64_t bytes_in; /* of all frames */
    uint64_t payload;  /* of received header blocks and of data in both directions */
    struct resets resets;
    uint32_t nrefused; /* streams */
    uint32_t nlate;    /* streams, while is_calming */
    bool is_calming;   /* no stream may begin any more */
    uint32_t ncontinuations;
    uint32_t nempty; /* empty DATA frames in a row */
    int32_t last_id; /* the highest stream that was begun */
    uint32_t ngaps;  /* there were */
    struct {
        int32_t from, to; /* streams that were skipped, and cannot be begun any more */
    } gaps[H2_GAPS];
    uint32_t nended; /* there were */
    int32_t ended[H2_ENDED];
};

/* Called when stream `id` is closed and the peer had ended its side: DATA and HEADERS
 * for it are violations (RFC 9113 5.1), while those for a stream that we have reset may
 * have been in transit. */
void h2_guard_ended(struct h2_guard *guard, int32_t id);

/* Counts a stream that was reset at `now_ms` after work that is now lost, as
 * resets_count() does; resets that the peer makes us send count as well (CVE-2025-8671).
 * Returns 0, or ERR_H2_RESETS. */
MUST_USE int h2_guard_reset(struct h2_guard *guard, uint32_t most, uint64_t now_ms);

/* Called when a stream was rejected for exceeding the number of open streams. Returns
 * whether it counts as a reset. */
bool h2_guard_refused(struct h2_guard *guard);

/* Called when a frame begins. Returns 0, or
 *   ERR_H2        a stream was skipped (RFC 9113 5.1.1), as far as gaps are stored
 *   ERR_H2_ENDED  its stream has ended, as far as the ends are stored
 *   ERR_H2_FLOOD  one too many of its kind */
MUST_USE int h2_guard_frame(struct h2_guard *guard, const nghttp2_frame_hd *hd);

/* Called when a DATA frame has been received of which `padding` bytes do not belong to
 * the body. Returns 0 or ERR_H2_FLOOD. */
MUST_USE int h2_guard_padding(struct h2_guard *guard, const nghttp2_frame_hd *hd,
                              size_t padding);

/* Called when bytes have been read. Returns 0, or ERR_H2_FLOOD if less than an eighth
 * of all bytes since the connection began were useful. */
MUST_USE int h2_guard_bytes(struct h2_guard *guard, size_t n);

/* Called when data was sent, for which the peer must acknowledge that it has read
 * it. */
static inline void
h2_guard_sent(struct h2_guard *guard, size_t n)
{
    guard->payload += n;
}

#endif
