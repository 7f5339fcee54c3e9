/* SPDX-License-Identifier: MIT */
/* http3/session.c — see session.h and carrier.h for the contract.
 *
 * The carrier passes the bytes of streams to nghttp3, whose callbacks (frames.c) run
 * the exchanges. Exchanges only queue output; the carrier takes it when it writes
 * packets. After each call of nghttp3, mux_settle() notifies exchanges of their
 * events and frees those that have ended. */
#include "http3/session.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "base/timer.h"
#include "http/mux_exchange.h"
#include "http3/cancel.h"
#include "http3/control.h"
#include "http3/exchange.h"
#include "http3/frames.h"
#include "http3/send.h"
#include "http3/wt_datagram.h"
#include "http3/wt_open.h"
#include "http3/wt_output.h"
#include "http3/wt_session.h"
#include "http3/wt_stream.h"

/* The end of the connection */

static void
continue_draining(struct h3_session *h)
{
    if (h->mux.goaway_due_ms > mux_now_ms(&h->mux) || h->mux.is_over)
        return;
    if (h->mux.nexchanges == 0) {
        mux_finish(&h->mux, 0);
    } else if (h->mux.goaway_due_ms != 0) {
        h->mux.goaway_due_ms = 0;
        assert(h->is_ready); /* there is a request */
        (void)nghttp3_conn_shutdown(h->ng);
        h->mux.wire->ops->touch(h->mux.wire);
    }
}

/* From below: http3/carrier.h */

int
h3_on_ready(void *session)
{
    struct h3_session *h = session;
    int64_t control, encoder, decoder;
    const struct carrier_ops *ops = h->carrier->ops;

    int err = ops->open_uni(h->carrier, &control);
    if (err == 0)
        err = ops->open_uni(h->carrier, &encoder);
    if (err == 0)
        err = ops->open_uni(h->carrier, &decoder);
    if (err != 0)
        return err == ERR_NOMEM ? NGHTTP3_H3_INTERNAL_ERROR
                                : NGHTTP3_H3_STREAM_CREATION_ERROR;
    if (nghttp3_conn_bind_control_stream(h->ng, control) != 0 ||
        nghttp3_conn_bind_qpack_streams(h->ng, encoder, decoder) != 0)
        return NGHTTP3_H3_INTERNAL_ERROR;
    h->control_id = control;
    h->is_ready = true;
    if (h->mux.is_draining) /* since before the end of the handshake */
        h3_announce_end(h);
    h->mux.wire->ops->touch(h->mux.wire);
    return 0;
}

int
h3_on_established(void *session)
{
    struct h3_session *h = session;

    assert(!h->carrier->is_early && !h->mux.is_busy);
    if (h->carrier->early_is_rejected)
        tally_add(h->mux.wire->service->tally, TALLY_EARLY_REJECTED, 1);
    if (h3_has_ended(h))
        return 0;
    mux_expect_request(&h->mux);
    if (h->nheld == 0)
        return 0;
    h->mux.is_busy = true;
    h3_exchange_begin_held(h);
    h->mux.is_busy = false;
    h->mux.wire->ops->touch(h->mux.wire);
    return 0;
}

static int
code_of(int ng_error)
{
    return (int)nghttp3_err_infer_quic_app_error_code(ng_error);
}

/* Passes bytes to nghttp3. Returns 0 or the HTTP/3 error. */
static int
h3_pass(struct h3_session *h, int64_t id, bool is_new, struct slice bytes, bool last)
{
    assert(h->is_ready && !h->mux.is_busy);
    h->mux.is_busy = true;
    h->reads_last = last;
    nghttp3_ssize n =
        h3_is_request(id)
            ? nghttp3_conn_read_stream(h->ng, id, (const uint8_t *)bytes.ptr, bytes.len,
                                       last)
            : h3_control_read(h->ng, h->controls, id, bytes, is_new, last);
    h->mux.is_busy = false;
    if (n < 0)
        return code_of((int)n);
    if (n > 0) /* frames; bodies when they are read */
        h->carrier->ops->extend(h->carrier, id, (size_t)n);
    return 0;
}

