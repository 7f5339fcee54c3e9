/* SPDX-License-Identifier: MIT */
/* http2/goaway.c — see goaway.h for the contract. */
#include "http2/goaway.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "http2/output.h"

void
h2_go_away(struct h2_session *h)
{
    static const uint8_t opaque[8] = "bolide";

    if (!mux_begin_draining(&h->mux))
        return;
    if (nghttp2_submit_shutdown_notice(h->ng) != 0 ||
        nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, opaque) != 0)
        h->mux.wire->ops->abort(h->mux.wire, ERR_NOMEM);
}

void
h2_count_reset(struct h2_session *h)
{
    static const char why[] = "streams were reset over --h2-max-resets";
    struct service *service = h->mux.wire->service;

    int err = h2_guard_reset(&h->guard, service->limits.h2_resets, mux_now_ms(&h->mux));
    if (err == 0 || h->guard.is_calming)
        return;
    h->guard.is_calming = true;
    h->mux.wire->ops->complain(h->mux.wire, err);
    if (nghttp2_submit_goaway(
            h->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->ng),
            NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)why, sizeof why - 1) != 0)
        h->mux.wire->ops->abort(h->mux.wire, ERR_NOMEM);
    h->mux.wire->ops->touch(h->mux.wire);
}

void
h2_continue_draining(struct h2_session *h)
{
    if (h->mux.goaway_due_ms > mux_now_ms(&h->mux) || h->mux.is_over)
        return;
    if (h->mux.nexchanges == 0) {
        h2_end(h, NGHTTP2_NO_ERROR, 0);
    } else if (h->mux.goaway_due_ms != 0) {
        h->mux.goaway_due_ms = 0;
        (void)nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE,
                                    nghttp2_session_get_last_proc_stream_id(h->ng),
                                    NGHTTP2_NO_ERROR, NULL, 0);
        h2_write(h);
    }
}

void
h2_note_goaway_read(struct h2_session *h)
{
    uint64_t now = mux_now_ms(&h->mux);

    if (h->mux.is_draining && h->mux.goaway_due_ms > now)
        h->mux.goaway_due_ms = now;
}
