/* SPDX-License-Identifier: MIT */
/* http2/send.c — see send.h for the contract.
 *
 * nghttp2 asks for the body as the windows of the peer allow: how much may be framed,
 * and later for the frame itself, which moves to the connection's output. */
#include "http2/send.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/narrow.h"
#include "http/mux_exchange.h"

_Static_assert(
    sizeof(struct section_line) == sizeof(nghttp2_nv) &&
        offsetof(struct section_line, name) == offsetof(nghttp2_nv, name) &&
        offsetof(struct section_line, value) == offsetof(nghttp2_nv, value) &&
        offsetof(struct section_line, name_len) == offsetof(nghttp2_nv, namelen) &&
        offsetof(struct section_line, value_len) == offsetof(nghttp2_nv, valuelen) &&
        offsetof(struct section_line, flags) == offsetof(nghttp2_nv, flags),
    "a section is what nghttp2 takes");
_Static_assert(SECTION_BORROWED ==
                   (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE),
               "the same flags");

static const nghttp2_nv *
nv_of(const struct section_line *lines)
{
    return (const nghttp2_nv *)(const void *)lines;
}

static int
end_by_trailers(nghttp2_session *ng, const struct h2_exchange *x, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(ng, x->id, nv_of(x->mux.trailers->lines),
                                  x->mux.trailers->nlines);
}

/* Called by nghttp2: returns how much of the body it may frame. */
static ssize_t
measure(nghttp2_session *ng, int32_t id, uint8_t *unused, size_t room, uint32_t *flags,
        nghttp2_data_source *source, void *arg)
{
    struct h2_exchange *x = source->ptr;
    struct mux_exchange *mx = &x->mux;
    size_t n = mx->out.bytes < room ? mx->out.bytes : room;

    assert(x->promised == 0 && !mx->core.is_gone && x->id == id);
    if (mx->is_reset) /* an END_STREAM would mean that the response is complete */
        return NGHTTP2_ERR_DEFERRED;
    if (n == 0 && !mx->out_ended) {
        mx->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (mx->out_ended && n == mx->out.bytes) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (mx->trailers != NULL && end_by_trailers(ng, x, flags) != 0)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    x->promised = n;
    (void)id;
    (void)unused;
    (void)arg;
    return narrow_ssize(n);
}

int
h2_commit(struct mux_exchange *mx, bool has_body)
{
    struct h2_exchange *x = h2_exchange_of(mx);
    nghttp2_data_provider body = {.source.ptr = x, .read_callback = measure};

    assert(mx->response.lines != NULL && x->promised == 0);
    return nghttp2_submit_response(h2_session_of(mux_of(mx))->ng, x->id,
                                   nv_of(mx->response.lines), mx->response.nlines,
                                   has_body ? &body : NULL) == 0
               ? 0
               : ERR_NOMEM;
}

int
h2_resume(struct mux_exchange *mx)
{
    const struct h2_exchange *x = h2_exchange_of(mx);

    assert(x->promised == 0); /* nghttp2 would have a frame and not ask for another */
    return nghttp2_session_resume_data(h2_session_of(mux_of(mx))->ng, x->id) == 0
               ? 0
               : ERR_NOMEM;
}

int
h2_send_interim(struct mux_exchange *mx, const struct section_block *block)
{
    return nghttp2_submit_headers(h2_session_of(mux_of(mx))->ng, NGHTTP2_FLAG_NONE,
                                  h2_exchange_of(mx)->id, NULL, nv_of(block->lines),
                                  block->nlines, NULL) == 0
               ? 0
               : ERR_NOMEM;
}

void
h2_reset(struct mux_exchange *mx, uint64_t code)
{
    const struct h2_exchange *x = h2_exchange_of(mx);
    struct wire *wire = mx->core.wire;

    assert(mx->is_reset && !mx->core.is_gone);
    mux_exchange_keep(mx, x->promised);
    if (nghttp2_submit_rst_stream(h2_session_of(mux_of(mx))->ng, NGHTTP2_FLAG_NONE,
                                  x->id, (uint32_t)code) != 0)
        wire->ops->abort(wire, ERR_NOMEM);
}

/* Writes all of a frame or nothing: after a head without its payload, the following
 * bytes of the connection would be read as the payload. */
static int
append_frame(struct outq *out, struct slice head, struct outq *body, size_t n)
{
    outq_hold(out);
    int err = outq_copy(out, head);
    if (err == 0)
        err = outq_move(out, body, n);
    if (err == 0)
        outq_unhold(out);
    else
        outq_take_back(out);
    return err;
}

int
h2_write_data(struct h2_exchange *x, struct slice head, size_t n)
{
    struct mux_exchange *mx = &x->mux;
    struct h2_session *h = h2_session_of(mux_of(mx));

    assert(n == x->promised && n <= mx->out.bytes && !mx->core.is_gone);
    int err = append_frame(&h->mux.wire->out, head, &mx->out, n);
    if (err == 0 || err == ERR_FILE)
        x->promised = 0;
    if (err == ERR_FILE)
        mux_exchange_lose_body(mx, err); /* nghttp2 drops the frame */
    if (err != 0)
        return err;
    exchange_taken(&mx->core, n);
    h2_guard_sent(&h->guard, n);
    mux_exchange_taken(mx, n);
    return 0;
}
