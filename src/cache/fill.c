/* SPDX-License-Identifier: MIT */
/* cache/fill.c — see fill.h for the contract. */
#include "cache/fill.h"

#include <assert.h> /* assert */
#include <stdio.h>  /* snprintf */
#include <time.h>   /* time */

#include "base/err.h"
#include "base/mem.h"
#include "cache/flight.h"
#include "cache/reply.h"

enum fill_phase {
    FILL_HEAD = 0, /* the head has not been sent yet */
    FILL_BODY,     /* the response is buffered */
    FILL_REPLAY,   /* a stored response is sent in its place */
    FILL_OFF,      /* nothing is left to do */
};

struct fill {
    struct filtered f;
    struct cache *cache;
    struct cache_request request;
    struct http_head *head;    /* owned; request.head points to it */
    struct http_head asked;    /* the head that the application gets for a validation */
    struct http_field *fields; /* owned: the fields of `asked` */
    struct content *stale;     /* owned, or NULL */
    struct content *replayed;  /* owned, or NULL; the owner of `body_left` */
    struct chunk body_left;    /* FILL_REPLAY: the rest of the body to send */
    const char *how;
    uint64_t flight;
    struct rules_verdict verdict;
    struct buf head_bytes, body; /* buffered so far */
    uint8_t phase;               /* enum fill_phase */
    bool is_unsafe, validates, leads;
};

static struct fill *
fill_of(struct filtered *f)
{
    return container_of(f, struct fill, f);
}

static uint64_t
fill_now_ms(struct fill *fill)
{
    return clock_ms(&fill->cache->service->clock);
}

/* Buffered bytes */

static void
drop_kept(struct fill *fill)
{
    assert(fill->cache->fill_bytes >= fill->body.len);
    fill->cache->fill_bytes -= fill->body.len;
    buf_release(&fill->head_bytes);
    buf_release(&fill->body);
}

void
fill_unlead(struct cache *cache, uint64_t flight, bool is_uncacheable)
{
    store_mark(&cache->store, flight, is_uncacheable);
    store_unlead(&cache->store, flight);
    flight_land(cache, flight);
}

/* Ends the lead when it is known whether the response can be stored. */
static void
fill_settle(struct fill *fill, bool is_uncacheable)
{
    if (fill->leads)
        fill_unlead(fill->cache, fill->flight, is_uncacheable);
    else if (fill->flight != 0)
        store_mark(&fill->cache->store, fill->flight, is_uncacheable);
    fill->leads = false;
    fill->flight = 0;
}

static void
fill_give_up(struct fill *fill)
{
    drop_kept(fill);
    fill->phase = FILL_OFF;
    fill_settle(fill, true);
}

/* Stores the response with this head and body. */
static int
fill_store(struct fill *fill, struct slice head, struct slice body)
{
    struct store *store = &fill->cache->store;
    struct slice vary = slice_new(fill->verdict.vary, fill->verdict.vary_bytes);
    struct store_meta *meta = &fill->verdict.meta;

    assert(fill->verdict.is_stored);
    meta->head_bytes = (uint32_t)head.len;
    meta->variant = request_variant(store, fill->head, vary);
    return store_put(store, &fill->request.key, vary, meta, head, body);
}

/* Replaying */

/* Sends `content` instead of the application's response, whose status is `status`.
 * Returns as send_head does. */
static int
replay(struct fill *fill, struct content *content, int status)
{
    struct cache *cache = fill->cache;
    struct stream *s = fill->f.stream;
    struct reply reply;
    char how[40];

    assert(fill->replayed == NULL && fill->phase == FILL_HEAD);
    (void)snprintf(how, sizeof how, "fwd=stale; fwd-status=%d", status);

    fill->phase = FILL_REPLAY;
    fill->replayed = content;
    s->body_promised = HTTP_LENGTH_NONE; /* was set from the application's head */
    reply_build(&reply, content, &fill->request, fill_now_ms(fill), time(NULL),
                cache->config.sends_status ? how : NULL);
    fill->body_left = reply.body;
    if (reply.res.status == 304)
        fill->body_left = (struct chunk){.bytes = slice_of("")};
    return filter_send_head(&fill->f, &reply.res);
}