/* As h3_pass(), if WebTransport is on. */
static int
h3_sort(struct h3_session *h, int64_t id, bool is_new, struct slice bytes, bool last)
{
    struct wt_kept kept;

    int found = wt_read(h, id, is_new, bytes, last, &kept);
    if (found != WT_OTHERS)
        return found;
    if (kept.n == 0)
        return h3_pass(h, id, is_new, bytes, last);
    int code = h3_pass(h, id, true, slice_new(kept.bytes, kept.n), false);
    return code != 0 ? code : h3_pass(h, id, false, bytes, last);
}

int
h3_on_data(void *session, int64_t id, uint64_t offset, struct slice bytes, bool last)
{
    struct h3_session *h = session;

    if (h3_has_ended(h))
        return 0;
    int code = UNLIKELY(h->wt != NULL) ? h3_sort(h, id, offset == 0, bytes, last)
                                       : h3_pass(h, id, offset == 0, bytes, last);
    if (code != 0)
        return code;
    h3_count_bytes(h, bytes.len);
    h->mux.wire->ops->touch(h->mux.wire);
    return 0;
}

int
h3_on_acked(void *session, int64_t id, uint64_t n)
{
    struct h3_session *h = session;

    if (h3_has_ended(h))
        return 0;
    if (UNLIKELY(h->wt != NULL)) {
        struct wt_stream *ws = wt_find(h, id);
        if (ws != NULL) {
            wt_output_acked(h->wt, ws, n);
            h3_resume_all(h);
            return 0;
        }
        if (id == h->control_id)
            n = wt_settings_acked(&h->wt->settings, n);
    }
    h->mux.is_busy = true;
    int rv = nghttp3_conn_add_ack_offset(h->ng, id, n);
    h->mux.is_busy = false;
    h3_resume_all(h);
    return rv == 0 ? 0 : code_of(rv);
}

bool
h3_keeps(void *session, int64_t id)
{
    return wt_find(session, id) != NULL;
}

int
h3_on_closed(void *session, int64_t id, uint64_t code)
{
    struct h3_session *h = session;
    struct wt_stream *ws = wt_find(h, id);

    if (h3_has_ended(h))
        return 0;
    if (ws != NULL) {
        wt_on_closed(h, ws, code);
        h3_resume_all(h); /* its bytes count no more as unacknowledged */
        return 0;
    }
    h3_count_closed(h, id);
    h3_control_closed(h->controls, id);
    h->mux.is_busy = true;
    int rv = nghttp3_conn_close_stream(h->ng, id, code);
    h->mux.is_busy = false;
    h->mux.wire->ops->touch(h->mux.wire);
    return rv == 0 || rv == NGHTTP3_ERR_STREAM_NOT_FOUND ? 0 : code_of(rv);
}

int
h3_on_reset(void *session, int64_t id, uint64_t code)
{
    struct h3_session *h = session;
    struct wt_stream *ws = wt_find(h, id);

    if (h3_has_ended(h))
        return 0;
    if (ws != NULL) {
        wt_on_reset(h, ws, code);
        return 0;
    }
    if (h3_is_request(id))
        h3_request_reset(h, id);
    return h3_on_unread(session, id);
}

int
h3_on_unread(void *session, int64_t id)
{
    struct h3_session *h = session;

    if (h3_has_ended(h) || wt_find(h, id) != NULL)
        return 0;
    int rv = nghttp3_conn_shutdown_stream_read(h->ng, id);
    return rv == 0 ? 0 : code_of(rv);
}

void
h3_on_streams(void *session, uint64_t n)
{
    struct h3_session *h = session;

    h->streams += n;
    nghttp3_conn_set_max_client_streams_bidi(h->ng, h->streams);
}

void
h3_on_room(void *session)
{
    struct h3_session *h = session;

    if (h->wt != NULL && !h3_has_ended(h))
        wt_open_waiting(h->wt);
}

int
h3_on_datagram(void *session, struct slice bytes)
{
    struct h3_session *h = session;

    return h->wt == NULL || h3_has_ended(h) ? 0 : wt_datagram_read(h, bytes);
}

struct slice
h3_next_datagram(void *session)
{
    const struct h3_session *h = session;

    return h->wt == NULL || h->mux.is_over ? slice_new(NULL, 0)
                                           : wt_datagram_first(h->wt);
}

void
h3_remove_datagram(void *session, bool is_sent)
{
    wt_datagram_remove(((struct h3_session *)session)->wt, is_sent);
}

/* nghttp3 does not know that the settings wait for the window of the control stream. */
static void
h3_block_settings(struct h3_session *h, int64_t id, bool is_blocked)
{
    if (h->wt != NULL && id == h->control_id)
        h->wt->settings.is_blocked = is_blocked;
}

