/* SPDX-License-Identifier: MIT */
/* http3/send.c — see send.h for the contract.
 *
 * nghttp3 asks for parts of the body as the peer's windows allow. These parts are
 * kept in `sent` until the peer has acknowledged them, since packets may be lost. */
#include "http3/send.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/narrow.h"
#include "http/mux_exchange.h"
#include "http3/wt_end.h"

/* The most bytes of a body that one call of nghttp3 gets. */
#define PART_BYTES (64u * 1024)

/* The most buffers of `sent` that one node of `out` fills: the blocks of the two
 * queues have different boundaries. */
#define BUFFERS_PER_NODE 2

_Static_assert(
    sizeof(struct section_line) == sizeof(nghttp3_nv) &&
        offsetof(struct section_line, name) == offsetof(nghttp3_nv, name) &&
        offsetof(struct section_line, value) == offsetof(nghttp3_nv, value) &&
        offsetof(struct section_line, name_len) == offsetof(nghttp3_nv, namelen) &&
        offsetof(struct section_line, value_len) == offsetof(nghttp3_nv, valuelen) &&
        offsetof(struct section_line, flags) == offsetof(nghttp3_nv, flags),
    "a section is what nghttp3 takes");
_Static_assert(SECTION_BORROWED ==
                   (NGHTTP3_NV_FLAG_NO_COPY_NAME | NGHTTP3_NV_FLAG_NO_COPY_VALUE),
               "the same flags");