/* Updates the stored response with the fields of a 304 that confirms it (RFC 9111
 * 4.3.4). Returns 0, or an error if nothing was stored. */
static int
freshen(struct fill *fill, const struct http_response *res)
{
    struct http_field fields[RULES_FIELDS_MAX];
    struct http_response merged = {.status = fill->stale->meta.status,
                                   .fields = fields};
    struct slice date = clock_date(&fill->cache->service->clock);
    struct buf *out = &fill->head_bytes;
    int err = reply_merge_fields(out, fill->stale, res, date);

    if (err == 0) {
        struct slice rest = buf_bytes(out);
        while (reply_next_field(&rest, &fields[merged.nfields]))
            merged.nfields++;
        rules_judge(&fill->cache->rules, &fill->request, &merged, fill_now_ms(fill),
                    time(NULL), &fill->verdict);
        err = fill->verdict.is_stored
                  ? fill_store(fill, buf_bytes(out), content_body(fill->stale))
                  : ERR_AGAIN;
    }
    buf_release(out);
    return err;
}

static uint64_t
fill_variant(void *arg, struct slice vary)
{
    struct fill *fill = arg;

    return request_variant(&fill->cache->store, fill->head, vary);
}

/* Called when a 304 confirms the stored response. */
static int
replay_confirmed(struct fill *fill, const struct http_response *res)
{
    struct store *store = &fill->cache->store;
    const struct store_match match = {.variant = fill_variant, .arg = fill};
    struct content *content = NULL;
    bool has_key;

    if (freshen(fill, res) == 0)
        (void)!store_find(store, &fill->request.key, &match, &content, &has_key);
    if (content == NULL) {
        content = fill->stale;
        content_retain(content);
    }
    tally_add(store->tally, TALLY_CACHE_REVALIDATED, 1);
    fill->f.stream->cached = STREAM_REVALIDATED;
    fill_settle(fill, false);
    return replay(fill, content, 304);
}

/* Returns whether the stale response is to be sent because the application failed
 * (RFC 5861 4). */
static bool
covers(struct fill *fill)
{
    if (fill->stale == NULL ||
        !rules_covers_error(&fill->stale->meta, fill_now_ms(fill)))
        return false;
    tally_add(fill->cache->store.tally, TALLY_CACHE_STALE, 1);
    fill->f.stream->cached = STREAM_STALE;
    fill_settle(fill, false);
    content_retain(fill->stale);
    return true;
}

static bool
is_failure(int status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

/* Invalidation (RFC 9111 4.4) */

/* Returns the path of a URI reference; empty if it refers to another host or is
 * relative. */
static struct slice
path_at_host(struct slice uri, struct slice host)
{
    static const char *const schemes[] = {"https://", "http://"};

    for (size_t i = 0; i < COUNT(schemes); i++) {
        struct slice scheme = slice_of(schemes[i]);
        if (uri.len < scheme.len + host.len || host.len == 0 ||
            !slice_equal(slice_first(uri, scheme.len), scheme) ||
            !slice_equal(slice_cut(uri, scheme.len, scheme.len + host.len), host))
            continue;
        uri = slice_skip(uri, scheme.len + host.len);
        break;
    }
    bool is_path =
        uri.len > 0 && uri.ptr[0] == '/' && (uri.len == 1 || uri.ptr[1] != '/');
    return is_path ? uri : slice_of("");
}

static struct slice
requested_host(const struct http_head *head)
{
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id == FIELD_HOST)
            return head->fields[i].value;
    }
    return slice_of("");
}

static void
invalidate(struct fill *fill, const struct http_response *res)
{
    struct store *store = &fill->cache->store;
    bool is_secure = request_is_secure(fill->f.stream, fill->head);
    struct slice host = requested_host(fill->head);

    if (!rules_invalidates(res->status))
        return;
    (void)store_remove(store, &fill->request.key);
    for (uint32_t i = 0; i < res->nfields; i++) {
        const struct http_field *field = &res->fields[i];
        if (field->id != FIELD_OTHER ||
            (!slice_equal_folded(field->name, slice_of("location")) &&
             !slice_equal_folded(field->name, slice_of("content-location"))))
            continue;
        struct slice path = path_at_host(field->value, host);
        if (path.len > 0 && request_key_of(store, fill->head, is_secure, path,
                                           slice_of(""), &fill->request))
            (void)store_remove(store, &fill->request.key);
    }
}