int
h3_on_window(void *session, int64_t id)
{
    struct h3_session *h = session;
    struct wt_stream *ws = wt_find(h, id);

    if (ws != NULL) {
        wt_output_window(h->wt, ws);
        return 0;
    }
    h3_block_settings(h, id, false);
    int rv = h3_has_ended(h) ? 0 : nghttp3_conn_unblock_stream(h->ng, id);
    h->mux.wire->ops->touch(h->mux.wire);
    return rv == 0 ? 0 : code_of(rv);
}

/* Sets *out to what nghttp3 sends next. Returns 0 or the HTTP/3 error. */
static int
h3_next_of_nghttp3(struct h3_session *h, struct h3_output *out)
{
    int last = 0;

    assert(!h->mux.is_busy);
    h->mux.is_busy = true;
    nghttp3_ssize n = nghttp3_conn_writev_stream(
        h->ng, &out->id, &last, (nghttp3_vec *)(void *)out->iov, COUNT(out->iov));
    h->mux.is_busy = false;
    if (n < 0)
        return code_of((int)n);
    out->n = (int)n;
    out->last = last != 0;
    return 0;
}

/* Streams of WebTransport and all others have their turns, if both have something. */
static int
h3_next_of_both(struct h3_session *h, struct h3_output *out)
{
    struct wt_mux *wt = h->wt;

    wt->has_turn = !wt->has_turn;
    if (wt_settings_next(&wt->settings, h->control_id, out) ||
        (wt->has_turn && wt_output_next(wt, out)))
        return 0;
    int code = h3_next_of_nghttp3(h, out);
    if (code != 0)
        return code;
    if (out->id == h->control_id && wt->settings.len == 0 &&
        wt_settings_make(&wt->settings, out->iov, out->n,
                         h->mux.wire->service->limits.wt_sessions)) {
        /* nghttp3 has nothing more to do with it. */
        const size_t n = h3_output_size(out);
        if (nghttp3_conn_add_write_offset(h->ng, out->id, n) != 0 ||
            nghttp3_conn_add_ack_offset(h->ng, out->id, n) != 0)
            return NGHTTP3_H3_INTERNAL_ERROR;
        (void)!wt_settings_next(&wt->settings, h->control_id, out);
    } else if (out->id == -1) {
        (void)!wt_output_next(wt, out);
    }
    return 0;
}

int
h3_next(void *session, struct h3_output *out)
{
    struct h3_session *h = session;

    *out = (struct h3_output){.id = -1};
    if (h->mux.is_over)
        return 0;
    return UNLIKELY(h->wt != NULL) ? h3_next_of_both(h, out)
                                   : h3_next_of_nghttp3(h, out);
}

/* Returns whether the bytes were not nghttp3's. */
static bool
h3_wrote_wt(struct h3_session *h, const struct h3_output *out, size_t n, bool all)
{
    struct wt_stream *ws = wt_find(h, out->id);

    if (ws != NULL)
        wt_output_wrote(h->wt, ws, out, n, all);
    return ws != NULL ||
           (out->id == h->control_id && wt_settings_wrote(&h->wt->settings, n));
}

void
h3_wrote(void *session, const struct h3_output *out, size_t n, bool all)
{
    struct h3_session *h = session;

    if (UNLIKELY(h->wt != NULL) && h3_wrote_wt(h, out, n, all))
        return;
    if (nghttp3_conn_add_write_offset(h->ng, out->id, n) != 0) {
        h->mux.wire->ops->abort(h->mux.wire, ERR_NOMEM);
        return;
    }
    if (!all || !out->last)
        return;
    struct h3_exchange *x = h3_find(h, out->id);
    if (x != NULL && x->mux.has_begun) {
        mux_exchange_answered(&x->mux);
        h->mux.wire->ops->touch(h->mux.wire);
    }
}

void
h3_blocked(void *session, int64_t id)
{
    struct h3_session *h = session;
    struct wt_stream *ws = wt_find(h, id);

    if (ws != NULL) {
        wt_output_blocked(ws);
        return;
    }
    h3_block_settings(h, id, true);
    nghttp3_conn_block_stream(h->ng, id);
}

