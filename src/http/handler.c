/* SPDX-License-Identifier: MIT */
/* http/handler.c — see handler.h for the contract. */
#include "http/handler.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "http/forwarded.h"

/* A request that waits for the verdict of a link; stored as the stream's app while it
 * waits. */
struct pending {
    struct chain *chain;
    struct handler *link;   /* the link that gives the verdict */
    void *job;              /* owned by the link */
    struct http_head *head; /* owned */
    const struct stream_handler
        *last_handler; /* after the last link: the application */
    void *last_arg;
    char texts[]; /* what head->forwarded borrows */
};

bool
chain_has(const struct chain *chain, const struct handler *handler)
{
    for (const struct handler *h = chain->first; h != NULL; h = h->next) {
        if (h == handler)
            return true;
    }
    return false;
}

void
chain_add(struct chain *chain, struct handler *handler)
{
    struct handler **at = &chain->first;

    assert(handler->offer != NULL && !chain_has(chain, handler));
    while (*at != NULL)
        at = &(*at)->next;
    handler->next = NULL;
    *at = handler;
    chain->is_active = true;
}

void
chain_add_first(struct chain *chain, struct handler *handler)
{
    assert(handler->offer != NULL && !chain_has(chain, handler));
    handler->next = chain->first;
    chain->first = handler;
    chain->is_active = true;
}

int
chain_add_filter(struct chain *chain, struct filter *filter)
{
    int err = filters_add(&chain->filters, filter);

    if (chain->filters.first != NULL)
        chain->is_active = true;
    return err;
}

void
chain_fini(struct chain *chain)
{
    filters_fini(&chain->filters);
    chain->first = NULL;
    chain->is_active = false;
}

bool
chain_is_exempt(const struct chain *chain, const struct peer *peer,
                const struct http_head *head)
{
    for (const struct handler *h = chain->first; h != NULL; h = h->next) {
        if (h->is_exempt != NULL && h->is_exempt(h, peer, head))
            return true;
    }
    return false;
}

/* Serves a request that no handler can serve, because there is no memory. */

static int
fail_request(struct stream *s, const struct http_head *head)
{
    (void)s;
    (void)head;
    return ERR_NOMEM;
}

static void
ignore_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static const struct stream_handler failing_handler = {
    .on_request = fail_request,
    .on_close = ignore_close,
};

/* Serves a request that waits for a verdict. It pulls and sends nothing, so no other
 * callback is called. */

static int
wait_for_verdict(struct stream *s, const struct http_head *head)
{
    (void)head;
    assert(handler_is_pending(s));
    return 0;
}

static void
pending_free(struct pending *pending)
{
    head_free(pending->head);
    mem_free(pending);
}

static void
cancel_pending(struct stream *s, int why)
{
    struct pending *pending = s->app;

    (void)why;
    s->app = NULL;
    pending->link->cancel(pending->link, s, pending->job);
    pending_free(pending);
}

static const struct stream_handler pending_handler = {
    .on_request = wait_for_verdict,
    .on_close = cancel_pending,
};

bool
handler_is_pending(const struct stream *s)
{
    return s->handler == &pending_handler;
}

const struct http_head *
handler_head(const struct stream *s)
{
    const struct pending *pending = s->app;

    assert(handler_is_pending(s));
    return pending->head;
}

/* Copies `*slice` to *at, and advances *at past it. */
static void
handler_keep(struct slice *slice, char **at)
{
    if (slice->len > 0)
        memcpy(*at, slice->ptr, slice->len);
    *slice = slice_new(*at, slice->len);
    *at += slice->len;
}

/* Allocates a pending request with the texts of `forwarded`, which may be NULL, and
 * makes it borrow those: the request still begins when the verdict comes. */
static struct pending *
pending_new(struct forwarded *forwarded)
{
    if (forwarded == NULL)
        return mem_alloc(sizeof(struct pending));
    struct pending *pending =
        mem_alloc(sizeof *pending + forwarded->host.len + forwarded->prefix.len);
    if (pending == NULL)
        return NULL;
    char *at = pending->texts;
    handler_keep(&forwarded->host, &at);
    handler_keep(&forwarded->prefix, &at);
    return pending;
}

/* Keeps the request, for which the link has returned HANDLER_PENDING. */
static void
pending_keep(struct chain *chain, struct handler *link, struct stream *s,
             const struct http_head *head)
{
    void *job = s->app;
    struct pending *pending = pending_new(head->forwarded);
    struct http_head *copy = pending == NULL ? NULL : head_copy(head);

    assert(link->cancel != NULL);
    if (copy == NULL) {
        s->app = NULL;
        link->cancel(link, s, job);
        mem_free(pending);
        s->handler = &failing_handler;
        return;
    }
    *pending = (struct pending){
        .chain = chain,
        .link = link,
        .job = job,
        .head = copy,
        .last_handler = s->handler,
        .last_arg = s->handler_arg,
    };
    s->handler = &pending_handler;
    s->app = pending;
}

/* Asks `link` and those after it. */
static void
ask(struct chain *chain, struct handler *link, struct stream *s,
    const struct http_head *head)
{
    enum handler_verdict verdict = HANDLER_DECLINED;

    for (; link != NULL; link = link->next) {
        assert(s->app == NULL && s->state == STREAM_OPEN);
        verdict = link->offer(link, s, head);
        assert(verdict == HANDLER_PENDING || s->app == NULL);
        assert(s->state == STREAM_OPEN); /* a response is sent from on_request */
        if (verdict == HANDLER_PENDING) {
            pending_keep(chain, link, s, head);
            return;
        }
        if (verdict == HANDLER_SERVED)
            return;
        if (verdict == HANDLER_TAKEN)
            break;
    }
    if (filters_attach(&chain->filters, s, head) != 0)
        s->handler = &failing_handler;
}

void
chain_begin(struct chain *chain, struct stream *s, const struct http_head *head)
{
    assert(chain->is_active && s->handler != NULL);
    ask(chain, chain->first, s, head);
}

void
handler_decide(struct stream *s, enum handler_verdict verdict)
{
    struct pending *pending = s->app;
    const struct stream_handler *taken = s->handler;
    int err = 0;

    assert(verdict != HANDLER_PENDING);
    assert((verdict == HANDLER_DECLINED) == (taken == &pending_handler));
    assert(pending != NULL && s->state == STREAM_OPEN);
    s->app = NULL;
    if (verdict == HANDLER_DECLINED) {
        s->handler = pending->last_handler;
        s->handler_arg = pending->last_arg;
        ask(pending->chain, pending->link->next, s, pending->head);
    } else if (verdict == HANDLER_TAKEN &&
               filters_attach(&pending->chain->filters, s, pending->head) != 0) {
        s->handler = &failing_handler;
    }
    err = s->handler->on_request(s, pending->head);
    if (err != 0)
        stream_fail(s, err);
    pending_free(pending);
}
