/* SPDX-License-Identifier: MIT */
/* server/metrics.c — the metrics as Prometheus reads them: text format 0.0.4.  Counters
 * are sums over all seats, of workers that have gone as well; docs/METRICS.md tells what
 * each one means. */
#include <time.h> /* time */

#include "base/err.h"
#include "server/inside.h"
#include "server/parts.h"
#include "server/text.h"

#define NS_PER_S 1e9

/* A counter, or one of some that differ by a label. */
struct counter {
    const char *name; /* NULL: one more of the name before */
    const char *labels;
    const char *help;
    unsigned id;
    double unit; /* what one of the tally's is worth */
};

static const struct counter counters[] = {
    {"requests_total", "{status=\"1xx\"}",
     "Requests that are over, by class of status.", TALLY_DONE_1, 1},
    {NULL, "{status=\"2xx\"}", NULL, TALLY_DONE_2, 1},
    {NULL, "{status=\"3xx\"}", NULL, TALLY_DONE_3, 1},
    {NULL, "{status=\"4xx\"}", NULL, TALLY_DONE_4, 1},
    {NULL, "{status=\"5xx\"}", NULL, TALLY_DONE_5, 1},
    {NULL, "{status=\"none\"}", NULL, TALLY_DONE, 1},
    {"app_failures_total", "", "Answers that the application left undone.",
     TALLY_APP_FAILED, 1},
    {"refusals_total", "{reason=\"head\"}",
     "Peers that were refused or let go, by reason.", TALLY_REFUSED_HEAD, 1},
    {NULL, "{reason=\"body\"}", NULL, TALLY_REFUSED_BODY, 1},
    {NULL, "{reason=\"limit\"}", NULL, TALLY_REFUSED_LIMIT, 1},
    {NULL, "{reason=\"timeout\"}", NULL, TALLY_REFUSED_TIMEOUT, 1},
    {NULL, "{reason=\"tls\"}", NULL, TALLY_REFUSED_TLS, 1},
    {NULL, "{reason=\"http2\"}", NULL, TALLY_REFUSED_HTTP2, 1},
    {NULL, "{reason=\"websocket\"}", NULL, TALLY_REFUSED_WEBSOCKET, 1},
    {NULL, "{reason=\"overload\"}", NULL, TALLY_REFUSED_OVERLOAD, 1},
    {NULL, "{reason=\"other\"}", NULL, TALLY_REFUSED_OTHER, 1},
    {"own_requests_total", "", "Requests for health, metrics and status.", TALLY_OWN,
     1},
    {"received_bytes_total", "", "Bytes received, without TLS.", TALLY_BYTES_IN, 1},
    {"sent_bytes_total", "", "Bytes sent, without TLS.", TALLY_BYTES_OUT, 1},
    {"connections_accepted_total", "", "Connections accepted.", TALLY_ACCEPTED, 1},
    {"connections_dropped_total", "", "Connections that could not be opened.",
     TALLY_DROPPED, 1},
    {"accept_rests_total", "", "Times that accepting rested: no room for more.",
     TALLY_RESTS, 1},
    {"access_log_dropped_total", "", "Lines of the access log that were lost.",
     TALLY_LOG_DROPPED, 1},
    {"loop_blocked_total", "", "Times that the event loop was blocked too long.",
     TALLY_BLOCKED, 1},
    {"loop_lag_seconds_total", "", "How late deadlines were looked at, in all.",
     TALLY_LAG_NS, 1 / NS_PER_S},
    {"loop_lag_count_total", "", "Deadlines that were looked at.", TALLY_LAGS, 1},
    {"gc_seconds_total", "", "Pauses for Python's garbage collector, in all.",
     TALLY_GC_NS, 1 / NS_PER_S},
    {"gc_count_total", "", "Runs of Python's garbage collector.", TALLY_GCS, 1},
};

/* Present state, of each worker. */
static const struct counter gauges[] = {
    {"connections", "", "Connections that are open.", TALLY_CONNECTIONS, 1},
    {"websockets", "", "WebSockets that are open.", TALLY_WEBSOCKETS, 1},
    {"requests_running", "", "Requests that run.", TALLY_RUNNING, 1},
    {"worker_stopping", "", "1: the worker's stop has begun.", TALLY_STOPPING, 1},
    {"loop_lag_max_seconds", "", "The latest that a deadline was looked at.",
     TALLY_LAG_MAX, 1 / NS_PER_S},
    {"gc_max_seconds", "", "The longest pause for the garbage collector.", TALLY_GC_MAX,
     1 / NS_PER_S},
};

static uint64_t
sum(const struct tallies *tallies, unsigned id)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < tallies->n; i++)
        n += tally_get(&tallies->all[i], id);
    return n;
}

static void
add_head(struct text *text, const char *name, const char *help, const char *type)
{
    text_add(text, "# HELP bolide_%s %s\n# TYPE bolide_%s %s\n", name, help, name,
             type);
}

static void
add_counters(struct text *text, const struct tallies *tallies)
{
    const char *name = "";

    for (size_t i = 0; i < COUNT(counters); i++) {
        const struct counter *c = &counters[i];
        if (c->name != NULL) {
            name = c->name;
            add_head(text, name, c->help, "counter");
        }
        text_add(text, "bolide_%s%s %.17g\n", name, c->labels,
                 (double)sum(tallies, c->id) * c->unit);
    }
}

