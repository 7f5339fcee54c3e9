/* SPDX-License-Identifier: MIT */
/* cache/cache.c — see cache.h for the contract. */
#include "cache/cache.h"

#include <assert.h> /* assert */
#include <time.h>   /* time */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "cache/fill.h"
#include "cache/flight.h"
#include "cache/purge.h"
#include "cache/refresh.h"
#include "cache/reply.h"

/* The most waiting requests that are continued in one turn. */
#define RESUMED_AT_ONCE 64

/* Sending stored responses */

/* RFC 9111 5.2.1.7. */
static int
send_not_cached(struct stream *s)
{
    static const char text[] = "Gateway Timeout: only-if-cached, and it is not\n";
    struct http_field fields[] = {
        {.name = slice_of("content-type"),
         .value = slice_of("text/plain; charset=utf-8")},
    };
    struct http_response res = {.status = 504, .fields = fields, .nfields = 1};
    struct chunk body = {.bytes = slice_of(text)};
    int err = stream_send_head(s, &res);

    return err != 0 ? err : stream_send_body(s, &body, true);
}

static int
hit_on_request(struct stream *s, const struct http_head *head)
{
    struct cache *cache = s->handler_arg;
    struct cache_hit hit = cache->hit;
    struct reply reply;

    cache->hit.content = NULL;
    if (hit.content == NULL)
        return send_not_cached(s);
    hit.request.head = head;
    reply_build(&reply, hit.content, &hit.request, clock_ms(&cache->service->clock),
                hit.request.has_condition || hit.request.has_range ? time(NULL) : 0,
                cache->config.sends_status ? hit.how : NULL);
    int err = stream_send_head(s, &reply.res);
    if (err == 0)
        err = stream_send_body(s, &reply.body, true);
    content_release(hit.content);
    return err == ERR_AGAIN ? 0 : err;
}

static const struct stream_handler hit_handler = {
    .on_request = hit_on_request,
    .on_body = reply_ignore_body,
    .on_writable = reply_ignore_writable,
    .on_close = reply_ignore_close,
};

/* Serves the request in cache->hit.request with a stored response, whose reference
 * it takes over, or NULL for a 504. */
static enum handler_verdict
cache_serve(struct cache *cache, struct stream *s, struct content *content,
            const char *how)
{
    assert(cache->hit.content == NULL);
    cache->hit.content = content;
    cache->hit.how = how;
    s->handler = &hit_handler;
    s->handler_arg = cache;
    s->can_tunnel = false;
    return HANDLER_SERVED;
}

static enum handler_verdict
serve_stored(struct cache *cache, struct stream *s, struct content *content,
             bool has_waited)
{
    bool is_fresh = rules_age(&content->meta, clock_ms(&cache->service->clock)) <
                    content->meta.fresh_s;
    unsigned id = has_waited ? TALLY_CACHE_COLLAPSED
                  : is_fresh ? TALLY_CACHE_HITS
                             : TALLY_CACHE_STALE;

    tally_add(cache->store.tally, id, 1);
    s->cached = has_waited ? STREAM_COLLAPSED : is_fresh ? STREAM_HIT : STREAM_STALE;
    return cache_serve(cache, s, content,
                       has_waited ? "fwd=uri-miss; collapsed" : "hit");
}

/* Forwarding */

struct look_up {
    struct cache *cache;
    struct stream *stream;
    const struct cache_request *r;
    struct waiter *waiter;   /* not NULL: the request has waited */
    struct content *content; /* the stored response; owned, or NULL */
    bool has_key;            /* another variant is stored */
    enum rules_use use;
};

static uint64_t
look_up_variant(void *arg, struct slice vary)
{
    const struct look_up *l = arg;

    return request_variant(&l->cache->store, l->r->head, vary);
}

/* Finds a stored response. Returns 0 or an error of store_find(). */
static int
look_up_find(struct look_up *l)
{
    const struct store_match match = {.variant = look_up_variant, .arg = l};
    struct cache *cache = l->cache;
    int err = store_find(&cache->store, &l->r->key, &match, &l->content, &l->has_key);

    l->use = USE_NEVER;
    if (l->content == NULL)
        return err;
    l->use = rules_use(&cache->rules, l->r, &l->content->meta,
                       clock_ms(&cache->service->clock));
    if (l->use == USE_NEVER) {
        content_release(l->content);
        l->content = NULL;
    }
    return 0;
}

static bool
is_found(const struct look_up *l)
{
    return l->use == USE_FRESH || l->use == USE_REFRESHING;
}

