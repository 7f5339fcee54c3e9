/* SPDX-License-Identifier: MIT */
/* http3/frames.c — see frames.h for the contract. */
#include "http3/frames.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "http/mux_exchange.h"
#include "http3/cancel.h"
#include "http3/early.h"
#include "http3/exchange.h"
#include "http3/send.h"

static void
h3_frames_retain_rcbuf(void *rcbuf)
{
    nghttp3_rcbuf_incref(rcbuf);
}

static void
h3_frames_release_rcbuf(void *rcbuf)
{
    nghttp3_rcbuf_decref(rcbuf);
}

static const struct lender rcbuf_lender = {h3_frames_retain_rcbuf,
                                           h3_frames_release_rcbuf, 0};

static struct slice
h3_frames_slice_of_rcbuf(nghttp3_rcbuf *rcbuf)
{
    nghttp3_vec vec = nghttp3_rcbuf_get_buf(rcbuf);

    return slice_new((const char *)vec.base, vec.len);
}

/* Heads and trailers */

static int
h3_frames_on_begin_headers(nghttp3_conn *ng, int64_t id, void *arg, void *stream)
{
    struct h3_session *h = arg;
    struct h3_exchange *x = h3_exchange_new(h, id);

    assert(stream == NULL && h->mux.is_busy);
    (void)stream;
    if (x == NULL || nghttp3_conn_set_stream_user_data(ng, id, x) != 0)
        return NGHTTP3_ERR_CALLBACK_FAILURE;
    return 0;
}

static int
on_field(nghttp3_conn *ng, int64_t id, int32_t token, nghttp3_rcbuf *name,
         nghttp3_rcbuf *value, uint8_t flags, void *arg, void *stream)
{
    const struct section_pair pair = {h3_frames_slice_of_rcbuf(name),
                                      h3_frames_slice_of_rcbuf(value), name, value};
    struct h3_session *h = arg;
    struct h3_exchange *x = stream;

    (void)ng;
    (void)id;
    (void)token;
    (void)flags;
    if (x->is_held) /* trailers, which the application does not get */
        return 0;
    h->useful += pair.name.len + pair.value.len;
    int err = request_section_add(&x->section, &h->mux.wire->service->limits,
                                  &rcbuf_lender, &pair);
    if (err == ERR_H2_FLOOD)
        h3_overload(h, ERR_H3_FLOOD);
    return err == 0 ? 0 : NGHTTP3_ERR_CALLBACK_FAILURE;
}

static int
on_end_headers(nghttp3_conn *ng, int64_t id, int ended, void *arg, void *stream)
{
    (void)ng;
    (void)id;
    if (h3_early_must_wait(arg, stream))
        h3_early_hold(arg, stream, ended != 0);
    else
        h3_exchange_begin(stream, ended != 0);
    return 0;
}

static int
on_end_trailers(nghttp3_conn *ng, int64_t id, int ended, void *arg, void *stream)
{
    struct h3_exchange *x = stream;

    (void)ng;
    (void)id;
    (void)ended;
    (void)arg;
    if (x->is_held)
        return 0;
    if (x->section.err != 0)
        (void)exchange_on(&x->mux.core, EXCHANGE_ON_REFUSE, ERR_TRAILER_TOO_LARGE);
    request_section_clear(&x->section); /* not passed to the application */
    return 0;
}

/* The body */

static int
on_body(nghttp3_conn *ng, int64_t id, const uint8_t *bytes, size_t n, void *arg,
        void *stream)
{
    struct h3_session *h = arg;
    struct h3_exchange *x = stream;

    (void)ng;
    (void)id;
    h->useful += n;
    if (UNLIKELY(x->is_held))
        return h3_early_keep(x, slice_new((const char *)bytes, n)) == 0
                   ? 0
                   : NGHTTP3_ERR_CALLBACK_FAILURE;
    h3_exchange_body(h, x, slice_new((const char *)bytes, n), !h->reads_last);
    return 0;
}

static int
on_end_stream(nghttp3_conn *ng, int64_t id, void *arg, void *stream)
{
    struct h3_exchange *x = stream;

    (void)ng;
    (void)id;
    (void)arg;
    if (x != NULL && x->mux.has_begun)
        h3_exchange_body_end(x);
    else if (x != NULL && x->is_held)
        x->early_ended = true;
    return 0;
}

/* Called when bytes that were waiting for other streams have been consumed. */
static int
on_consumed(nghttp3_conn *ng, int64_t id, size_t n, void *arg, void *stream)
{
    struct h3_session *h = arg;

    (void)ng;
    (void)stream;
    h->carrier->ops->extend(h->carrier, id, n);
    return 0;
}

static int
h3_frames_on_acked(nghttp3_conn *ng, int64_t id, uint64_t n, void *arg, void *stream)
{
    (void)ng;
    (void)id;
    struct h3_session *h = arg;

    h->useful += n;
    if (stream != NULL)
        h3_acked(arg, stream, (size_t)n);
    return 0;
}

/* The end */

static int
on_close(nghttp3_conn *ng, int64_t id, uint64_t code, void *arg, void *stream)
{
    struct h3_exchange *x = stream;

    (void)ng;
    (void)id;
    (void)code;
    if (x == NULL)
        return 0;
    h3_give_back(arg, x);
    mux_exchange_lose(&x->mux);
    return 0;
}

static int
on_stop(nghttp3_conn *ng, int64_t id, uint64_t code, void *arg, void *stream)
{
    struct h3_session *h = arg;

    (void)ng;
    (void)stream;
    h->carrier->ops->stop(h->carrier, id, code);
    return 0;
}

static int
on_reset(nghttp3_conn *ng, int64_t id, uint64_t code, void *arg, void *stream)
{
    struct h3_session *h = arg;

    (void)ng;
    (void)stream;
    h->carrier->ops->reset(h->carrier, id, code);
    return 0;
}

int
h3_frames_init(struct h3_session *h)
{
    static const nghttp3_callbacks callbacks = {
        .begin_headers = h3_frames_on_begin_headers,
        .recv_header = on_field,
        .end_headers = on_end_headers,
        .recv_trailer = on_field,
        .end_trailers = on_end_trailers,
        .recv_data = on_body,
        .end_stream = on_end_stream,
        .deferred_consume = on_consumed,
        .acked_stream_data = h3_frames_on_acked,
        .stream_close = on_close,
        .stop_sending = on_stop,
        .reset_stream = on_reset,
    };
    nghttp3_settings settings;

    h->mem = (nghttp3_mem){&h->carrier->quota, quota_alloc, quota_free, quota_calloc,
                           quota_realloc};
    nghttp3_settings_default(&settings);
    /* Without a dynamic table, the QPACK streams need no acknowledgements: a small
     * exchange takes fewer packets in each direction, and no request waits for the
     * fields of another one. */
    settings.qpack_max_dtable_capacity = 0;
    settings.qpack_encoder_max_dtable_capacity = 0;
    settings.qpack_blocked_streams = 0;
    settings.max_field_section_size = h->mux.wire->service->limits.head_bytes;
    settings.enable_connect_protocol = 1;
    settings.h3_datagram = h->wt != NULL;
    return nghttp3_conn_server_new(&h->ng, &callbacks, &settings, &h->mem, h) == 0
               ? 0
               : ERR_NOMEM;
}
