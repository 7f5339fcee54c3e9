/* SPDX-License-Identifier: MIT */
/* builtin/status.c — the status page and its server-sent events (HTML Living
 * Standard 9.2): all numbers once a second, as JSON. */
#include <assert.h> /* assert */
#include <time.h>   /* time */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "builtin/history.h"
#include "builtin/builtin.h"
#include "builtin/text.h"

/* An open page. */
struct watcher {
    struct list_node link; /* in builtin->watchers */
    struct stream *stream; /* borrowed */
};

static void
add_worker(struct text *text, const struct tally *tally, bool is_first)
{
    uint64_t pid = tally_get(tally, TALLY_PID);

    text_add(text, "%s{\"age\":%llu,\"rss\":%llu,\"cpu_ms\":%llu", is_first ? "" : ",",
             (unsigned long long)time(NULL) - tally_get(tally, TALLY_STARTED),
             (unsigned long long)text_rss(pid), (unsigned long long)text_cpu_ms(pid));
    for (unsigned id = 0; id < TALLY_REFUSED; id++)
        text_add(text, ",\"%s\":%llu", tally_name(id),
                 (unsigned long long)tally_get(tally, id));
    text_add(text, "}");
}

static void
add_total(struct text *text, const struct tallies *tallies)
{
    for (unsigned id = TALLY_FIRST_COUNTER; id < TALLY_BUCKET; id++)
        text_add(text, "%s\"%s\":%llu", id == TALLY_FIRST_COUNTER ? "" : ",",
                 tally_name(id), (unsigned long long)tallies_sum(tallies, id));
}

/* Writes one event with the current numbers; with `is_whole` also the identity of
 * the server and the history. */
static void
write_news(struct builtin *builtin, struct text *text, bool is_whole)
{
    const struct tallies *tallies = builtin->tallies;
    const struct builtin_config *config = &builtin->config;
    bool is_first = true;

    text_add(text, "data: {");
    if (is_whole && config->about.len > 0) {
        text_add(text, "\"about\":");
        text_add_bytes(text, config->about);
        text_add(text, ",");
    }
    if (config->history != NULL)
        history_write_deaths(config->history, text);
    if (is_whole && config->history != NULL)
        history_write(config->history, text);
    text_add(text, "\"ms\":%llu,\"time\":%llu,\"workers\":[",
             (unsigned long long)clock_ms(&builtin->service->clock),
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
                 (unsigned long long)tallies_sum(tallies, TALLY_BUCKET + i));
    text_add(text, "]}\n\n");
}

/* A page that reads too slowly misses events. */
static int
status_tell(struct watcher *watcher, struct slice news)
{
    struct chunk chunk = {.bytes = news};
    struct stream *s = watcher->stream;

    if (s->waits_for_writable)
        return 0;
    int err = stream_send_body(s, &chunk, false);
    return err == ERR_AGAIN ? 0 : err;
}

/* When a stream accepts the event or ends, other streams of its connection may end
 * too. Each watcher has been moved to another list before that, from which its end
 * removes it. */
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
            (void)status_tell(watcher, news);
    }
    while (!list_is_empty(&told)) {
        struct list_node *node = told.next;
        list_remove(node);
        list_append(watchers, node);
    }
}

/* Writes an event and sends it to `only`, or to all watchers. */
static int
tell_news(struct builtin *builtin, struct watcher *only)
{
    struct text text = {.err = 0};
    int err = 0;

    buf_init(&text.buf);
    write_news(builtin, &text, only != NULL);
    err = text.err;
    if (err == 0 && only != NULL)
        err = status_tell(only, buf_bytes(&text.buf));
    if (err == 0 && only == NULL)
        tell_all(&builtin->watchers, buf_bytes(&text.buf), false);
    buf_release(&text.buf);
    return err;
}

void
builtin_on_time(struct builtin *builtin)
{
    uint64_t now = clock_ms(&builtin->service->clock);

    assert((builtin->nwatchers == 0) == list_is_empty(&builtin->watchers));
    assert(builtin->nwatchers == 0 || builtin->news_due_ms != TIMER_NEVER);
    if (builtin->news_due_ms == TIMER_NEVER)
        return;
    if (builtin->news_due_ms <= now) {
        (void)tell_news(builtin, NULL);
        builtin->news_due_ms =
            builtin->nwatchers > 0
                ? clock_due(&builtin->service->clock, BUILTIN_NEWS_MS)
                : TIMER_NEVER;
    }
    builtin->on_due(builtin, builtin->news_due_ms);
}

void
builtin_end_watchers(struct builtin *builtin)
{
    tell_all(&builtin->watchers, slice_of(""), true);
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
    struct builtin *builtin = s->handler_arg;
    struct chunk nothing = {.bytes = slice_of("")};

    (void)head;
    if (builtin->nwatchers >= BUILTIN_WATCHERS_MAX || builtin->service->is_draining)
        return builtin_answer(s, 503, "text/plain", slice_of("not now\n"));
    int err = begin_events(s);
    if (err != 0 || s->is_head)
        return err != 0 ? err : stream_send_body(s, &nothing, true);
    struct watcher *watcher = mem_calloc(1, sizeof *watcher);
    if (watcher == NULL)
        return ERR_NOMEM;
    watcher->stream = s;
    s->app = watcher;
    list_append(&builtin->watchers, &watcher->link);
    builtin->nwatchers++;
    if (builtin->news_due_ms == TIMER_NEVER) {
        builtin->news_due_ms = clock_due(&builtin->service->clock, BUILTIN_NEWS_MS);
        builtin->on_due(builtin, builtin->news_due_ms);
    }
    err = tell_news(builtin, watcher);
    /* Waits for the end of the request, to notice that the page was closed. */
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
on_events_close(struct stream *s, int why)
{
    struct builtin *builtin = s->handler_arg;
    struct watcher *watcher = s->app;

    (void)why;
    if (watcher == NULL)
        return;
    assert(watcher->stream == s && builtin->nwatchers > 0);
    s->app = NULL;
    list_remove(&watcher->link);
    builtin->nwatchers--;
    mem_free(watcher);
}

const struct stream_handler builtin_events_handler = {
    .on_request = on_events,
    .on_body = on_events_body,
    .on_writable = builtin_ignore_writable, /* the next event will follow */
    .on_close = on_events_close,
};

static int
on_page(struct stream *s, const struct http_head *head)
{
    const struct builtin *builtin = s->handler_arg;

    (void)head;
    return builtin_answer(s, 200, "text/html; charset=utf-8", builtin->config.page);
}

const struct stream_handler builtin_page_handler = {
    .on_request = on_page,
    .on_body = builtin_ignore_body,
    .on_writable = builtin_ignore_writable,
    .on_close = builtin_ignore_close,
};
