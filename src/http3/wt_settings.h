/* SPDX-License-Identifier: MIT */
/* http3/wt_settings.h — adds the settings of WebTransport to the SETTINGS frame that
 * nghttp3 writes, because it does not know them. The frame is replaced as a whole:
 * nghttp3 believes that its frame was sent and acknowledged. */
#ifndef HTTP3_WT_SETTINGS_H
#define HTTP3_WT_SETTINGS_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint32_t */
#include <sys/uio.h> /* struct iovec */

#include "base/compiler.h" /* MUST_USE */
#include "http3/carrier.h" /* struct h3_output */

/* The longest beginning of a control stream; nghttp3's is less than 64 bytes. */
#define WT_SETTINGS_BYTES 192u

/* All zero at first. */
struct wt_settings {
    char bytes[WT_SETTINGS_BYTES];
    size_t len;      /* 0: not made yet */
    size_t written;  /* bytes that were sent */
    size_t acked;    /* bytes that were acknowledged */
    bool is_blocked; /* the peer's window is full, or it takes nothing more */
};

/* Makes the beginning of the control stream from the first bytes that nghttp3 writes to
 * it, which are its type and the SETTINGS frame. `sessions` is how many sessions a client
 * may have. Returns false if they are anything else. */
MUST_USE bool wt_settings_make(struct wt_settings *settings, const struct iovec *iov,
                               int n, uint32_t sessions);

/* Sets *out to what is left to be sent on the control stream. Returns false if that is
 * nothing, or if it cannot be sent now. */
MUST_USE bool wt_settings_next(struct wt_settings *settings, int64_t control_id,
                               struct h3_output *out);

/* Called when `n` bytes of the control stream were sent. Returns whether they were
 * these. */
MUST_USE bool wt_settings_wrote(struct wt_settings *settings, size_t n);

/* Called when the peer has acknowledged the next `n` bytes of the control stream. Returns
 * how many of them are nghttp3's. */
size_t wt_settings_acked(struct wt_settings *settings, size_t n);

#endif
