/* SPDX-License-Identifier: MIT */
/* http/exchange_internal.h — what the files that implement http/exchange.h share; for
 * them alone. */
#ifndef HTTP_EXCHANGE_INTERNAL_H
#define HTTP_EXCHANGE_INTERNAL_H

#include "base/timer.h"    /* TIMER_NEVER */
#include "http/exchange.h" /* struct exchange */

/* What a handler calls: http/exchange_stream.c. */
extern const struct stream_ops exchange_stream_ops;

/* stream_ops.pull_body: http/exchange_body.c. */
MUST_USE int exchange_pull(struct stream *s);

/* Sets the states to those of `cell`. When a response has ended, reading stops:
 * buffered body data is freed, and the peer may send as much again. */
void exchange_enter(struct exchange *x, const struct exchange_cell *cell);

static inline struct exchange *
exchange_of(struct stream *s)
{
    return container_of(s, struct exchange, stream);
}

static inline const struct http_limits *
exchange_limits(const struct exchange *x)
{
    return &x->wire->service->limits;
}

static inline uint64_t
exchange_now(struct exchange *x)
{
    return clock_ms(&x->wire->service->clock);
}

static inline void
exchange_touch(struct exchange *x)
{
    x->wire->ops->touch(x->wire);
}

/* Ends a wait for the body; the clock is not read if none runs. */
static inline void
exchange_end_wait(struct exchange *x)
{
    if (!x->wait.is_running)
        return;
    body_wait_end(&x->wait, exchange_now(x));
    x->ops->arm(x, TIMER_NEVER);
}

/* Returns whether the handler cannot send any more. */
static inline bool
exchange_is_cut(const struct exchange *x)
{
    return x->tx == EXCHANGE_BROKEN || x->is_gone || x->wire->is_dead;
}

/* Called when there is no memory for what has to be sent: on_close is called when the
 * connection ends. */
static inline void
exchange_abort(struct exchange *x, int err)
{
    x->wire->ops->abort(x->wire, err);
    (void)exchange_on(x, EXCHANGE_ON_NOMEM, 0);
}

#endif
