/* SPDX-License-Identifier: MIT */
/* server/status.c — the status page, and the news that it hears by server-sent events
 * (HTML Living Standard 9.2): all numbers once a second, as JSON. */
#include <assert.h> /* assert */
#include <time.h>   /* time */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "server/history.h"
#include "server/inside.h"
#include "server/parts.h"
#include "server/text.h"

/* A page that is open. */
struct watcher {
    struct list_node link; /* in inside->watchers */
    struct stream *stream; /* borrowed */
};

static void
add_worker(struct text *text, const struct tally *tally, bool is_first)
{
    static const struct {
        const char *name;
        unsigned id;
    } parts[] = {
#define STATE(id, name) {name, TALLY_##id},
        TALLY_LIST(STATE)
#undef STATE
    };
    uint64_t pid = tally_get(tally, TALLY_PID);

    text_add(text, "%s{\"age\":%llu,\"rss\":%llu,\"cpu_ms\":%llu", is_first ? "" : ",",
             (unsigned long long)time(NULL) - tally_get(tally, TALLY_STARTED),
             (unsigned long long)text_rss(pid), (unsigned long long)text_cpu_ms(pid));
    for (size_t i = 0; i < COUNT(parts); i++)
        text_add(text, ",\"%s\":%llu", parts[i].name,
                 (unsigned long long)tally_get(tally, parts[i].id));
    text_add(text, "}");
}

static uint64_t
sum(const struct tallies *tallies, unsigned id)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < tallies->n; i++)
        n += tally_get(&tallies->all[i], id);
    return n;
}

static void
add_total(struct text *text, const struct tallies *tallies)
{
    static const char *const names[] = {
#define NAME(id, name) name,
        TALLY_LIST(NAME)
#undef NAME
#define NAME(id, name) "refused_" name,
            TALLY_REFUSED_LIST(NAME)
#undef NAME
    };

    for (unsigned id = TALLY_FIRST_COUNTER; id < COUNT(names); id++)
        text_add(text, "%s\"%s\":%llu", id == TALLY_FIRST_COUNTER ? "" : ",", names[id],
                 (unsigned long long)sum(tallies, id));
}

/* One event: what there is to say now; with `is_whole` also which server this is, and
 * what was before. */
static void
write_news(struct server *server, struct text *text, bool is_whole)
{
    const struct tallies *tallies = &server->config.tallies;
    const struct inside_config *inside = &server->inside.config;
    bool is_first = true;

    text_add(text, "data: {");
    if (is_whole && inside->about.len > 0) {
        text_add(text, "\"about\":");
        text_add_bytes(text, inside->about);
        text_add(text, ",");
    }
    if (inside->history != NULL)
        history_write_deaths(inside->history, text);
    if (is_whole && inside->history != NULL)
        history_write(inside->history, text);
    text_add(text, "\"ms\":%llu,\"time\":%llu,\"workers\":[",
             (unsigned long long)clock_ms(&server->turn.service.clock),
             (unsigned long long)time(NULL));
    for (unsigned i = 0; i < tallies->n; i++) {
        if (tally_get(&tallies->all[i], TALLY_PID) == 0)
            continue;
        add_worker(text, &tallies->all[i], is_first);
        is_first = false;
    }
    text_add(text, "],\"total\":{");
    add_total(text, tallies);
    text_add(text, "},\"latency\":[");
    for (unsigned i = 0; i < TALLY_BUCKETS; i++)
        text_add(text, "%s%llu", i == 0 ? "" : ",",
                 (unsigned long long)sum(tallies, TALLY_BUCKET + i));
    text_add(text, "]}\n\n");
}

/* A page that does not read as fast misses some of it. */
static int
tell(struct watcher *watcher, struct slice news)
{
    struct chunk chunk = {.bytes = news};
    struct stream *s = watcher->stream;

    if (s->waits_for_writable)
        return 0;
    int err = stream_send_body(s, &chunk, false);
    return err == ERR_AGAIN ? 0 : err;
}

/* Whether a stream takes it or ends, others of its connection may end with it: each watcher
 * is in another list by then, out of which its own end takes it. */
static void
tell_all(struct list_node *watchers, struct slice news, bool last)
{
    struct chunk chunk = {.bytes = news};
    struct list_node told;

    list_init(&told);
    while (!list_is_empty(watchers)) {
        struct watcher *watcher = container_of(watchers->next, struct watcher, link);
        list_remove(&watcher->link);
        list_append(&told, &watcher->link);
        if (last)
            (void)!stream_send_body(watcher->stream, &chunk, true);
        else
            (void)tell(watcher, news);
    }
    while (!list_is_empty(&told)) {
        struct list_node *node = told.next;
        list_remove(node);
        list_append(watchers, node);
    }
}