/* The filter */

/* Returns whether a body of this length may be buffered. */
static bool
fill_has_room(const struct fill *fill, size_t more)
{
    const struct cache_config *config = &fill->cache->config;

    return more <= config->entry_bytes &&
           fill->head_bytes.len + fill->body.len + more <= config->entry_bytes &&
           fill->cache->fill_bytes + more <= config->bytes;
}

/* Decides whether the response is to be stored. */
static void
fill_begin(struct fill *fill, const struct http_response *res)
{
    struct cache *cache = fill->cache;
    uint64_t promised = fill->f.stream->body_promised;

    rules_judge(&cache->rules, &fill->request, res, fill_now_ms(fill), time(NULL),
                &fill->verdict);
    if (promised != HTTP_LENGTH_NONE && !fill_has_room(fill, (size_t)promised))
        fill->verdict.is_stored = false;
    if (fill->verdict.is_stored &&
        reply_keep_fields(&fill->head_bytes, res, clock_date(&cache->service->clock)) ==
            0)
        fill->phase = FILL_BODY;
    else
        fill_give_up(fill);
}

/* Sends the head with a Cache-Status field. */
static int
send_with_status(struct fill *fill, const struct http_response *res)
{
    struct http_field fields[RULES_FIELDS_MAX + 1];
    struct http_response more = *res;
    char text[REPLY_STATUS_BYTES];

    if (!fill->cache->config.sends_status || fill->how == NULL ||
        res->nfields > RULES_FIELDS_MAX)
        return filter_send_head(&fill->f, res);
    (void)snprintf(text, sizeof text, "bolide; %s%s", fill->how,
                   fill->phase == FILL_BODY ? "; stored" : "");
    memcpy(fields, res->fields, res->nfields * sizeof *fields);
    fields[res->nfields] =
        (struct http_field){.name = slice_of("cache-status"), .value = slice_of(text)};
    more.fields = fields;
    more.nfields++;
    return filter_send_head(&fill->f, &more);
}

static int
fill_send_head(struct filtered *f, const struct http_response *res)
{
    struct fill *fill = fill_of(f);

    assert(fill->phase == FILL_HEAD || fill->phase == FILL_OFF);
    if (fill->is_unsafe) {
        if (fill->phase == FILL_HEAD)
            invalidate(fill, res);
        fill->phase = FILL_OFF;
        return filter_send_head(f, res);
    }
    if (fill->phase == FILL_HEAD) {
        if (fill->validates && res->status == 304)
            return replay_confirmed(fill, res);
        if (is_failure(res->status) && covers(fill))
            return replay(fill, fill->stale, res->status);
        fill_begin(fill, res);
    }
    return send_with_status(fill, res);
}

/* Buffers a part of the body, and stores the response when it is complete. */
static void
fill_keep(struct fill *fill, const struct chunk *body, bool last)
{
    size_t n = body->bytes.len;

    if (body->file != NULL || !fill_has_room(fill, n)) {
        fill_give_up(fill);
        return;
    }
    if (n > 0 && buf_append(&fill->body, body->bytes) != 0) {
        fill_give_up(fill);
        return;
    }
    fill->cache->fill_bytes += n;
    if (!last)
        return;
    (void)!fill_store(fill, buf_bytes(&fill->head_bytes), buf_bytes(&fill->body));
    drop_kept(fill);
    fill->phase = FILL_OFF;
    fill_settle(fill, false);
}

/* Sends the stored body, whose bytes the access log needs; the stream adds `nadded`
 * bytes after the call. */
static int
send_stored(struct fill *fill, size_t nadded)
{
    assert(fill->phase == FILL_REPLAY);
    fill->f.stream->body_sent = fill->body_left.bytes.len - nadded;
    return filter_send_body(&fill->f, &fill->body_left, true);
}

static int
fill_send_body(struct filtered *f, const struct chunk *body, bool last)
{
    struct fill *fill = fill_of(f);

    if (fill->phase == FILL_REPLAY)
        return last ? send_stored(fill, body->bytes.len) : 0;
    if (fill->phase == FILL_BODY)
        fill_keep(fill, body, last);
    return filter_send_body(f, body, last);
}

