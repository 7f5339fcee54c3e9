/* SPDX-License-Identifier: MIT */
/* http2/frames.c — see frames.h for the contract. */
#include "http2/frames.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "http/mux_exchange.h"
#include "http2/exchange.h"
#include "http2/goaway.h"
#include "http2/send.h"

/* Handles an error that ends the connection: nghttp2 returns immediately. */
static int
stop(struct h2_session *h, int why)
{
    h->why = why;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static struct h2_exchange *
find(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *h = arg;

    (void)ng;
    (void)frame;
    request_section_clear(&h->request);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_HEADERS) == 0) {
        h->head_due_ms = clock_due(&h->mux.wire->service->clock,
                                   h->mux.wire->service->limits.head_ms);
        mux_note_due(&h->mux, h->head_due_ms);
    }
    return 0;
}

static void
retain_rcbuf(void *rcbuf)
{
    nghttp2_rcbuf_incref(rcbuf);
}

static void
release_rcbuf(void *rcbuf)
{
    nghttp2_rcbuf_decref(rcbuf);
}

static const struct lender rcbuf_lender = {retain_rcbuf, release_rcbuf, 0};

static struct slice
slice_of_rcbuf(nghttp2_rcbuf *rcbuf)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(rcbuf);

    return slice_new((const char *)vec.base, vec.len);
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
          nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    struct h2_session *h = arg;
    const struct section_pair pair = {slice_of_rcbuf(name), slice_of_rcbuf(value), name,
                                      value};
    int err = request_section_add(&h->request, &h->mux.wire->service->limits,
                                  &rcbuf_lender, &pair);

    (void)ng;
    (void)frame;
    (void)flags;
    return err == 0 ? 0 : stop(h, err);
}

/* nghttp2 would drop the field and continue; a malformed one resets the stream (RFC
 * 9113 8.1.1). */
static int
on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                  nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    (void)ng;
    (void)frame;
    (void)name;
    (void)value;
    (void)flags;
    (void)arg;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Called for a stream that was requested before the peer has read that no stream may
 * begin any more. */
static int
h2_frames_refuse(struct h2_session *h, int32_t id)
{
    return nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, id,
                                     NGHTTP2_REFUSED_STREAM) == 0
               ? 0
               : ERR_NOMEM;
}

/* Called when a header block is complete: a request, or its trailers, which are not
 * passed to the application. */
static int
on_headers(struct h2_session *h, const nghttp2_frame *frame)
{
    bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    int err = 0;

    h->head_due_ms = UINT64_MAX;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && h->guard.is_calming) {
        err = h2_frames_refuse(h, frame->hd.stream_id);
    } else if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        err = h2_exchange_begin(h, frame->hd.stream_id, ended);
    } else {
        struct h2_exchange *x = find(h->ng, frame->hd.stream_id);
        if (h->request.err != 0 && x != NULL)
            (void)exchange_on(&x->mux.core, EXCHANGE_ON_REFUSE, ERR_TRAILER_TOO_LARGE);
        if (x != NULL) /* trailers end the stream (RFC 9113 8.1) */
            exchange_push_end(&x->mux.core);
    }
    request_section_clear(&h->request);
    return err == 0 ? 0 : stop(h, err);
}

static int
on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *h = arg;
    struct h2_exchange *x;
    int err = 0;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        return on_headers(h, frame);
    case NGHTTP2_DATA:
        x = find(ng, frame->hd.stream_id);
        if (frame->data.padlen > 0)
            err = h2_guard_padding(&h->guard, &frame->hd, frame->data.padlen);
        if (x == NULL)
            break;
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            exchange_push_end(&x->mux.core);
        else
            exchange_deliver(&x->mux.core);
        break;
    case NGHTTP2_RST_STREAM:
        x = find(ng, frame->hd.stream_id);
        if (x != NULL && h2_exchange_is_undone(x))
            h2_count_reset(h);
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
            h2_note_goaway_read(h);
        break;
    default:
        break;
    }
    return err == 0 ? 0 : stop(h, err);
}

