/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_app_output.c — see wt_app_output.h. */
#include "session/wt_app_output.h"

#include <string.h> /* memset */

#include "base/err.h"
#include "http/webtransport.h"
#include "session/loan.h"
#include "session/world.h"
#include "session/wt_client.h"

#define GIVEN_MAX ((uint64_t)6 << 20) /* bytes of all streams of one input */

static struct {
    uint64_t given;
    long nlent; /* buffers that are lent out */
} output;

void
wt_app_output_begin(void)
{
    memset(&output, 0, sizeof output);
}

void
wt_app_output_end(void)
{
    CHECK(output.nlent == 0);
}

/* Returns the ID of a stream: mostly one that there is. */
static int64_t
choose_stream(const struct wt_call *call)
{
    const unsigned which = script_byte(&world.script);
    int64_t found[4 * WT_IDS];
    unsigned n = 0;

    if (which == 0xff)
        return ((int64_t)script_byte(&world.script) + 1) << 40;
    for (int64_t id = 0; id < 4 * WT_IDS; id++) {
        const struct wt_use *use = wt_use_of(id);
        if (use->is_opened && use->session == call->id)
            found[n++] = id;
    }
    return n > 0 ? found[which % n] : call->id; /* which is none */
}

static struct wt_use *
use_of_call(const struct wt_call *call, int64_t id)
{
    if (id < 0 || (size_t)id / 4 >= WT_IDS)
        return NULL;
    struct wt_use *use = wt_use_of(id);
    return use->is_opened && use->session == call->id ? use : NULL;
}

static void
wait_for(struct wt_call *call, int64_t id)
{
    for (unsigned i = 0; i < call->nwaits; i++) {
        if (call->waits[i] == id)
            return;
    }
    if (call->nwaits < WT_WAITS)
        call->waits[call->nwaits++] = id;
}

/* Returns whether bytes of a stream must be accepted: nothing has ended it. */
static bool
is_sendable(const struct wt_call *call, int64_t id)
{
    const struct wt_use *use = use_of_call(call, id);

    return use != NULL && id % 4 != 2 && !use->out_ended && !use->out_is_reset &&
           !wt_sent_of(id)->is_stopped && !call->stream->webtransport->is_over;
}

void
wt_app_send(struct wt_call *call)
{
    static const uint32_t sizes[] = {0, 1, 10, 100, 5000, 20000, 70000, 400000};
    struct webtransport *wt = call->stream->webtransport;
    const int64_t id = choose_stream(call);
    struct wt_use *use = use_of_call(call, id);
    const size_t chosen = sizes[script_choice(&world.script, COUNT(sizes))];
    const size_t n = output.given > GIVEN_MAX ? 0 : chosen;
    const unsigned how = script_choice(&world.script, 8);
    struct loan *loan = loan_new(n, &output.nlent);

    for (size_t i = 0; i < n; i++)
        loan->bytes[i] = wt_byte(id, use != NULL ? use->sent + i : i, false);
    const struct chunk chunk = {
        .bytes = slice_new(loan->bytes, n),
        .lender = how % 2 == 0 ? NULL : &loan_lender,
        .owner = loan,
    };
    const bool must = is_sendable(call, id), last = how >= 6;
    int err = wt->ops->send(wt, id, &chunk, last);
    CHECK(err == 0 || err == ERR_AGAIN || (err == ERR_WT_STREAM && !must));
    CHECK(err == ERR_WT_STREAM ||
          (use != NULL && !use->out_ended && !use->out_is_reset && !use->is_stopped));
    if (err != ERR_WT_STREAM) {
        use->sent += n;
        use->out_ended = last;
        output.given += n;
    }
    if (err == ERR_AGAIN)
        wait_for(call, id);
    loan_release(loan);
}

void
wt_app_send_datagram(struct wt_call *call)
{
    static const uint32_t sizes[] = {0, 3, 4, 100, 1100, 1300, 2000, 100000, 300000};
    struct webtransport *wt = call->stream->webtransport;
    const size_t n = sizes[script_choice(&world.script, COUNT(sizes))];
    char *bytes = malloc(n + 1);

    CHECK(bytes != NULL);
    for (size_t i = 0; i < n; i++)
        bytes[i] = wt_datagram_byte(call->id, call->sent_datagrams, i);
    call->sent_datagrams++;
    int err = wt->ops->send_datagram(wt, slice_new(bytes, n));
    CHECK(err == 0 || (err == ERR_AGAIN && !wt->is_over));
    if (err == ERR_AGAIN)
        wait_for(call, -1);
    free(bytes);
}

void
wt_app_open(struct wt_call *call)
{
    struct webtransport *wt = call->stream->webtransport;
    const bool is_bidi = script_choice(&world.script, 2) == 1;

    if (!wt->is_over)
        call->nopens[is_bidi]++;
    CHECK(wt->ops->open(wt, is_bidi) == 0);
}

/* Resets, stops, pauses or resumes a stream. */
void
wt_app_change(struct wt_call *call)
{
    struct webtransport *wt = call->stream->webtransport;
    const int64_t id = choose_stream(call);
    struct wt_use *use = use_of_call(call, id), nothing;
    const uint32_t code = script_byte(&world.script) * 0x1010101u;

    use = use != NULL ? use : &nothing;
    switch (script_choice(&world.script, 6)) {
    case 0:
        wt->ops->reset(wt, id, code);
        use->out_is_reset = true;
        break;
    case 1:
        wt->ops->stop(wt, id, code);
        use->is_unread = true;
        break;
    case 2:
    case 3:
        wt->ops->pause(wt, id, true);
        use->is_paused = true;
        break;
    default:
        wt->ops->pause(wt, id, false);
        use->is_paused = false;
    }
}
