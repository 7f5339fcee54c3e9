/* SPDX-License-Identifier: MIT */
/* http2/state.h — the state of one HTTP/2 connection and of its streams, shared by the
 * files of http2/. */
#ifndef HTTP2_STATE_H
#define HTTP2_STATE_H

#include <nghttp2/nghttp2.h> /* nghttp2_session */

#include "http/mux.h"             /* struct mux */
#include "http/request_section.h" /* struct request_section */
#include "http2/guard.h"          /* struct h2_guard */
#include "http2/prescan.h"        /* struct h2_prescan */

struct h2_session {
    struct mux mux;
    nghttp2_session *ng;            /* owned */
    struct request_section request; /* the header block that is being received */
    struct h2_guard guard;
    struct h2_prescan prescan;
    uint64_t head_due_ms; /* when the header block must be complete; TIMER_NEVER */
    int why;              /* enum err that ends the connection, or 0 */
    bool is_broken; /* nghttp2 ran out of memory while it wrote: it would free memory
                       twice (1.52), so it is not freed */
};

_Static_assert(offsetof(struct h2_session, mux) == 0, "a session is a mux");

/* One stream; a block of service->h2_streams. */
struct h2_exchange {
    struct mux_exchange mux;
    size_t promised; /* the first bytes of mux.out that a DATA frame in nghttp2 will
                        carry; they stay until it asks for them or the stream is
                        closed */
    int32_t id;
    _Alignas(8) char note[]; /* stream.note, if something logs */
};

static inline struct h2_exchange *
h2_exchange_of(struct mux_exchange *x)
{
    return container_of(x, struct h2_exchange, mux);
}

static inline struct h2_session *
h2_session_of(struct mux *m)
{
    return container_of(m, struct h2_session, mux);
}

#endif
