/* SPDX-License-Identifier: MIT */
/* cache/refresh.c — see refresh.h for the contract.
 *
 * The protocol of these exchanges accepts everything and sends nothing. */
#include "cache/refresh.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "cache/fill.h"
#include "http/forwarded.h"

/* How often a running exchange is checked. */
#define LOOK_MS 100u

struct refresh {
    struct list_node link; /* in cache->refreshes */
    struct cache *cache;
    struct stream stream;
    struct peer peer;
    struct budget budget;
    struct forwarded forwarded; /* a copy; its slices refer to `texts` */
    struct http_head *head;     /* owned */
    struct cache_request request;
    struct content *content; /* owned until it has started */
    uint64_t flight;
    uint64_t due_ms;
    bool has_started, is_drained;
    char texts[]; /* the texts of `forwarded` */
};

/* The protocol */

static struct refresh *
refresh_of(struct stream *s)
{
    return container_of(s, struct refresh, stream);
}

static void
look_soon(struct refresh *refresh)
{
    cache_wake_at(refresh->cache, clock_ms(&refresh->cache->service->clock));
}

static int
refresh_take_head(struct stream *s, const struct http_response *res)
{
    (void)s;
    (void)res;
    return 0;
}

static int
refresh_take_body(struct stream *s, const struct chunk *body, bool last)
{
    (void)body;
    if (last)
        look_soon(refresh_of(s));
    return 0;
}

static int
refresh_take_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    (void)fields;
    (void)n;
    look_soon(refresh_of(s));
    return 0;
}

/* There is nothing to read, and no peer that disconnects. */
static int
refresh_wait(struct stream *s)
{
    (void)s;
    return 0;
}

static void
ignore_complaint(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static void
drain_soon(struct stream *s)
{
    refresh_of(s)->is_drained = true;
    look_soon(refresh_of(s));
}

static void
end_failed(struct stream *s, int why)
{
    struct refresh *refresh = refresh_of(s);

    (void)why;
    tally_add(refresh->cache->store.tally, TALLY_APP_FAILED, 1);
    stream_end(s);
    look_soon(refresh);
}

/* Has no tunnel functions: can_tunnel is false. */
static const struct stream_ops nowhere = {
    .send_head = refresh_take_head,
    .send_body = refresh_take_body,
    .send_trailers = refresh_take_trailers,
    .send_interim = refresh_take_head,
    .pull_body = refresh_wait,
    .complain = ignore_complaint,
    .rest = drain_soon,
    .fail = end_failed,
};

/* Starting */

static void
copy_forwarded(struct refresh *refresh, const struct forwarded *from)
{
    struct forwarded *to = &refresh->forwarded;

    if (from == NULL)
        return;
    *to = *from;
    if (from->host.len > 0)
        memcpy(refresh->texts, from->host.ptr, from->host.len);
    if (from->prefix.len > 0)
        memcpy(refresh->texts + from->host.len, from->prefix.ptr, from->prefix.len);
    to->host = slice_new(refresh->texts, from->host.len);
    to->prefix = slice_new(refresh->texts + from->host.len, from->prefix.len);
    refresh->head->forwarded = refresh->stream.forwarded = to;
}

static struct refresh *
refresh_new(struct cache *cache, const struct stream *s, const struct cache_request *r)
{
    const struct forwarded *forwarded = r->head->forwarded;
    size_t texts = forwarded == NULL ? 0 : forwarded->host.len + forwarded->prefix.len;
    struct refresh *refresh = mem_calloc(1, sizeof *refresh + texts);
    struct http_head *head = refresh == NULL ? NULL : head_copy(r->head);

    if (head == NULL) {
        mem_free(refresh);
        return NULL;
    }
    refresh->cache = cache;
    refresh->head = head;
    refresh->request = *r;
    refresh->request.head = head;
    refresh->request.key.text.ptr = refresh->request.room;
    refresh->peer = (struct peer){
        .endpoint = s->peer->endpoint,
        .addr = s->peer->addr,
        .via = s->peer->via,
        .is_trusted = s->peer->is_trusted,
    };
    refresh->stream = (struct stream){
        .ops = &nowhere,
        .peer = &refresh->peer,
        .budget = &refresh->budget,
        .body_ended = true,
        .is_uncounted = true,
        .version = s->version,
        .body_promised = HTTP_LENGTH_NONE,
    };
    copy_forwarded(refresh, forwarded);
    return refresh;
}

static unsigned
refresh_count(const struct cache *cache)
{
    const struct list_node *n = cache->refreshes.next;
    unsigned found = 0;

    for (; n != &cache->refreshes; n = n->next)
        found++;
    return found;
}

void
refresh_begin(struct cache *cache, struct stream *s, const struct cache_request *r,
              struct content *content)
{
    uint64_t flight = request_flight(&cache->store, r);

    if (r->is_head || r->has_authorization || refresh_count(cache) >= REFRESHES_MAX ||
        store_lead(&cache->store, flight) != LEAD_TAKEN)
        return;
    struct refresh *refresh = refresh_new(cache, s, r);
    if (refresh == NULL) {
        fill_unlead(cache, flight, false);
        return;
    }
    refresh->flight = flight;
    refresh->content = content;
    content_retain(content);
    refresh->due_ms = clock_due(&cache->service->clock, REFRESH_MS);
    list_append(&cache->refreshes, &refresh->link);
    look_soon(refresh);
}

/* Removes fields of the request that concern only its client. */
static void
strip(struct http_head *head)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id == FIELD_RANGE || field->id == FIELD_IF_NONE_MATCH ||
            field->id == FIELD_IF_MODIFIED_SINCE ||
            (field->id == FIELD_OTHER &&
             slice_equal_folded(field->name, slice_of("if-range"))))
            continue;
        head->fields[n++] = *field;
    }
    head->nfields = n;
}