_Static_assert(sizeof(nghttp3_vec) == sizeof(struct iovec) &&
                   offsetof(nghttp3_vec, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(nghttp3_vec, len) == offsetof(struct iovec, iov_len),
               "its buffers are those of the system");

static const nghttp3_nv *
h3_send_nv_of(const struct section_line *lines)
{
    return (const nghttp3_nv *)(const void *)lines;
}

/* What is kept */

void
h3_forget_sent(struct h3_session *h, struct h3_exchange *x)
{
    assert(x->sent.bytes <= h->unacked);
    h->unacked -= x->sent.bytes;
    outq_clear(&x->sent);
}

void
h3_acked(struct h3_session *h, struct h3_exchange *x, size_t n)
{
    assert(n <= x->sent.bytes && x->sent.bytes <= h->unacked);
    outq_sent(&x->sent, n);
    h->unacked -= n;
    if (x->mux.has_begun && !x->mux.core.is_gone)
        exchange_taken(&x->mux.core, n);
}

/* The body */

static bool
has_enough(const struct h3_session *h)
{
    return h->unacked >= h->mux.wire->service->limits.h3_send_bytes;
}

/* Moves the bytes that may be sent next, and fit into `room` buffers, from `out` to
 * `sent`. Bytes of a file are read into memory. Returns their number, or an error. */
static ssize_t
h3_send_offer(struct h3_session *h, struct h3_exchange *x, int room)
{
    const size_t most = outq_span(&x->mux.out, room / BUFFERS_PER_NODE);
    const size_t n = most < PART_BYTES ? most : PART_BYTES;
    const size_t before = x->sent.bytes;

    assert(n > 0);
    int err = outq_move(&x->sent, &x->mux.out, n);
    h->unacked += x->sent.bytes - before;
    if (err != 0)
        return err;
    mux_exchange_taken(&x->mux, n);
    return narrow_ssize(n);
}

/* Called when the body cannot be read: resets this stream only. */
static void
h3_send_lose_body(struct h3_exchange *x, int why)
{
    mux_exchange_reset(&x->mux, NGHTTP3_H3_INTERNAL_ERROR);
    mux_exchange_lose_body(&x->mux, why);
}

static int
h3_send_end_by_trailers(struct h3_session *h, const struct h3_exchange *x,
                        uint32_t *flags)
{
    *flags |= NGHTTP3_DATA_FLAG_NO_END_STREAM;
    return nghttp3_conn_submit_trailers(
        h->ng, x->id, h3_send_nv_of(x->mux.trailers->lines), x->mux.trailers->nlines);
}

#ifndef NDEBUG
static size_t
h3_send_bytes_of(const nghttp3_vec *vec, int n)
{
    size_t bytes = 0;

    for (int i = 0; i < n; i++)
        bytes += vec[i].len;
    return bytes;
}
#endif

/* Called by nghttp3 for the next part of a body. */
static nghttp3_ssize
read_body(nghttp3_conn *ng, int64_t id, nghttp3_vec *vec, size_t room, uint32_t *flags,
          void *arg, void *stream)
{
    struct h3_session *h = arg;
    struct h3_exchange *x = stream;
    const size_t before = x->sent.bytes;
    int nvec = 0;

    (void)ng;
    assert(x->id == id && !x->mux.is_closed);
    (void)id;
    if (x->mux.is_reset)
        return NGHTTP3_ERR_WOULDBLOCK;
    if ((x->mux.out.bytes == 0 && !x->mux.out_ended) ||
        (x->mux.out.bytes > 0 && has_enough(h))) {
        x->mux.is_deferred = true;
        return NGHTTP3_ERR_WOULDBLOCK;
    }
    if (x->mux.out.bytes > 0) {
        ssize_t n = h3_send_offer(h, x, narrow_len(room));
        if (n == ERR_FILE) {
            h3_send_lose_body(x, ERR_FILE);
            return NGHTTP3_ERR_WOULDBLOCK;
        }
        if (n < 0)
            return NGHTTP3_ERR_CALLBACK_FAILURE;
        nvec = outq_iov_from(&x->sent, before, (struct iovec *)(void *)vec,
                             narrow_len(room));
        assert(h3_send_bytes_of(vec, nvec) == narrow_size(n));
    }
    if (x->mux.out_ended && x->mux.out.bytes == 0) {
        *flags |= NGHTTP3_DATA_FLAG_EOF;
        if (x->mux.trailers != NULL && h3_send_end_by_trailers(h, x, flags) != 0)
            return NGHTTP3_ERR_CALLBACK_FAILURE;
    }
    return nvec;
}

/* struct mux_ops */

int
h3_commit(struct mux_exchange *mx, bool has_body)
{
    static const nghttp3_data_reader body = {read_body};

    assert(mx->response.lines != NULL && !mx->is_closed);
    mx->core.wire->ops->touch(mx->core.wire);
    return nghttp3_conn_submit_response(
               h3_session_of(mux_of(mx))->ng, h3_exchange_of(mx)->id,
               h3_send_nv_of(mx->response.lines), mx->response.nlines,
               has_body ? &body : NULL) == 0
               ? 0
               : ERR_NOMEM;
}

int
h3_resume(struct mux_exchange *mx)
{
    mx->core.wire->ops->touch(mx->core.wire);
    return nghttp3_conn_resume_stream(h3_session_of(mux_of(mx))->ng,
                                      h3_exchange_of(mx)->id) == 0
               ? 0
               : ERR_NOMEM;
}

int
h3_send_interim(struct mux_exchange *mx, const struct section_block *block)
{
    return nghttp3_conn_submit_info(h3_session_of(mux_of(mx))->ng,
                                    h3_exchange_of(mx)->id, h3_send_nv_of(block->lines),
                                    block->nlines) == 0
               ? 0
               : ERR_NOMEM;
}

void
h3_reset(struct mux_exchange *mx, uint64_t code)
{
    struct h3_session *h = h3_session_of(mux_of(mx));
    const int64_t id = h3_exchange_of(mx)->id;

    assert(mx->is_reset && !mx->core.is_gone);
    if (UNLIKELY(h3_exchange_of(mx)->wt != NULL))
        wt_session_lose(h3_exchange_of(mx)->wt);
    mux_exchange_keep(mx, 0);
    (void)nghttp3_conn_shutdown_stream_write(h->ng, id);
    h->carrier->ops->reset(h->carrier, id, code);
    if (mx->core.rx < EXCHANGE_RX_ENDED) /* a reset ends one direction only */
        h->carrier->ops->stop(h->carrier, id, code);
    mx->is_given_up = true;
    mux_note_news(mx);
}

void
h3_resume_all(struct h3_session *h)
{
    struct list_node *node;

    if (has_enough(h))
        return;
    for (node = h->mux.exchanges.next; node != &h->mux.exchanges; node = node->next) {
        struct mux_exchange *mx = container_of(node, struct mux_exchange, link);
        if (mx->out.bytes > 0 && !mx->is_closed && mux_exchange_resume(mx) != 0)
            h->mux.wire->ops->abort(h->mux.wire, ERR_NOMEM);
    }
}