static enum handler_verdict
send_found(struct look_up *l)
{
    if (l->use == USE_REFRESHING)
        refresh_begin(l->cache, l->stream, l->r, l->content);
    return serve_stored(l->cache, l->stream, l->content, l->waiter != NULL);
}

/* Returns whether the request may wait for another one, or others for it. A response
 * that is validated each time cannot be shared, and one to a request with
 * credentials is private. */
static bool
may_share(const struct look_up *l)
{
    const struct content *content = l->content;
    bool is_cold = content == NULL || (content->meta.fresh_s > 0 &&
                                       (content->meta.flags & CONTENT_NO_CACHE) == 0);
    bool replaces = content != NULL && (content->meta.flags & CONTENT_VALIDATOR) != 0;

    return l->cache->config.wait_ms > 0 && !l->r->has_authorization && is_cold &&
           (!l->r->has_condition || replaces);
}

static const char *
why_forwarded(const struct look_up *l)
{
    if (l->content != NULL)
        return "fwd=stale";
    return l->has_key ? "fwd=vary-miss" : "fwd=uri-miss";
}

/* Sends the request to the application with a filter that stores the response. */
static enum handler_verdict
look_up_forward(struct look_up *l, uint64_t flight, bool leads)
{
    struct fill_order order = {
        .request = l->r,
        .stale = l->content,
        .how = why_forwarded(l),
        .flight = flight,
        .validates =
            l->content != NULL && (l->content->meta.flags & CONTENT_VALIDATOR) != 0,
        .leads = leads,
    };

    tally_add(l->cache->store.tally, TALLY_CACHE_MISSES, 1);
    l->stream->cached = STREAM_MISS;
    if (fill_new(l->cache, &order) != 0) {
        content_release(l->content);
        if (leads)
            fill_unlead(l->cache, flight, false);
    }
    return HANDLER_DECLINED;
}

/* Handles a request for which there is no stored response that may be used. */
static enum handler_verdict
look_up_pass(struct look_up *l)
{
    content_release(l->content);
    tally_add(l->cache->store.tally, TALLY_CACHE_MISSES, 1);
    l->stream->cached = STREAM_PASSED;
    return HANDLER_DECLINED;
}

/* Makes the request wait for another one. */
static enum handler_verdict
wait_for(struct look_up *l, uint64_t flight)
{
    struct cache *cache = l->cache;
    struct waiter *waiter = l->waiter;
    uint64_t now_ms = clock_ms(&cache->service->clock);

    if (waiter == NULL)
        waiter = flight_waiter(l->stream, now_ms + cache->config.wait_ms);
    if (waiter == NULL || flight_join(cache, waiter, flight) != 0) {
        if (waiter != NULL && l->waiter == NULL)
            flight_leave(waiter);
        return look_up_forward(l, 0, false);
    }
    content_release(l->content);
    if (l->waiter == NULL)
        l->stream->app = waiter;
    return HANDLER_PENDING;
}

/* Sends the request to the application, or makes it wait for another one. */
static enum handler_verdict
look_up_ask(struct look_up *l)
{
    struct cache *cache = l->cache;

    if (l->r->is_head || l->r->has_range)
        return look_up_pass(l);
    uint64_t flight = may_share(l) ? request_flight(&cache->store, l->r) : 0;
    bool is_late =
        l->waiter != NULL && l->waiter->due_ms <= clock_ms(&cache->service->clock);
    if (flight == 0 || is_late)
        return look_up_forward(l, 0, false);
    switch (store_lead(&cache->store, flight)) {
    case LEAD_FOLLOW:
        return wait_for(l, flight);
    case LEAD_NONE:
        return look_up_forward(l, flight, false);
    default:
        break;
    }
    /* Another worker may have stored it since the lookup. */
    content_release(l->content);
    if (look_up_find(l) == 0 && is_found(l)) {
        fill_unlead(cache, flight, false);
        return send_found(l);
    }
    return look_up_forward(l, flight, true);
}

/* Decides about a request whose response may be stored. */
static enum handler_verdict
look_up(struct cache *cache, struct stream *s, const struct cache_request *r,
        struct waiter *waiter)
{
    struct look_up l = {.cache = cache, .stream = s, .r = r, .waiter = waiter};

    if (look_up_find(&l) != 0)
        return HANDLER_DECLINED; /* the store is not available now */
    if (is_found(&l))
        return send_found(&l);
    if (cache->config.obeys_clients && r->cc.only_if_cached) {
        content_release(l.content);
        return cache_serve(cache, s, NULL, NULL);
    }
    return look_up_ask(&l);
}