/* The response of a replay has no trailers. */
static int
fill_send_trailers(struct filtered *f, const struct http_field *fields, uint32_t n)
{
    struct fill *fill = fill_of(f);

    if (fill->phase == FILL_REPLAY)
        return send_stored(fill, 0);
    return filter_send_trailers(f, fields, n);
}

static bool
fill_on_fail(struct filtered *f, int why)
{
    struct fill *fill = fill_of(f);

    (void)why;
    if (fill->is_unsafe || fill->phase != FILL_HEAD || !covers(fill))
        return false;
    tally_add(fill->cache->store.tally, TALLY_APP_FAILED, 1);
    int err = replay(fill, fill->stale, 500);
    if (err == 0)
        err = send_stored(fill, 0);
    return err == 0 || err == ERR_AGAIN;
}

/* Makes the request conditional on the stored response (RFC 9111 4.3.1). */
static int
make_conditional(struct fill *fill, const struct http_head *head)
{
    struct slice etag = reply_find_field(fill->stale, "etag");
    struct slice date = reply_find_field(fill->stale, "last-modified");
    uint32_t n = 0;

    fill->fields = mem_alloc((head->nfields + 2) * sizeof *fill->fields);
    if (fill->fields == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id != FIELD_IF_NONE_MATCH &&
            head->fields[i].id != FIELD_IF_MODIFIED_SINCE)
            fill->fields[n++] = head->fields[i];
    }
    if (etag.len > 0)
        fill->fields[n++] =
            (struct http_field){slice_of("if-none-match"), etag, FIELD_IF_NONE_MATCH};
    if (date.len > 0)
        fill->fields[n++] = (struct http_field){slice_of("if-modified-since"), date,
                                                FIELD_IF_MODIFIED_SINCE};
    assert(n <= head->nfields + 2);
    fill->asked = *head;
    fill->asked.fields = fill->fields;
    fill->asked.nfields = fill->asked.nfields_max = n;
    return 0;
}

static const struct http_head *
fill_on_request(struct filtered *f, const struct http_head *head)
{
    struct fill *fill = fill_of(f);

    if (!fill->validates)
        return head;
    return make_conditional(fill, head) == 0 ? &fill->asked : NULL;
}

static void
fill_free(struct fill *fill)
{
    drop_kept(fill);
    if (fill->leads) /* the exchange has ended without a response */
        fill_unlead(fill->cache, fill->flight, false);
    content_release(fill->replayed);
    content_release(fill->stale);
    head_free(fill->head);
    mem_free(fill->fields);
    mem_free(fill);
}

static void
fill_fini(struct filtered *f)
{
    fill_free(fill_of(f));
}

static const struct filter_ops fill_ops = {
    .on_request = fill_on_request,
    .send_head = fill_send_head,
    .send_body = fill_send_body,
    .send_trailers = fill_send_trailers,
    .on_fail = fill_on_fail,
    .fini = fill_fini,
};

int
fill_new(struct cache *cache, const struct fill_order *order)
{
    struct fill *fill = mem_calloc(1, sizeof *fill);
    struct http_head *head = fill == NULL ? NULL : head_copy(order->request->head);

    assert(cache->next == NULL && (!order->validates || order->stale != NULL));
    if (head == NULL) {
        mem_free(fill);
        return ERR_NOMEM;
    }
    fill->f.ops = &fill_ops;
    fill->cache = cache;
    fill->request = *order->request;
    fill->request.head = head;
    fill->request.key.text.ptr = fill->request.room;
    fill->head = head;
    fill->stale = order->stale;
    fill->how = order->how;
    fill->flight = order->flight;
    fill->is_unsafe = order->is_unsafe;
    fill->validates = order->validates;
    fill->leads = order->leads;
    buf_init(&fill->head_bytes);
    buf_init(&fill->body);
    cache->next = fill;
    return 0;
}

int
fill_attach(struct filter *filter, struct stream *s, const struct http_head *head,
            struct filtered **out)
{
    struct cache *cache = container_of(filter, struct cache, filter);

    (void)s;
    (void)head;
    if (cache->next != NULL)
        *out = &cache->next->f;
    cache->next = NULL;
    return 0;
}
