/* SPDX-License-Identifier: MIT */
/* http2/output.c — see output.h for the contract. */
#include "http2/output.h"

#include <assert.h> /* assert */

#include "base/err.h"

static int
write_frames(struct h2_session *h)
{
    struct wire *wire = h->mux.wire;
    const uint8_t *bytes;
    ssize_t n;

    /* Each round queues bytes, or is the last. */
    while (wire->out.bytes <= HTTP_OUT_HIGH_BYTES) {
        assert(!h->mux.is_busy);
        h->mux.is_busy = true; /* callbacks may call this again */
        n = nghttp2_session_mem_send(h->ng, &bytes);
        h->mux.is_busy = false;
        h->is_broken = h->is_broken || n == NGHTTP2_ERR_NOMEM;
        if (n <= 0)
            return n == 0 ? 0 : h->why != 0 ? h->why : ERR_NOMEM;
        if (outq_copy(&wire->out, slice_new((const char *)bytes, (size_t)n)) != 0)
            return ERR_NOMEM;
    }
    return 0;
}

void
h2_write(struct h2_session *h)
{
    if (h->mux.is_busy || h->mux.is_over || h->mux.wire->is_dead)
        return;
    int err = write_frames(h);
    if (err != 0)
        h->mux.wire->ops->abort(h->mux.wire, err);
}

void
h2_finish(struct h2_session *h, int why)
{
    h->mux.wire->lingers = true;
    mux_finish(&h->mux, why);
}

void
h2_end(struct h2_session *h, uint32_t code, int why)
{
    if (h->mux.is_over)
        return;
    if (nghttp2_session_terminate_session(h->ng, code) != 0 || write_frames(h) != 0) {
        h->mux.wire->ops->abort(h->mux.wire, why != 0 ? why : ERR_NOMEM);
        return;
    }
    h2_finish(h, why);
}