static enum handler_verdict
cache_offer(struct handler *handler, struct stream *s, const struct http_head *head)
{
    struct cache *cache = container_of(handler, struct cache, handler);

    assert(cache->next == NULL && cache->hit.content == NULL);
    if (UNLIKELY(purge_is_asked(cache, head)))
        return purge_take(cache, s);
    struct cache_request *r = &cache->hit.request;
    switch (request_read(&cache->store, s, head, r)) {
    case REQUEST_LOOKUP:
        return look_up(cache, s, r, NULL);
    case REQUEST_UNSAFE: {
        const struct fill_order order = {.request = r, .is_unsafe = true};
        /* Without memory nothing is removed, but the request fails too. */
        (void)!fill_new(cache, &order);
        return HANDLER_DECLINED;
    }
    default:
        return HANDLER_DECLINED;
    }
}

static void
cache_cancel(struct handler *handler, struct stream *s, void *job)
{
    (void)handler;
    (void)s;
    flight_leave(job);
}

/* Time */

/* Continues a request that has waited. */
static void
cache_resume(struct cache *cache, struct waiter *waiter)
{
    struct stream *s = waiter->stream;
    struct cache_request *r = &cache->hit.request;
    enum request_kind kind = request_read(&cache->store, s, handler_head(s), r);

    assert(kind == REQUEST_LOOKUP);
    (void)kind;
    enum handler_verdict verdict = look_up(cache, s, r, waiter);
    if (verdict == HANDLER_PENDING)
        return;
    flight_leave(waiter);
    handler_decide(s, verdict);
}

void
cache_on_time(struct cache *cache)
{
    uint64_t now_ms = clock_ms(&cache->service->clock);
    struct waiter *waiter;

    if (cache->due_ms <= now_ms) {
        cache->due_ms = TIMER_NEVER;
        refresh_look(cache, now_ms);
        flight_look(cache, now_ms);
        for (int i = 0; i < RESUMED_AT_ONCE; i++) {
            waiter = flight_take_ready(cache);
            if (waiter == NULL)
                break;
            cache_resume(cache, waiter);
        }
        if (!list_is_empty(&cache->ready))
            cache_wake_at(cache, now_ms);
    }
    if (cache->due_ms != TIMER_NEVER)
        cache->on_due(cache, cache->due_ms);
}

/* Initialization */

/* Reads "SECONDS PREFIX\n" lines into cache->paths. */
static int
read_paths(struct cache *cache)
{
    struct slice rest = cache->config.paths;
    size_t n = slice_count(rest, '\n');

    if (n == 0)
        return 0;
    cache->paths = mem_calloc(n, sizeof *cache->paths);
    if (cache->paths == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        assert(end != NULL);
        struct slice line = slice_first(rest, (size_t)(end - rest.ptr));
        const char *space = memchr(line.ptr, ' ', line.len);
        rest = slice_skip(rest, line.len + 1);
        size_t digits = space == NULL ? line.len : (size_t)(space - line.ptr);
        if (space == NULL ||
            !cache_seconds(slice_first(line, digits), &cache->paths[i].seconds))
            return ERR_IO;
        cache->paths[i].prefix = slice_skip(line, digits + 1);
    }
    cache->rules.paths = cache->paths;
    cache->rules.npaths = (unsigned)n;
    return 0;
}

int
cache_init(struct cache *cache, const struct cache_config *config)
{
    assert(cache->service != NULL && cache->on_due != NULL);
    assert(config->memory != NULL && config->variants > 0);
    cache->handler = (struct handler){.offer = cache_offer, .cancel = cache_cancel};
    cache->filter = (struct filter){.attach = fill_attach};
    cache->config = *config;
    cache->due_ms = TIMER_NEVER;
    list_init(&cache->flights);
    list_init(&cache->ready);
    list_init(&cache->refreshes);
    cache->store.tally = cache->service->tally;
    cache->store.max_bytes = config->entry_bytes;
    cache->store.variants_max = config->variants;
    cache->rules.obeys_clients = config->obeys_clients;
    int err = read_paths(cache);
    if (err == 0 && !store_open(&cache->store, config->memory, config->bytes))
        err = ERR_IO;
    return err;
}

void
cache_stop(struct cache *cache)
{
    if (cache->store.root != NULL)
        refresh_end_all(cache, ERR_SHUTDOWN);
}

void
cache_fini(struct cache *cache)
{
    if (cache->store.root != NULL) {
        assert(list_is_empty(&cache->flights) && list_is_empty(&cache->ready));
        assert(cache->next == NULL && cache->fill_bytes == 0);
        refresh_end_all(cache, ERR_SHUTDOWN);
        store_close(&cache->store);
    }
    mem_free(cache->paths);
    cache->paths = NULL;
}
