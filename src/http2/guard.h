/* SPDX-License-Identifier: MIT */
/* http2/guard.h — what a peer of HTTP/2 may have us do for nothing: streams that are reset,
 * frames that carry little, header blocks in crumbs.  Every bound is per connection. */
#ifndef HTTP2_GUARD_H
#define HTTP2_GUARD_H

#include <nghttp2/nghttp2.h> /* nghttp2_frame_hd */
#include <stdbool.h>         /* bool */

#include "base/compiler.h" /* MUST_USE */

/* Streams that are refused for being too many and do not count as resets: the peer cannot
 * know how many may be open before it has read our SETTINGS. */
#define H2_REFUSED 4096u

/* Streams that may be asked for after a GOAWAY with ENHANCE_YOUR_CALM: they are on their
 * way, and are refused. */
#define H2_LATE 1000u

/* CONTINUATION frames of one header block (CVE-2024-28182). */
#define H2_CONTINUATIONS 8u

/* DATA frames without a byte of the body, one after the other (CVE-2019-9518). */
#define H2_EMPTY_DATA 100u

/* Bytes of frames that carry neither fields nor data, before their share counts. */
#define H2_OVERHEAD_BYTES (1024u * 1024)

/* How many of the last gaps between stream numbers are remembered. */
#define H2_GAPS 4u

/* How many of the last streams that the peer has ended are remembered. */
#define H2_ENDED 16u

/* All zero at first. */
struct h2_guard {
    uint64_t bytes_in;  /* of all frames */
    uint64_t payload;   /* of header blocks that came and of data both ways */
    uint64_t resets_ms; /* when the reset before this one was counted */
    uint64_t resets;    /* in thousandths of one, the refill taken off */
    uint32_t nrefused;  /* streams */
    uint32_t nlate;     /* streams, while is_calming */
    bool is_calming;    /* no stream begins any more */
    uint32_t ncontinuations;
    uint32_t nempty; /* empty DATA frames in a row */
    int32_t last_id; /* the highest stream that was begun */
    uint32_t ngaps;  /* there were */
    struct {
        int32_t from,
            to; /* streams that were passed over, and cannot be begun any more */
    } gaps[H2_GAPS];
    uint32_t nended; /* there were */
    int32_t ended[H2_ENDED];
};

/* Stream `id` is closed, and the peer had ended its side: DATA and HEADERS that come for it
 * break the rules (RFC 9113 5.1), while those on a stream that we have reset may have been on
 * their way. */
void h2_guard_ended(struct h2_guard *guard, int32_t id);

/* A stream was reset at `now_ms` after work that is lost now (CVE-2023-44487; those that the
 * peer makes us reset count as well, CVE-2025-8671).  `most` may be at once, and a quarter
 * as many more a second; 0: any number.  Returns 0, or ERR_H2_RESETS. */
MUST_USE int h2_guard_reset(struct h2_guard *guard, uint32_t most, uint64_t now_ms);

/* A stream was refused for being one too many.  Returns whether it counts as a reset. */
bool h2_guard_refused(struct h2_guard *guard);

/* A frame begins.  Returns 0, or
 *   ERR_H2        a stream was passed over (RFC 9113 5.1.1), as far as gaps are remembered
 *   ERR_H2_ENDED  its stream has ended, as far as the ends are remembered
 *   ERR_H2_FLOOD  one too many of its kind */
MUST_USE int h2_guard_frame(struct h2_guard *guard, const nghttp2_frame_hd *hd);

/* A DATA frame has come of which `padding` bytes are none of the body.  Returns 0 or
 * ERR_H2_FLOOD. */
MUST_USE int h2_guard_padding(struct h2_guard *guard, const nghttp2_frame_hd *hd,
                              size_t padding);

/* Bytes were read.  Returns 0, or ERR_H2_FLOOD when less than an eighth of what came
 * since the connection began was good for anything. */
MUST_USE int h2_guard_bytes(struct h2_guard *guard, size_t n);

/* Data went out, of which the peer has to tell us that it has read it. */
static inline void
h2_guard_sent(struct h2_guard *guard, size_t n)
{
    guard->payload += n;
}

#endif
