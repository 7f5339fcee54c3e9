/* SPDX-License-Identifier: MIT */
/* http1/finish.c — see finish.h for the contract. */
#include "http1/finish.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/timer.h"

void
h1_finish(struct h1_session *h, int why)
{
    assert(h->phase != H1_LEFT);
    h->phase = H1_OVER;
    h->wire->read_due_ms = TIMER_NEVER;
    h->wire->ops->finish(h->wire, why);
}

void
h1_refuse(struct h1_session *h, int err, bool is_head)
{
    struct notice text;
    struct h1_notice notice = {
        .notice = &text,
        .fields_sent = wire_fields(h->wire),
        .is_head = is_head,
    };

    assert(h->phase < H1_OVER);
    h->wire->lingers = true;
    if (h->wire->out.holding)
        outq_take_back(&h->wire->out);
    if (status_of_err(err) != 0) {
        notice_init(&text, status_of_err(err), err);
        if (h1_write_notice(&h->wire->out, h->wire->service, &notice) != 0) {
            h->phase = H1_OVER;
            h->wire->ops->abort(h->wire, ERR_NOMEM);
            return;
        }
    }
    h1_finish(h, err);
}