static void
add_latency(struct text *text, const struct tallies *tallies)
{
    static const char name[] = "request_duration_seconds";
    uint64_t n = 0;

    add_head(text, name, "From a request's turn to the end of its answer.",
             "histogram");
    for (unsigned i = 0; i < TALLY_BUCKETS; i++) {
        n += sum(tallies, TALLY_BUCKET + i);
        if (i < TALLY_BUCKETS - 1)
            text_add(text, "bolide_%s_bucket{le=\"%.9g\"} %llu\n", name,
                     (double)tally_bucket_end_ns(i) / NS_PER_S, (unsigned long long)n);
    }
    text_add(text, "bolide_%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)n);
    text_add(text, "bolide_%s_sum %.17g\nbolide_%s_count %llu\n", name,
             (double)sum(tallies, TALLY_LATENCY_NS) / NS_PER_S, name,
             (unsigned long long)n);
}

static void
add_of_worker(struct text *text, const char *name, uint64_t pid, double value)
{
    text_add(text, "bolide_%s{pid=\"%llu\"} %.17g\n", name, (unsigned long long)pid,
             value);
}

static double
age_s(const struct tally *tally)
{
    return (double)((uint64_t)time(NULL) - tally_get(tally, TALLY_STARTED));
}

static double
rss(const struct tally *tally)
{
    return (double)text_rss(tally_get(tally, TALLY_PID));
}

static double
cpu_s(const struct tally *tally)
{
    return (double)text_cpu_ms(tally_get(tally, TALLY_PID)) / 1000;
}

/* What is asked of each worker's process. */
static void
add_asked(struct text *text, const struct tallies *tallies, const char *name,
          const char *help, double (*ask)(const struct tally *tally))
{
    add_head(text, name, help, "gauge");
    for (unsigned i = 0; i < tallies->n; i++) {
        uint64_t pid = tally_get(&tallies->all[i], TALLY_PID);
        if (pid != 0)
            add_of_worker(text, name, pid, ask(&tallies->all[i]));
    }
}

static void
add_workers(struct text *text, const struct tallies *tallies)
{
    unsigned n = 0;

    for (unsigned i = 0; i < tallies->n; i++)
        n += tally_get(&tallies->all[i], TALLY_PID) != 0;
    add_head(text, "workers", "Workers that serve.", "gauge");
    text_add(text, "bolide_workers %u\n", n);
    for (size_t g = 0; g < COUNT(gauges); g++) {
        add_head(text, gauges[g].name, gauges[g].help, "gauge");
        for (unsigned i = 0; i < tallies->n; i++) {
            const struct tally *tally = &tallies->all[i];
            uint64_t pid = tally_get(tally, TALLY_PID);
            if (pid != 0)
                add_of_worker(text, gauges[g].name, pid,
                              (double)tally_get(tally, gauges[g].id) * gauges[g].unit);
        }
    }
    add_asked(text, tallies, "worker_age_seconds", "Since the worker began to serve.",
              age_s);
    add_asked(text, tallies, "worker_resident_bytes", "Memory that is resident.", rss);
    add_asked(text, tallies, "worker_cpu_seconds", "CPU time used.", cpu_s);
}

/* The names that Prometheus's own libraries give a process, here of all workers together:
 * dashboards that others have made know them. */
static void
add_process(struct text *text, const struct tallies *tallies)
{
    uint64_t rss_bytes = 0, cpu_ms = 0, files = 0, started = UINT64_MAX;

    for (unsigned i = 0; i < tallies->n; i++) {
        const struct tally *tally = &tallies->all[i];
        uint64_t pid = tally_get(tally, TALLY_PID);
        if (pid == 0)
            continue;
        rss_bytes += text_rss(pid);
        cpu_ms += text_cpu_ms(pid);
        files += text_open_files(pid);
        uint64_t its = tally_get(tally, TALLY_STARTED);
        started = its < started ? its : started;
    }
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"cpu_seconds_total", "counter", "CPU time used, by all workers that live.",
         (double)cpu_ms / 1000},
        {"resident_memory_bytes", "gauge", "Memory that is resident, of all workers.",
         (double)rss_bytes},
        {"open_fds", "gauge", "Descriptors that are open, of all workers.",
         (double)files},
        {"max_fds", "gauge", "Descriptors that each worker may have open.",
         (double)text_max_files()},
        {"start_time_seconds", "gauge", "When the oldest worker began to serve.",
         started == UINT64_MAX ? 0 : (double)started},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        text_add(text, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s %.17g\n",
                 rows[i].name, rows[i].help, rows[i].name, rows[i].type, rows[i].name,
                 rows[i].value);
}

static void
add_build(struct text *text, const struct inside_config *config)
{
    add_head(text, "build_info", "Which bolide this is; the value is 1.", "gauge");
    text_add(text, "bolide_build_info{%.*s} 1\n", (int)config->labels.len,
             config->labels.ptr != NULL ? config->labels.ptr : "");
    if (config->history == NULL)
        return;
    add_head(text, "worker_deaths_total", "Workers that ended without being told to.",
             "counter");
    text_add(text, "bolide_worker_deaths_total %llu\n",
             (unsigned long long)atomic_load(&config->history->deaths.count));
}

static int
on_request(struct stream *s, const struct http_head *head)
{
    const struct server *server = s->handler_arg;
    const struct tallies *tallies = &server->config.tallies;
    struct text text = {.err = 0};

    (void)head;
    buf_init(&text.buf);
    add_counters(&text, tallies);
    add_latency(&text, tallies);
    add_workers(&text, tallies);
    add_build(&text, &server->inside.config);
    add_process(&text, tallies);
    int err = text.err;
    if (err == 0)
        err = inside_answer(s, 200, "text/plain; version=0.0.4; charset=utf-8",
                            buf_bytes(&text.buf));
    buf_release(&text.buf);
    return err;
}

static void
on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

const struct stream_handler inside_metrics_handler = {
    .on_request = on_request,
    .on_close = on_close,
};
