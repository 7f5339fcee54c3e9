/* SPDX-License-Identifier: MIT */
/* http/mux.c — see mux.h for the contract. */
#include "http/mux.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/timer.h"

static void
mux_begin_idle(struct mux *m, uint32_t most_ms)
{
    m->idle_due_ms = clock_due(&m->wire->service->clock, most_ms);
    mux_note_due(m, m->idle_due_ms);
}

void
mux_init(struct mux *m, const struct mux_ops *ops, struct wire *wire)
{
    m->ops = ops;
    m->wire = wire;
    list_init(&m->exchanges);
    list_init(&m->news);
    list_init(&m->held);
    list_init(&m->yielded);
    list_init(&m->resting);
    m->unsent = 0;
    m->nexchanges = 0;
    m->goaway_due_ms = TIMER_NEVER;
    m->is_busy = m->is_draining = m->is_over = false;
}

void
mux_open(struct mux *m)
{
    m->wire->wants_read = true;
    m->wire->read_due_ms = TIMER_NEVER;
    m->idle_due_ms = TIMER_NEVER;
}

void
mux_expect_request(struct mux *m)
{
    const struct http_limits *limits = &m->wire->service->limits;

    /* A first request is served in any case. */
    mux_begin_idle(m, limits->keep_alive_ms != 0 ? limits->keep_alive_ms
                                                 : limits->head_ms);
}

void
mux_fini(struct mux *m, int why)
{
    assert(!m->is_busy);
    m->is_over = true;
    while (!list_is_empty(&m->exchanges))
        m->ops->end(container_of(m->exchanges.next, struct mux_exchange, link), why);
    assert(m->nexchanges == 0 && m->unsent == 0);
}

/* News */

static void
mux_tell(struct mux *m, struct mux_exchange *x)
{
    struct stream *s = &x->core.stream;

    assert(!m->is_busy);
    if (x->is_closed) {
        m->ops->end(x, x->is_answered ? 0 : ERR_RESET);
        if (m->nexchanges == 0)
            mux_begin_idle(m, m->wire->service->limits.keep_alive_ms);
        return;
    }
    assert(x->has_begun);
    if (x->is_given_up || x->core.is_gone) {
        exchange_lose(&x->core);
        exchange_conclude(&x->core, x->is_answered ? 0 : ERR_RESET);
        return;
    }
    if (x->wants_writable) {
        x->wants_writable = false;
        list_remove(&x->resting);
        if (s->state != STREAM_CLOSED)
            stream_drained(s);
    }
    if (x->is_answered && !s->is_tunnel)
        exchange_conclude(&x->core, 0);
}

bool
mux_settle(struct mux *m)
{
    struct list_node *node, news;
    bool some = false;

    if (list_is_empty(&m->news))
        return false;
    list_init(&news);
    list_move_all(&news, &m->news);
    while (!m->is_over && (node = list_take_first(&news)) != NULL) {
        mux_tell(m, container_of(node, struct mux_exchange, news));
        some = true;
    }
    list_move_all(&m->news, &news);
    if (!list_is_empty(&m->news))
        m->wire->ops->touch(m->wire);
    return some;
}

void
mux_release_heads(struct mux *m)
{
    struct list_node *node, *next;

    for (node = m->held.next; node != &m->held; node = next) {
        struct mux_exchange *x = container_of(node, struct mux_exchange, held);
        next = node->next;
        if (x->core.tx != EXCHANGE_HELD || !exchange_holds_head(&x->core))
            list_remove(&x->held);
    }
    if (!list_is_empty(&m->held))
        m->wire->ops->touch_later(m->wire);
}

void
mux_wake_resting(struct mux *m)
{
    struct list_node *node;

    if (m->wire->out.bytes > HTTP_OUT_HIGH_BYTES)
        return;
    while ((node = list_take_first(&m->resting)) != NULL) {
        struct mux_exchange *x = container_of(node, struct mux_exchange, resting);
        x->wants_writable = x->core.stream.waits_for_writable;
        mux_note_news(x);
    }
}

void
mux_give_budgets(struct mux *m)
{
    struct list_node *node;

    m->is_busy = true;
    while (!wire_is_spent(m->wire) && (node = list_take_first(&m->yielded)) != NULL) {
        struct exchange *x = &container_of(node, struct mux_exchange, yielded)->core;
        exchange_give_budget(x);
        assert(!x->stream.waits_for_budget || wire_is_spent(m->wire));
    }
    m->is_busy = false;
}

/* The end */

bool
mux_begin_draining(struct mux *m)
{
    if (m->is_draining || m->is_over)
        return false;
    m->is_draining = true;
    m->goaway_due_ms = clock_due(&m->wire->service->clock, MUX_GOAWAY_MS);
    mux_note_due(m, m->goaway_due_ms);
    m->wire->ops->touch(m->wire);
    return true;
}

void
mux_lose_all(struct mux *m, int why)
{
    struct list_node *node;

    for (node = m->exchanges.next; node != &m->exchanges; node = node->next) {
        struct mux_exchange *x = container_of(node, struct mux_exchange, link);
        if (!x->has_begun)
            continue;
        exchange_lose(&x->core);
        stream_close(&x->core.stream, why);
    }
}

void
mux_finish(struct mux *m, int why)
{
    if (m->is_over)
        return;
    m->is_over = true;
    m->wire->read_due_ms = TIMER_NEVER;
    mux_lose_all(m, why != 0 ? why : ERR_CLOSED);
    m->wire->ops->finish(m->wire, why);
}

/* Time */

static uint64_t
mux_walk_on_time(struct mux *m)
{
    uint64_t due_ms = TIMER_NEVER, now = mux_now_ms(m);
    struct list_node *node;

    m->is_busy = true;
    for (node = m->exchanges.next; node != &m->exchanges; node = node->next) {
        struct mux_exchange *x = container_of(node, struct mux_exchange, link);
        uint64_t due = x->has_begun ? exchange_on_time(&x->core, now) : TIMER_NEVER;
        due_ms = due < due_ms ? due : due_ms;
    }
    m->is_busy = false;
    return due_ms;
}

void
mux_on_time(struct mux *m)
{
    assert(!m->is_busy);
    mux_note_due(m, mux_walk_on_time(m));
    if (m->nexchanges == 0)
        mux_note_due(m, m->idle_due_ms);
    if (m->is_draining && m->goaway_due_ms > mux_now_ms(m))
        mux_note_due(m, m->goaway_due_ms);
    m->wire->ops->touch(m->wire);
}

/* struct session_ops */

void
mux_on_drained(struct wire *wire, void *session)
{
    (void)session;
    wire->ops->touch(wire);
}

void
mux_drain(struct wire *wire, void *session)
{
    struct mux *m = session;
    struct list_node *node;

    (void)wire;
    m->ops->go_away(m);
    m->is_busy = true;
    for (node = m->exchanges.next; node != &m->exchanges; node = node->next) {
        struct mux_exchange *x = container_of(node, struct mux_exchange, link);
        if (x->has_begun)
            exchange_drain(&x->core);
    }
    m->is_busy = false;
}

void
mux_notify(struct wire *wire, void *session, bool only_streaming)
{
    struct mux *m = session;
    struct list_node *node;

    (void)wire;
    m->is_busy = true;
    for (node = m->exchanges.next; node != &m->exchanges; node = node->next) {
        struct mux_exchange *x = container_of(node, struct mux_exchange, link);
        if (x->has_begun)
            exchange_notify(&x->core, only_streaming);
    }
    m->is_busy = false;
}