void
h3_shut(void *session, int64_t id)
{
    struct h3_session *h = session;
    struct wt_stream *ws = wt_find(h, id);

    if (ws != NULL) {
        wt_output_stopped(h->wt, ws, NGHTTP3_H3_NO_ERROR);
        return;
    }
    h3_block_settings(h, id, true);
    nghttp3_conn_shutdown_stream_write(h->ng, id);
    if (h3_is_request(id))
        h3_response_stopped(h, id);
}

/* struct session_ops */

static void
h3_session_feed(struct wire *wire, void *session, struct slice *in)
{
    struct h3_session *h = session;

    assert(in->len == 0);
    (void)in;
    if (h->mux.is_over || h->mux.is_busy)
        return;
    if (UNLIKELY(!list_is_empty(&h->mux.yielded)))
        mux_give_budgets(&h->mux);
    mux_settle(&h->mux);
    if (UNLIKELY(h->wt != NULL))
        wt_settle(h->wt);
    if (!list_is_empty(&h->mux.yielded))
        wire->ops->yield(wire);
}

static void
h3_session_on_eof(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
    assert(false); /* a QUIC connection has no end of file */
}

static void
h3_session_before_flush(struct wire *wire, void *session)
{
    struct h3_session *h = session;

    if (!list_is_empty(&h->mux.held))
        mux_release_heads(&h->mux);
    if (UNLIKELY(!list_is_empty(&h->mux.resting)))
        mux_wake_resting(&h->mux);
    mux_settle(&h->mux);
    if (UNLIKELY(h->wt != NULL))
        wt_settle(h->wt);
    if (!list_is_empty(&h->mux.resting))
        wire->ops->touch(wire);
    if (h->mux.is_draining)
        continue_draining(h);
}

/* Ends the streams whose heads are late; returns when the next incomplete one must be
 * complete. */
static uint64_t
h3_session_check_heads(struct h3_session *h)
{
    uint64_t due_ms = TIMER_NEVER, now = mux_now_ms(&h->mux);
    struct list_node *node;

    for (node = h->mux.exchanges.next; node != &h->mux.exchanges; node = node->next) {
        struct h3_exchange *x = container_of(node, struct h3_exchange, mux.link);
        if (x->head_due_ms <= now)
            h3_head_is_late(h, x);
        due_ms = x->head_due_ms < due_ms ? x->head_due_ms : due_ms;
    }
    return due_ms;
}

static void
h3_session_on_deadline(struct wire *wire, void *session)
{
    struct h3_session *h = session;

    wire->read_due_ms = TIMER_NEVER;
    if (mux_is_idle_due(&h->mux)) {
        mux_finish(&h->mux, 0);
    } else {
        mux_note_due(&h->mux, h3_session_check_heads(h));
        mux_on_time(&h->mux);
    }
}

static enum session_idle
h3_session_idle(const struct wire *wire, const void *session)
{
    const struct h3_session *h = session;

    (void)wire;
    return mux_idle(&h->mux, h->has_requests);
}

static void
h3_session_fini(struct wire *wire, void *session, int why)
{
    struct h3_session *h = session;

    (void)wire;
    mux_fini(&h->mux, why);
    wt_mux_fini(h);
    assert(h->unacked == 0);
    nghttp3_conn_del(h->ng);
    mem_free(h);
}

static const struct session_ops session_ops = {
    .feed = h3_session_feed,
    .on_eof = h3_session_on_eof,
    .before_flush = h3_session_before_flush,
    .on_drained = mux_on_drained,
    .on_deadline = h3_session_on_deadline,
    .idle = h3_session_idle,
    .drain = mux_drain,
    .notify = mux_notify,
    .fini = h3_session_fini,
};

const struct protocol h3_protocol = {
    .name = "HTTP/3",
    .ops = &session_ops,
    .begin = NULL,
};

void *
h3_begin(struct wire *wire, struct carrier *carrier, uint64_t streams)
{
    struct h3_session *h = mem_calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    mux_init(&h->mux, &h3_mux_ops, wire);
    h->carrier = carrier;
    h->control_id = -1;
    if ((wire->service->limits.webtransport && wt_mux_init(h) != 0) ||
        h3_frames_init(h) != 0) {
        wt_mux_fini(h);
        mem_free(h);
        return NULL;
    }
    h3_on_streams(h, streams);
    mux_open(&h->mux);
    if (!carrier->is_early)
        mux_expect_request(&h->mux);
    return h;
}
