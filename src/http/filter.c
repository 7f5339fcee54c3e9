/* SPDX-License-Identifier: MIT */
/* http/filter.c — see filter.h for the contract.
 *
 * When a filter attaches, the stream gets different ops and a different handler: those
 * below, which call the outermost filter first, and the protocol or the handler
 * last. */
#include "http/filter.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

/* The filters of one exchange. */
struct filter_chain {
    struct stream *stream;                /* borrowed */
    const struct stream_ops *ops;         /* the protocol's */
    const struct stream_handler *handler; /* the handler that serves the request */
    struct filtered *top, *bottom;        /* the filter nearest to the handler, and to
                                             the wire */
    unsigned depth;      /* number of running calls: what they use is freed after
                            them */
    bool is_over;        /* the exchange has ended, or is a tunnel */
    bool has_ended;      /* the end of the response has been passed to the protocol */
    bool holds_end;      /* the handler has sent it, and a filter keeps it */
    bool owes_writable;  /* the handler waits for on_writable */
    bool request_is_all; /* the protocol has delivered the end of the request */
};

/* Ends all use of a chain: what its filters borrow may be freed. */
static void
free_chain(struct filter_chain *c)
{
    struct filtered *f = c->top;

    assert(c->depth == 0 && c->is_over && c->stream->filters == c);
    c->stream->filters = NULL;
    while (f != NULL) {
        struct filtered *below = f->below;
        f->ops->fini(f);
        f = below;
    }
    mem_free(c);
}

static struct filter_chain *
chain_enter(struct stream *s)
{
    assert(s->filters != NULL);
    s->filters->depth++;
    return s->filters;
}

static void
chain_leave(struct filter_chain *c)
{
    assert(c->depth > 0);
    if (--c->depth == 0 && c->is_over)
        free_chain(c);
}

/* From now on the stream is directly between its protocol and its handler. */
static void
detach(struct filter_chain *c)
{
    assert(!c->is_over);
    c->stream->ops = c->ops;
    c->stream->handler = c->handler;
    c->stream->pull_is_held = false;
    c->is_over = true;
}

/* Downwards. `f` is the first filter; NULL is the protocol. */

static int
pass_head(struct stream *s, struct filtered *f, const struct http_response *res)
{
    struct filter_chain *c = s->filters;

    while (f != NULL && f->ops->send_head == NULL)
        f = f->below;
    if (f != NULL)
        return f->ops->send_head(f, res);
    if (c->is_over)
        return ERR_CLOSED;
    s->status = narrow_u16((uint64_t)res->status);
    int err = c->ops->send_head(s, res);
    /* The access log gets the head that is sent to the peer. */
    if (err == 0 && s->on_head != NULL) {
        s->on_head(s, res);
        s->on_head = NULL;
    }
    return err;
}

/* Called when the protocol has taken the end of the response. */
static void
note_end(struct filter_chain *c)
{
    struct stream *s = c->stream;

    c->has_ended = true;
    if (c->holds_end && !c->is_over && s->state == STREAM_HEAD_SENT)
        stream_end(s);
    c->holds_end = false;
}

static bool
is_closed(const struct filter_chain *c)
{
    return c->is_over || c->has_ended || c->stream->state >= STREAM_ENDED;
}

static int
pass_body(struct stream *s, struct filtered *f, const struct chunk *body, bool last)
{
    struct filter_chain *c = s->filters;

    while (f != NULL && f->ops->send_body == NULL)
        f = f->below;
    if (f != NULL)
        return f->ops->send_body(f, body, last);
    if (is_closed(c))
        return ERR_CLOSED;
    int err = c->ops->send_body(s, body, last);
    if (last && (err == 0 || err == ERR_AGAIN))
        note_end(c);
    return err;
}

static int
pass_trailers(struct stream *s, struct filtered *f, const struct http_field *fields,
              uint32_t n)
{
    struct filter_chain *c = s->filters;

    while (f != NULL && f->ops->send_trailers == NULL)
        f = f->below;
    if (f != NULL)
        return f->ops->send_trailers(f, fields, n);
    if (is_closed(c))
        return ERR_CLOSED;
    int err = c->ops->send_trailers(s, fields, n);
    if (err == 0)
        note_end(c);
    return err;
}

static int
pass_pull(struct stream *s, struct filtered *f)
{
    struct filter_chain *c = s->filters;

    while (f != NULL && f->ops->pull_body == NULL)
        f = f->below;
    if (f != NULL)
        return f->ops->pull_body(f);
    if (c->is_over)
        return ERR_CLOSED;
    assert(!c->request_is_all || s->body_ended); /* there is nothing to pass up */
    s->pulling = true;
    s->pull_is_held = false;
    return c->ops->pull_body(s);
}

