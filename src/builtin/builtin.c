/* SPDX-License-Identifier: MIT */
/* builtin/builtin.c — see builtin.h for the contract. */
#include "builtin/builtin.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/timer.h"

#define TEXT "text/plain; charset=utf-8"

int
builtin_answer(struct stream *s, int status, const char *type, struct slice body)
{
    struct http_field fields[] = {
        {.name = slice_of("content-type"), .value = slice_of(type)},
        {.name = slice_of("cache-control"), .value = slice_of("no-store")},
        {.name = slice_of("allow"), .value = slice_of("GET, HEAD")},
    };
    struct http_response response = {
        .status = status,
        .fields = fields,
        .nfields = status == 405 ? 3 : 2,
    };
    struct chunk chunk = {.bytes = body};
    assert(status >= 200 && status < 600);
    int err = stream_send_head(s, &response);

    return err != 0 ? err : stream_send_body(s, &chunk, true);
}

/* Returns whether the request is a liveness probe, not a readiness probe. */
static bool
asks_live(const struct http_head *head)
{
    static const char ending[] = "/live";
    size_t n = sizeof ending - 1;

    return slice_equal(head->query, slice_of("live")) ||
           (head->path.len >= n &&
            slice_equal(slice_skip(head->path, head->path.len - n), slice_of(ending)));
}

static int
on_health(struct stream *s, const struct http_head *head)
{
    const struct builtin *builtin = s->handler_arg;

    if (asks_live(head) || !builtin->service->is_leaving)
        return builtin_answer(s, 200, TEXT, slice_of("ok\n"));
    return builtin_answer(s, 503, TEXT, slice_of("draining\n"));
}

static int
on_missing(struct stream *s, const struct http_head *head)
{
    (void)head;
    return builtin_answer(s, 404, TEXT, slice_of("/health /metrics / /events\n"));
}

static int
on_wrong_method(struct stream *s, const struct http_head *head)
{
    (void)head;
    return builtin_answer(s, 405, TEXT, slice_of("GET or HEAD\n"));
}

void
builtin_ignore_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    (void)last;
}

void
builtin_ignore_writable(struct stream *s)
{
    (void)s;
}

void
builtin_ignore_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static const struct stream_handler health_handler = {
    .on_request = on_health,
    .on_body = builtin_ignore_body,
    .on_writable = builtin_ignore_writable,
    .on_close = builtin_ignore_close,
};
static const struct stream_handler missing_handler = {
    .on_request = on_missing,
    .on_body = builtin_ignore_body,
    .on_writable = builtin_ignore_writable,
    .on_close = builtin_ignore_close,
};
static const struct stream_handler method_handler = {
    .on_request = on_wrong_method,
    .on_body = builtin_ignore_body,
    .on_writable = builtin_ignore_writable,
    .on_close = builtin_ignore_close,
};

/* Sets the part of `path` below `place`; returns false if `path` is not below it. */
static bool
is_below(struct slice path, struct slice place, struct slice *rest)
{
    if (place.len == 0 || path.len < place.len ||
        !slice_equal(slice_first(path, place.len), place))
        return false;
    *rest = slice_skip(path, place.len);
    return true;
}

static bool
is_health(struct slice path, struct slice place)
{
    struct slice rest;

    return is_below(path, place, &rest) &&
           (rest.len == 0 || slice_equal(rest, slice_of("/live")) ||
            slice_equal(rest, slice_of("/ready")));
}

static const struct stream_handler *
builtin_find(const struct builtin_config *config, struct slice path)
{
    struct slice rest;

    if (is_health(path, config->health_path))
        return &health_handler;
    if (config->metrics_path.len > 0 && slice_equal(path, config->metrics_path))
        return &builtin_metrics_handler;
    if (!is_below(path, config->status_path, &rest))
        return NULL;
    if (rest.len == 0)
        return &builtin_page_handler;
    return slice_equal(rest, slice_of("/events")) ? &builtin_events_handler : NULL;
}

static const struct stream_handler *
find_on_own_listener(struct slice path)
{
    if (is_health(path, slice_of("/health")))
        return &health_handler;
    if (slice_equal(path, slice_of("/metrics")))
        return &builtin_metrics_handler;
    if (slice_equal(path, slice_of("/")))
        return &builtin_page_handler;
    return slice_equal(path, slice_of("/events")) ? &builtin_events_handler
                                                  : &missing_handler;
}

static bool
is_on_own_listener(const struct peer *peer)
{
    return peer->endpoint != NULL && peer->endpoint->is_builtin;
}

/* Probes are answered while requests are rejected. */
static bool
is_exempt(const struct handler *handler, const struct peer *peer,
          const struct http_head *head)
{
    const struct builtin *builtin = container_of(handler, struct builtin, handler);

    return is_on_own_listener(peer) ||
           builtin_find(&builtin->config, head->path) != NULL;
}

static enum handler_verdict
builtin_offer(struct handler *handler, struct stream *s, const struct http_head *head)
{
    struct builtin *builtin = container_of(handler, struct builtin, handler);
    const struct stream_handler *found =
        is_on_own_listener(s->peer) ? find_on_own_listener(head->path)
                                    : builtin_find(&builtin->config, head->path);

    if (LIKELY(found == NULL))
        return HANDLER_DECLINED;
    if (!s->is_head && !slice_equal(head->method, slice_of("GET")))
        found = &method_handler;
    s->handler = found;
    s->handler_arg = builtin;
    s->can_tunnel = false;
    s->is_uncounted = true;
    return HANDLER_TAKEN;
}

void
builtin_on_turn(struct builtin *builtin, uint64_t now_ms)
{
    if (LIKELY(now_ms < builtin->note_due_ms))
        return;
    assert(builtin->config.history != NULL);
    history_note(builtin->config.history, builtin->tallies, now_ms);
    builtin->note_due_ms = (now_ms / 1000 + 1) * 1000;
}

bool
builtin_is_on(const struct builtin *builtin)
{
    const struct builtin_config *config = &builtin->config;

    return config->health_path.len > 0 || config->metrics_path.len > 0 ||
           config->status_path.len > 0;
}

void
builtin_init(struct builtin *builtin, const struct builtin_config *config)
{
    assert(builtin->service != NULL && builtin->tallies != NULL);
    assert(builtin->on_due != NULL);
    builtin->handler = (struct handler){.offer = builtin_offer, .is_exempt = is_exempt};
    builtin->config = *config;
    builtin->news_due_ms = TIMER_NEVER;
    /* Only the page reads the history. */
    bool notes = config->history != NULL && config->page.len > 0;
    builtin->note_due_ms = notes ? 0 : TIMER_NEVER;
    list_init(&builtin->watchers);
}
