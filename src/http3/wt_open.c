/* SPDX-License-Identifier: MIT */
/* http3/wt_open.c — see wt_open.h for the contract. */
#include "http3/wt_open.h"

#include "base/err.h"
#include "http3/wt_output.h"
#include "http3/wt_stream.h"

/* Returns whether there is no other stream to be opened. */
static bool
wt_open_some(struct wt_session *session)
{
    struct h3_session *h = session->mux->h;

    for (int bidi = 0; bidi < 2; bidi++) {
        while (session->opens[bidi] > 0) {
            int64_t id;
            int err = bidi ? h->carrier->ops->open_bidi(h->carrier, &id)
                           : h->carrier->ops->open_uni(h->carrier, &id);
            if (err == ERR_CLOSED)
                break;
            struct wt_stream *ws = err == 0 ? wt_stream_opened(session, id) : NULL;
            session->opens[bidi]--;
            if (ws == NULL || wt_output_begin(ws) != 0) {
                h->mux.wire->ops->abort(h->mux.wire, ERR_NOMEM);
                return true;
            }
        }
    }
    return session->opens[0] == 0 && session->opens[1] == 0;
}

void
wt_open_waiting(struct wt_mux *mux)
{
    struct list_node *node, *next;

    for (node = mux->opening.next; node != &mux->opening; node = next) {
        struct wt_session *session = container_of(node, struct wt_session, opening);
        next = node->next;
        if (wt_open_some(session))
            list_remove(&session->opening);
    }
}