int
filter_send_head(struct filtered *f, const struct http_response *res)
{
    return pass_head(f->stream, f->below, res);
}

int
filter_send_body(struct filtered *f, const struct chunk *body, bool last)
{
    struct filter_chain *c = chain_enter(f->stream);
    int err = pass_body(f->stream, f->below, body, last);

    chain_leave(c);
    return err;
}

int
filter_send_trailers(struct filtered *f, const struct http_field *fields, uint32_t n)
{
    struct filter_chain *c = chain_enter(f->stream);
    int err = pass_trailers(f->stream, f->below, fields, n);

    chain_leave(c);
    return err;
}

int
filter_pull_body(struct filtered *f)
{
    struct filter_chain *c = chain_enter(f->stream);
    int err = pass_pull(f->stream, f->below);

    chain_leave(c);
    return err;
}

/* The ops of the stream */

static int
chain_send_head(struct stream *s, const struct http_response *res)
{
    struct filter_chain *c = chain_enter(s);
    int err = pass_head(s, c->top, res);

    assert(err <= 0 && !c->is_over); /* no callback is called from the filter */
    chain_leave(c);
    return err;
}

static int
chain_open_tunnel(struct stream *s, const struct http_response *res)
{
    struct filter_chain *c = chain_enter(s);
    int err = c->ops->open_tunnel(s, res);

    if (err == 0)
        detach(c);
    chain_leave(c);
    return err;
}

/* Returns what the stream reports for a filter's result for the end of a response. */
static int
conclude(struct filter_chain *c, int err)
{
    struct stream *s = c->stream;

    if (c->is_over)
        return err < 0 && err != ERR_AGAIN ? err : ERR_CLOSED;
    if (err != 0 && err != ERR_AGAIN) {
        /* For the handler the exchange has ended. */
        if (s->state < STREAM_ENDED)
            c->ops->fail(s, err);
        return err;
    }
    if (c->has_ended)
        return err;
    c->holds_end = true;
    return STREAM_HELD;
}

static int
chain_send_body(struct stream *s, const struct chunk *body, bool last)
{
    struct filter_chain *c = chain_enter(s);
    int err = pass_body(s, c->top, body, last);

    assert(err <= 0);
    if (last || c->is_over || (err != 0 && err != ERR_AGAIN)) {
        err = conclude(c, err);
        c->owes_writable = err == ERR_AGAIN;
    } else if (err == ERR_AGAIN || s->waits_for_writable) {
        s->waits_for_writable = true;
        c->owes_writable = true;
        err = ERR_AGAIN;
    }
    chain_leave(c);
    return err;
}

static int
chain_send_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    struct filter_chain *c = chain_enter(s);
    int err = conclude(c, pass_trailers(s, c->top, fields, n));

    chain_leave(c);
    return err;
}

static int
chain_send_interim(struct stream *s, const struct http_response *res)
{
    return s->filters->ops->send_interim(s, res);
}

static int
chain_pull_body(struct stream *s)
{
    struct filter_chain *c = chain_enter(s);

    s->pull_is_held = true; /* until it reaches the protocol */
    int err = pass_pull(s, c->top);

    chain_leave(c);
    return err;
}

static void
chain_complain(struct stream *s, int why)
{
    s->filters->ops->complain(s, why);
}

static void
chain_rest(struct stream *s)
{
    s->filters->owes_writable = true;
    s->filters->ops->rest(s);
}

/* Returns whether a filter has sent a response instead of the handler. */
static bool
is_covered(struct filter_chain *c, int why)
{
    struct stream *s = c->stream;

    for (struct filtered *f = c->top; f != NULL; f = f->below) {
        if (f->ops->on_fail == NULL || !f->ops->on_fail(f, why))
            continue;
        assert(c->is_over || c->has_ended);
        if (!c->is_over && s->state < STREAM_ENDED)
            stream_end(s);
        return true;
    }
    return false;
}

static void
chain_fail(struct stream *s, int why)
{
    struct filter_chain *c = chain_enter(s);

    if (s->state != STREAM_OPEN || !is_covered(c, why))
        c->ops->fail(s, why);
    chain_leave(c);
}

/* The other members are for tunnels. */
static const struct stream_ops ops_of_filters = {
    .send_head = chain_send_head,
    .open_tunnel = chain_open_tunnel,
    .send_body = chain_send_body,
    .send_trailers = chain_send_trailers,
    .send_interim = chain_send_interim,
    .pull_body = chain_pull_body,
    .complain = chain_complain,
    .rest = chain_rest,
    .fail = chain_fail,
};

/* Upwards. `f` is the first filter; NULL is the handler. */