static void
refresh_start(struct refresh *refresh)
{
    struct cache *cache = refresh->cache;
    struct stream *s = &refresh->stream;
    const struct fill_order order = {
        .request = &refresh->request,
        .stale = refresh->content,
        .flight = refresh->flight,
        .validates = (refresh->content->meta.flags & CONTENT_VALIDATOR) != 0,
        .leads = true,
    };

    refresh->has_started = true;
    strip(refresh->head);
    refresh->request.has_range = refresh->request.has_condition = false;
    s->handler = cache->service->handler;
    s->handler_arg = cache->service->handler_arg;
    if (fill_new(cache, &order) != 0) {
        fill_unlead(cache, refresh->flight, false);
        content_release(refresh->content);
        refresh->content = NULL;
        s->handler = NULL;
        return;
    }
    refresh->content = NULL; /* owned by the filter now */
    if (filters_attach(&cache->service->chain.filters, s, refresh->head) != 0) {
        s->handler = NULL;
        return;
    }
    assert(cache->next == NULL);
    if (s->handler->on_request(s, refresh->head) != 0)
        stream_fail(s, ERR_NOMEM);
}

static void
refresh_end(struct refresh *refresh, int why)
{
    struct stream *s = &refresh->stream;

    list_remove(&refresh->link);
    if (!refresh->has_started) {
        fill_unlead(refresh->cache, refresh->flight, false);
        content_release(refresh->content);
    } else if (s->handler != NULL) {
        stream_close(s, s->state == STREAM_ENDED ? 0 : why);
        refresh->cache->service->handler->on_peer_gone(&refresh->peer);
    }
    head_free(refresh->head);
    mem_free(refresh);
}

/* Returns whether the exchange continues. */
static bool
refresh_step(struct refresh *refresh, uint64_t now_ms)
{
    struct stream *s = &refresh->stream;

    if (!refresh->has_started) {
        refresh_start(refresh);
    } else if (refresh->is_drained && s->state < STREAM_ENDED) {
        refresh->is_drained = false;
        if (s->waits_for_writable)
            stream_drained(s);
    }
    if (s->handler != NULL && s->state < STREAM_ENDED && refresh->due_ms > now_ms)
        return true;
    refresh_end(refresh, ERR_CLOSED);
    return false;
}

void
refresh_look(struct cache *cache, uint64_t now_ms)
{
    struct list_node work;

    /* Others may be added while applications run. */
    list_init(&work);
    list_move_all(&work, &cache->refreshes);
    while (!list_is_empty(&work)) {
        struct refresh *refresh = container_of(work.next, struct refresh, link);
        list_remove(&refresh->link);
        list_append(&cache->refreshes, &refresh->link);
        if (refresh_step(refresh, now_ms))
            cache_wake_at(cache, now_ms + LOOK_MS);
    }
}

void
refresh_end_all(struct cache *cache, int why)
{
    while (!list_is_empty(&cache->refreshes))
        refresh_end(container_of(cache->refreshes.next, struct refresh, link), why);
}