static int
on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t n,
        void *arg)
{
    struct h2_session *h = arg;
    struct h2_exchange *x = find(ng, id);
    struct slice bytes = slice_new((const char *)data, n);

    if (nghttp2_session_consume_connection(ng, n) != 0)
        return stop(h, ERR_NOMEM);
    if (x == NULL)
        return 0;
    exchange_push(&x->mux.core, bytes, (flags & NGHTTP2_FLAG_END_STREAM) == 0);
    return 0;
}

/* Called when the end of a response, or of our side of a tunnel, has been sent. */
static void
on_answer_sent(struct h2_session *h, int32_t id)
{
    struct h2_exchange *x = find(h->ng, id);

    if (x == NULL)
        return;
    assert(x->promised == 0);
    mux_exchange_answered(&x->mux);
}

/* Resets that the peer has caused count as its own. */
static void
on_reset_sent(struct h2_session *h, uint32_t code)
{
    switch (code) {
    case NGHTTP2_NO_ERROR:
    case NGHTTP2_CANCEL:
    case NGHTTP2_INTERNAL_ERROR:
        return;
    case NGHTTP2_REFUSED_STREAM:
        if (!h2_guard_refused(&h->guard))
            return;
        break;
    default:
        break;
    }
    h2_count_reset(h);
}

static int
on_frame_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *h = arg;

    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            on_answer_sent(h, frame->hd.stream_id);
        return 0;
    case NGHTTP2_RST_STREAM:
        on_reset_sent(h, frame->rst_stream.error_code);
        return 0;
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR && h->why == 0 &&
            !h->guard.is_calming)
            h->why =
                frame->goaway.error_code == NGHTTP2_INTERNAL_ERROR ? ERR_NOMEM : ERR_H2;
        return 0;
    default:
        return 0;
    }
}

/* Frames of a large response wait in nghttp2 until the connection has sent its
 * output. */
static int
send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
          nghttp2_data_source *source, void *arg)
{
    struct h2_session *h = arg;

    (void)ng;
    (void)frame;
    assert(h->mux.is_busy);
    if (h->mux.wire->out.bytes > HTTP_OUT_HIGH_BYTES)
        return NGHTTP2_ERR_WOULDBLOCK;
    int err = h2_write_data(source->ptr, slice_new((const char *)head, 9), n);
    if (err == ERR_FILE)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* it resets only the stream */
    return err == 0 ? 0 : stop(h, err);
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2_session *h = arg;
    struct h2_exchange *x = find(ng, id);

    (void)code;
    if (x == NULL)
        return 0;
    if (x->mux.core.rx == EXCHANGE_RX_ENDED)
        h2_guard_ended(&h->guard, id);
    mux_exchange_lose(&x->mux);
    return 0;
}

static int
set_callbacks(nghttp2_session_callbacks **out)
{
    nghttp2_session_callbacks *cbs;

    if (nghttp2_session_callbacks_new(&cbs) != 0)
        return ERR_NOMEM;
    nghttp2_session_callbacks_set_on_begin_headers_callback(cbs, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(cbs, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(cbs, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(cbs, on_frame_sent);
    nghttp2_session_callbacks_set_send_data_callback(cbs, send_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_stream_close);
    *out = cbs;
    return 0;
}

static void *
allocate(size_t size, void *arg)
{
    (void)arg;
    return mem_alloc(size);
}

static void
release(void *ptr, void *arg)
{
    (void)arg;
    mem_free(ptr);
}

static void *
allocate_zero(size_t count, size_t size, void *arg)
{
    (void)arg;
    return mem_calloc(count, size);
}

static void *
reallocate(void *ptr, size_t size, void *arg)
{
    (void)arg;
    return mem_realloc(ptr, size);
}

int
h2_frames_init(struct h2_session *h)
{
    nghttp2_mem mem = {NULL, allocate, release, allocate_zero, reallocate};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int err = ERR_NOMEM;

    if (set_callbacks(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        goto out;
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    nghttp2_option_set_server_fallback_rfc7540_priorities(option, 0);
#ifdef HAVE_NGHTTP2_RESET_LIMIT
    /* nghttp2 counts every reset; guard.h counts those that waste work. */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
#endif
    if (nghttp2_session_server_new3(&h->ng, callbacks, h, option, &mem) == 0)
        err = 0;
out:
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return err;
}