static void
pass_up(struct stream *s, struct filtered *f, struct slice bytes, bool last)
{
    struct filter_chain *c = s->filters;

    while (f != NULL && f->ops->on_body == NULL)
        f = f->above;
    if (c->is_over)
        return;
    if (f != NULL) {
        f->ops->on_body(f, bytes, last);
        return;
    }
    assert(!s->body_ended && (bytes.len > 0 || last));
    s->pulling = s->pull_is_held = false;
    s->body_ended = last;
    c->handler->on_body(s, bytes, last);
}

void
filter_hand_up(struct filtered *f, struct slice bytes, bool last)
{
    struct filter_chain *c = chain_enter(f->stream);

    pass_up(f->stream, f->above, bytes, last);
    chain_leave(c);
}

/* The filters from `f` on, and the handler, may send. */
static void
pass_writable(struct filter_chain *c, struct filtered *f)
{
    struct stream *s = c->stream;

    for (; f != NULL && !c->is_over; f = f->above) {
        if (f->ops->on_writable != NULL && !f->ops->on_writable(f)) {
            if (!c->is_over)
                s->waits_for_writable = true;
            return;
        }
    }
    if (c->is_over || !c->owes_writable)
        return;
    c->owes_writable = false;
    s->waits_for_writable = false;
    c->handler->on_writable(s);
}

void
filter_drained(struct filtered *f)
{
    struct filter_chain *c = chain_enter(f->stream);

    pass_writable(c, f->above);
    chain_leave(c);
}

void
filter_rest(struct filtered *f)
{
    struct filter_chain *c = f->stream->filters;

    assert(c != NULL);
    if (is_closed(c))
        return;
    /* The handler is not called unless it waits (owes_writable). */
    f->stream->waits_for_writable = true;
    c->ops->rest(f->stream);
}

void
filter_refuse(struct filtered *f, int why)
{
    struct filter_chain *c = chain_enter(f->stream);

    assert(why < 0);
    if (!c->is_over)
        c->ops->refuse(f->stream, why);
    chain_leave(c);
}

/* The handler of the stream */

static int
chain_on_request(struct stream *s, const struct http_head *head)
{
    struct filter_chain *c = chain_enter(s);
    int err = 0;

    for (struct filtered *f = c->bottom; f != NULL && err == 0; f = f->above) {
        if (f->ops->on_request != NULL)
            err = (head = f->ops->on_request(f, head)) != NULL ? 0 : ERR_NOMEM;
    }
    if (err == 0)
        err = c->handler->on_request(s, head);
    chain_leave(c);
    return err;
}

static void
chain_on_body(struct stream *s, struct slice bytes, bool last)
{
    struct filter_chain *c = chain_enter(s);

    /* The filters end the body for the handler. */
    s->body_ended = false;
    c->request_is_all = last;
    /* The handler waits until a filter passes something up. */
    s->pulling = s->pull_is_held = true;
    pass_up(s, c->bottom, bytes, last);
    chain_leave(c);
}

static void
chain_on_writable(struct stream *s)
{
    struct filter_chain *c = chain_enter(s);

    pass_writable(c, c->bottom);
    chain_leave(c);
}

static void
chain_on_close(struct stream *s, int why)
{
    struct filter_chain *c = chain_enter(s);

    detach(c);
    s->handler->on_close(s, why);
    chain_leave(c);
}

/* The other members are for tunnels. */
static const struct stream_handler handler_of_filters = {
    .on_request = chain_on_request,
    .on_body = chain_on_body,
    .on_writable = chain_on_writable,
    .on_close = chain_on_close,
};

/* Attaching */

/* Adds `f` above the filters that are attached. */
static int
push(struct stream *s, struct filtered *f)
{
    struct filter_chain *c = s->filters;

    assert(f->ops->fini != NULL);
    if (c == NULL) {
        c = mem_calloc(1, sizeof *c);
        if (c == NULL) {
            f->ops->fini(f);
            return ERR_NOMEM;
        }
        c->stream = s;
        c->ops = s->ops;
        c->handler = s->handler;
        c->bottom = f;
        s->filters = c;
        s->ops = &ops_of_filters;
        s->handler = &handler_of_filters;
    }
    f->stream = s;
    f->above = NULL;
    f->below = c->top;
    if (c->top != NULL)
        c->top->above = f;
    c->top = f;
    return 0;
}

int
filters_attach(struct filters *filters, struct stream *s, const struct http_head *head)
{
    int err = 0;

    assert(s->filters == NULL && s->state == STREAM_OPEN && s->app == NULL);
    for (struct filter *filter = filters->first; filter != NULL && err == 0;
         filter = filter->next) {
        struct filtered *f = NULL;
        err = filter->attach(filter, s, head, &f);
        assert(err == 0 || f == NULL);
        if (f != NULL)
            err = push(s, f);
    }
    if (err != 0 && s->filters != NULL) {
        detach(s->filters);
        free_chain(s->filters);
    }
    return err;
}
