/* SPDX-License-Identifier: MIT */
/* server/inside.c — see inside.h for the contract. */
#include "server/inside.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/timer.h"
#include "server/parts.h"

#define TEXT "text/plain; charset=utf-8"

int
inside_answer(struct stream *s, int status, const char *type, struct slice body)
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

/* Whether the request asks whether the server lives, not whether it is ready. */
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
    const struct server *server = s->handler_arg;

    if (asks_live(head) || !server->turn.service.is_leaving)
        return inside_answer(s, 200, TEXT, slice_of("ok\n"));
    return inside_answer(s, 503, TEXT, slice_of("draining\n"));
}

static int
on_missing(struct stream *s, const struct http_head *head)
{
    (void)head;
    return inside_answer(s, 404, TEXT, slice_of("/health /metrics / /events\n"));
}

static int
on_wrong_method(struct stream *s, const struct http_head *head)
{
    (void)head;
    return inside_answer(s, 405, TEXT, slice_of("GET or HEAD\n"));
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    (void)last;
}

static void
on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static const struct stream_handler health_handler = {
    .on_request = on_health,
    .on_body = on_body,
    .on_close = on_close,
};
static const struct stream_handler missing_handler = {
    .on_request = on_missing,
    .on_body = on_body,
    .on_close = on_close,
};
static const struct stream_handler method_handler = {
    .on_request = on_wrong_method,
    .on_body = on_body,
    .on_close = on_close,
};

/* What of `path` is below `place`; false when it is not there at all. */
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
find(const struct inside_config *config, struct slice path)
{
    struct slice rest;

    if (is_health(path, config->health_path))
        return &health_handler;
    if (config->metrics_path.len > 0 && slice_equal(path, config->metrics_path))
        return &inside_metrics_handler;
    if (!is_below(path, config->status_path, &rest))
        return NULL;
    if (rest.len == 0)
        return &inside_page_handler;
    return slice_equal(rest, slice_of("/events")) ? &inside_events_handler : NULL;
}

static const struct stream_handler *
find_on_own_door(struct slice path)
{
    if (is_health(path, slice_of("/health")))
        return &health_handler;
    if (slice_equal(path, slice_of("/metrics")))
        return &inside_metrics_handler;
    if (slice_equal(path, slice_of("/")))
        return &inside_page_handler;
    return slice_equal(path, slice_of("/events")) ? &inside_events_handler
                                                  : &missing_handler;
}

static bool
is_own(struct service *service, const struct http_head *head)
{
    struct turn *turn = container_of(service, struct turn, service);
    struct server *server = container_of(turn, struct server, turn);

    return find(&server->inside.config, head->path) != NULL;
}

static void
pick(struct service *service, struct stream *s, const struct http_head *head)
{
    struct turn *turn = container_of(service, struct turn, service);
    struct server *server = container_of(turn, struct server, turn);
    const struct endpoint *endpoint = s->peer->endpoint;
    const struct stream_handler *found = endpoint != NULL && endpoint->is_inside
                                             ? find_on_own_door(head->path)
                                             : find(&server->inside.config, head->path);

    if (LIKELY(found == NULL))
        return;
    if (!s->is_head && !slice_equal(head->method, slice_of("GET")))
        found = &method_handler;
    s->handler = found;
    s->handler_arg = server;
    s->can_tunnel = false;
}

void
inside_on_turn(struct server *server, uint64_t now_ms)
{
    struct inside *inside = &server->inside;

    if (LIKELY(now_ms < inside->note_due_ms))
        return;
    assert(inside->config.history != NULL);
    history_note(inside->config.history, &server->config.tallies, now_ms);
    inside->note_due_ms = (now_ms / 1000 + 1) * 1000;
}

void
inside_open_door(struct server *server)
{
    server->turn.service.pick = pick;
    server->turn.service.is_own = is_own;
}

void
inside_init(struct server *server, const struct inside_config *config)
{
    struct inside *inside = &server->inside;

    inside->config = *config;
    inside->news_due_ms = TIMER_NEVER;
    /* Nobody looks where there is no page. */
    bool notes = config->history != NULL && config->page.len > 0;
    inside->note_due_ms = notes ? 0 : TIMER_NEVER;
    list_init(&inside->watchers);
    if (config->health_path.len > 0 || config->metrics_path.len > 0 ||
        config->status_path.len > 0)
        inside_open_door(server);
}
