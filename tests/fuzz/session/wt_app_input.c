/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_app_input.c — see wt_app_input.h. */
#include "session/wt_app_input.h"

#include "session/quic.h"
#include "session/world.h"
#include "session/wt_client.h"

static bool
is_sent(int64_t id, uint64_t offset, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != wt_byte(id, offset + i, true))
            return false;
    }
    return true;
}

static void
check_opened(struct wt_call *call, const struct webtransport_event *event)
{
    const struct wt_sent *sent = wt_sent_of(event->stream);
    struct wt_use *use = wt_use_of(event->stream);

    CHECK(!use->is_opened && event->is_bidi == (event->stream % 4 < 2));
    if (event->stream % 2 == 0)
        CHECK(sent->kind == WT_KIND_STREAM && sent->has_head);
    else
        CHECK(call->nopens[event->is_bidi]-- > 0);
    CHECK(!sent->has_head || sent->session == call->id);
    use->is_opened = true;
    use->session = call->id;
}

/* Returns the stream of an event that comes after WEBTRANSPORT_OPENED. */
static struct wt_use *
use_of(const struct wt_call *call, const struct webtransport_event *event)
{
    struct wt_use *use = wt_use_of(event->stream);

    CHECK(use->is_opened && use->session == call->id);
    CHECK(event->is_bidi == (event->stream % 4 < 2));
    return use;
}

static void
check_data(struct wt_call *call, const struct webtransport_event *event)
{
    const struct wt_sent *sent = wt_sent_of(event->stream);
    struct wt_use *use = use_of(call, event);
    const size_t n = event->bytes.len;

    CHECK(event->stream % 4 != 3 && (n > 0 || event->last));
    CHECK(!use->in_is_over && !use->is_unread && !use->is_paused);
    CHECK(is_sent(event->stream, use->received, event->bytes));
    use->received += n;
    use->in_is_over = event->last;
    CHECK(use->received <= sent->bytes);
    CHECK(!event->last || (sent->ended && use->received == sent->bytes));
}

static void
check_reset(const struct wt_call *call, const struct webtransport_event *event)
{
    const struct wt_sent *sent = wt_sent_of(event->stream);
    struct wt_use *use = use_of(call, event);

    CHECK(event->stream % 4 != 3 && !use->in_is_over && !use->is_unread);
    CHECK(sent->is_reset && event->has_code == sent->reset_has_code);
    CHECK(!event->has_code || event->code == sent->reset_code);
    use->in_is_over = true;
}

static void
check_stopped(const struct wt_call *call, const struct webtransport_event *event)
{
    const struct wt_sent *sent = wt_sent_of(event->stream);
    struct wt_use *use = use_of(call, event);

    CHECK(event->stream % 4 != 2 && !use->is_stopped && sent->is_stopped);
    CHECK(!event->has_code || (sent->stop_has_code && event->code == sent->stop_code));
    use->is_stopped = true;
}

static bool
is_datagram(int64_t session, uint32_t number, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != wt_datagram_byte(session, number, i))
            return false;
    }
    return true;
}

/* Each one comes at most once, and they are in order. */
static void
check_datagram(struct wt_call *call, const struct webtransport_event *event)
{
    const uint32_t most = wt_sent_of(call->id)->sent_datagrams;
    uint32_t number = 0;

    CHECK(most > 0);
    if (event->bytes.len < 4)
        return;
    for (unsigned i = 0; i < 4; i++)
        number |= (uint32_t)(uint8_t)event->bytes.ptr[i] << 8 * i;
    CHECK(number >= call->got_datagrams && number < most);
    CHECK(is_datagram(call->id, number, event->bytes));
    call->got_datagrams = number + 1;
}

enum webtransport_kind
wt_app_take(struct wt_call *call)
{
    struct webtransport *wt = call->stream->webtransport;
    struct webtransport_event *event = &call->event;

    world_step();
    wt_app_done(call);
    wt->ops->next(wt, event);
    switch (event->kind) {
    case WEBTRANSPORT_NOTHING:
        call->has_news = false;
        return WEBTRANSPORT_NOTHING;
    case WEBTRANSPORT_OPENED:
        check_opened(call, event);
        break;
    case WEBTRANSPORT_DATA:
        check_data(call, event);
        break;
    case WEBTRANSPORT_RESET:
        check_reset(call, event);
        break;
    case WEBTRANSPORT_STOPPED:
        check_stopped(call, event);
        break;
    default:
        CHECK(event->kind == WEBTRANSPORT_DATAGRAM);
        check_datagram(call, event);
    }
    CHECK(call->is_accepted && !call->has_ended);
    call->holds = true;
    return event->kind;
}

void
wt_app_done(struct wt_call *call)
{
    struct webtransport *wt = call->stream->webtransport;
    const struct webtransport_event *event = &call->event;

    if (!call->holds)
        return;
    call->holds = false;
    if (event->kind == WEBTRANSPORT_DATA)
        CHECK(is_sent(event->stream,
                      wt_use_of(event->stream)->received - event->bytes.len,
                      event->bytes));
    wt->ops->done(wt);
}

void
wt_app_check_end(const struct wt_call *call)
{
    const struct webtransport *wt = call->stream->webtransport;
    const struct wt_sent *sent = wt_sent_of(call->id);

    if (!wt->is_over || call->has_ended || (wt->code == 0 && wt->reason.len == 0))
        return;
    if (!sent->has_closed) { /* what was cut off and what follows may be a close */
        CHECK(sent->is_odd);
        return;
    }
    CHECK(wt->code == sent->close_code);
    CHECK(wt->reason.len == sent->reason_len && is_sent(call->id, 0, wt->reason));
}

void
wt_app_check_owed_to(struct wt_call *call)
{
    const struct webtransport *wt = call->stream->webtransport;

    if (!call->has_news)
        CHECK(wt_app_take(call) == WEBTRANSPORT_NOTHING);
    CHECK(!wt->is_over || call->has_ended || call->knows_end);
    for (unsigned i = 0; i < call->nwaits && !wt->is_over; i++)
        CHECK(wt->ops->is_full(wt, call->waits[i]));
}

void
wt_app_check_complete(int64_t id)
{
    const struct wt_sent *sent = wt_sent_of(id);
    const struct wt_use *use = wt_use_of(id);

    if (sent->session % 4 != 0 || (uint64_t)sent->session / 4 >= WT_IDS)
        return;
    const struct wt_call *call = wt_call_of(sent->session);
    if (call->stream == NULL || !call->is_accepted ||
        call->stream->webtransport->is_over || use->is_unread || quic_is_dropped(id) ||
        quic_arrived(id) < sent->nhead)
        return;
    CHECK(use->is_opened);
    CHECK(use->in_is_over == (sent->ended || sent->is_reset));
    CHECK(sent->is_reset || use->received == sent->bytes);
}