/* Makes the news and tells them to `only`, or to all. */
static int
tell_news(struct server *server, struct watcher *only)
{
    struct text text = {.err = 0};
    int err = 0;

    buf_init(&text.buf);
    write_news(server, &text, only != NULL);
    err = text.err;
    if (err == 0 && only != NULL)
        err = tell(only, buf_bytes(&text.buf));
    if (err == 0 && only == NULL)
        tell_all(&server->inside.watchers, buf_bytes(&text.buf), false);
    buf_release(&text.buf);
    return err;
}

void
inside_on_time(struct server *server)
{
    struct inside *inside = &server->inside;
    uint64_t now = clock_ms(&server->turn.service.clock);

    assert((inside->nwatchers == 0) == list_is_empty(&inside->watchers));
    assert(inside->nwatchers == 0 || inside->news_due_ms != TIMER_NEVER);
    if (inside->news_due_ms == TIMER_NEVER)
        return;
    if (inside->news_due_ms <= now) {
        (void)tell_news(server, NULL);
        inside->news_due_ms =
            inside->nwatchers > 0
                ? clock_due(&server->turn.service.clock, INSIDE_NEWS_MS)
                : TIMER_NEVER;
    }
    turn_note_due(&server->turn, inside->news_due_ms);
}

void
inside_end_watchers(struct server *server)
{
    tell_all(&server->inside.watchers, slice_of(""), true);
}

static int
begin_events(struct stream *s)
{
    struct http_field fields[] = {
        {.name = slice_of("content-type"), .value = slice_of("text/event-stream")},
        {.name = slice_of("cache-control"), .value = slice_of("no-store")},
        {.name = slice_of("x-accel-buffering"), .value = slice_of("no")},
    };
    struct http_response response = {.status = 200, .fields = fields, .nfields = 3};

    return stream_send_head(s, &response);
}

static int
on_events(struct stream *s, const struct http_head *head)
{
    struct server *server = s->handler_arg;
    struct inside *inside = &server->inside;
    struct chunk nothing = {.bytes = slice_of("")};

    (void)head;
    if (inside->nwatchers >= INSIDE_WATCHERS_MAX || server->stage != SERVER_SERVING)
        return inside_answer(s, 503, "text/plain", slice_of("not now\n"));
    int err = begin_events(s);
    if (err != 0 || s->is_head)
        return err != 0 ? err : stream_send_body(s, &nothing, true);
    struct watcher *watcher = mem_calloc(1, sizeof *watcher);
    if (watcher == NULL)
        return ERR_NOMEM;
    watcher->stream = s;
    s->app = watcher;
    list_append(&inside->watchers, &watcher->link);
    inside->nwatchers++;
    if (inside->news_due_ms == TIMER_NEVER) {
        inside->news_due_ms = clock_due(&server->turn.service.clock, INSIDE_NEWS_MS);
        turn_note_due(&server->turn, inside->news_due_ms);
    }
    err = tell_news(server, watcher);
    /* What is asked for is the end: that is how a page that is closed is noticed. */
    if (err == 0)
        (void)!stream_pull_body(s);
    return err;
}

static void
on_events_body(struct stream *s, struct slice bytes, bool last)
{
    (void)bytes;
    if (!last)
        (void)!stream_pull_body(s);
}

static void
on_writable(struct stream *s)
{
    (void)s; /* the next news come in time */
}

static void
on_events_close(struct stream *s, int why)
{
    struct server *server = s->handler_arg;
    struct watcher *watcher = s->app;

    (void)why;
    if (watcher == NULL)
        return;
    assert(watcher->stream == s && server->inside.nwatchers > 0);
    s->app = NULL;
    list_remove(&watcher->link);
    server->inside.nwatchers--;
    mem_free(watcher);
}

const struct stream_handler inside_events_handler = {
    .on_request = on_events,
    .on_body = on_events_body,
    .on_writable = on_writable,
    .on_close = on_events_close,
};

static int
on_page(struct stream *s, const struct http_head *head)
{
    const struct server *server = s->handler_arg;

    (void)head;
    return inside_answer(s, 200, "text/html; charset=utf-8",
                         server->inside.config.page);
}

static void
on_page_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

const struct stream_handler inside_page_handler = {
    .on_request = on_page,
    .on_close = on_page_close,
};
