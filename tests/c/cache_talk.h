/* SPDX-License-Identifier: MIT */
/* tests/c/cache_talk.h — a server with a cache, an application and a protocol that keeps
 * the last response as text. Header only; the test includes the files of the cache. */
#ifndef TESTS_CACHE_TALK_H
#define TESTS_CACHE_TALK_H

#include "cache_fields.h"

/* A protocol that keeps the last response as text, and a clock that is set. */

static char sent[256];

static int
wire_head(struct stream *s, const struct http_response *res)
{
    (void)s;
    snprintf(sent, sizeof sent, "%d ", res->status);
    return 0;
}

static int
wire_body(struct stream *s, const struct chunk *body, bool last)
{
    size_t n = strlen(sent);

    (void)s;
    snprintf(sent + n, sizeof sent - n, "%.*s%s", (int)body->bytes.len, body->bytes.ptr,
             last ? "$" : "");
    return 0;
}

static int
wire_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    size_t len = strlen(sent);

    (void)s;
    (void)fields;
    snprintf(sent + len, sizeof sent - len, "%u trailers", n);
    return 0;
}

static void
wire_fail(struct stream *s, int why)
{
    (void)why;
    snprintf(sent, sizeof sent, "500");
    stream_end(s);
}

static const struct stream_ops protocol = {
    .send_head = wire_head,
    .send_body = wire_body,
    .send_trailers = wire_trailers,
    .fail = wire_fail,
};

/* An application: it responds at once, or later. */

static unsigned ncalls;
static const char *app_fields; /* what it sends */
static bool app_waits;
static struct forwarded *reported; /* by a proxy, about each request */
static struct http_head seen;      /* the last head of a call */
static struct stream *called;      /* the last call */

static int
app_respond(struct stream *s)
{
    struct http_field fields[10];
    struct http_response res = {.status = 200, .fields = fields};
    struct chunk body = {.bytes = slice_of("body")};

    res.nfields = read_fields_of(app_fields, fields);
    int err = stream_send_head(s, &res);
    return err != 0 ? err : stream_send_body(s, &body, true);
}

static int
app_on_request(struct stream *s, const struct http_head *head)
{
    seen = *head;
    called = s;
    ncalls++;
    if (app_waits)
        return 0;
    int err = app_respond(s);
    return err == ERR_NOMEM ? err : 0;
}

static void
app_on_peer_gone(struct peer *peer)
{
    ok(peer != &some_peer, "the peer of a background request");
}

static unsigned nwritable;

static void
app_on_writable(struct stream *s)
{
    (void)s;
    nwritable++;
}

static const struct stream_handler app = {
    .on_request = app_on_request,
    .on_body = reply_ignore_body,
    .on_writable = app_on_writable,
    .on_close = reply_ignore_close,
    .on_peer_gone = app_on_peer_gone,
};

/* A server */

static struct service service;
static struct cache cache;
static struct tally counters;
static uint64_t due;

static void
on_cache_due(struct cache *of, uint64_t due_ms)
{
    (void)of;
    due = due_ms < due ? due_ms : due;
}

static void
setup(void)
{
    struct cache_config config = CACHE_CONFIG_DEFAULT;

    config.memory = mmap(NULL, FIELDS_BYTES, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    config.bytes = FIELDS_BYTES;
    config.sends_status = true;
    config.paths = slice_of("");
    config.purge_path = slice_of("/purge");
    config.purge_token = slice_of("secret");
    is(store_format(config.memory, config.bytes), 0, "memory");
    service = (struct service){.handler = &app, .tally = &counters};
    clock_init(&service.clock);
    clock_begin(&service.clock);
    cache = (struct cache){.service = &service, .on_due = on_cache_due};
    is(cache_init(&cache, &config), 0, "a cache");
    chain_add(&service.chain, &cache.handler);
    is(chain_add_filter(&service.chain, &cache.filter), 0, "its filter");
    app_fields = "cache-control: max-age=60";
    app_waits = false;
    reported = NULL;
    ncalls = nwritable = 0;
    memset(&counters, 0, sizeof counters);
    due = UINT64_MAX;
}

static void
teardown(void)
{
    struct store_root *root = cache.store.root;

    ok(store_is_sound(&cache.store), "the store is sound");
    cache_stop(&cache);
    cache_fini(&cache);
    chain_fini(&service.chain);
    (void)munmap(root, FIELDS_BYTES);
}

/* Begins a request as a protocol does. */
static void
begin(struct stream *s, const char *method, const char *target, const char *fields)
{
    struct http_head head = head_of(method, target, fields, some_fields);

    head.forwarded = reported;
    *s = (struct stream){.ops = &protocol,
                         .handler = &app,
                         .peer = &some_peer,
                         .version = HTTP_2,
                         .is_head = strcmp(method, "HEAD") == 0,
                         .body_promised = HTTP_LENGTH_NONE};
    snprintf(sent, sizeof sent, "nothing");
    chain_begin(&service.chain, s, &head);
    if (s->handler->on_request(s, &head) != 0)
        stream_fail(s, ERR_NOMEM);
}

static void
end(struct stream *s)
{
    stream_close(s, s->state == STREAM_ENDED ? 0 : ERR_RESET);
}

static void
request(const char *method, const char *target, const char *fields)
{
    struct stream s;

    begin(&s, method, target, fields);
    end(&s);
}

/* Lets time pass, and the cache look. */
static void
pass_ms(uint64_t ms)
{
    service.clock.ms += ms;
    cache_on_time(&cache);
}

#endif
