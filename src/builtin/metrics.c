/* SPDX-License-Identifier: MIT */
/* builtin/metrics.c — the metrics in Prometheus text format 0.0.4. Counters are sums
 * over all seats, including those of workers that have ended; docs/METRICS.md
 * describes each one. */
#include <time.h> /* time */

#include "base/err.h"
#include "builtin/builtin.h"
#include "builtin/text.h"

#define NS_PER_S 1e9

/* A counter, or one of several that differ by a label. */
struct counter {
    const char *name; /* NULL: another one of the previous name */
    const char *labels;
    const char *help;
    unsigned id;
    double unit; /* the factor from the tally's unit */
};

static const struct counter counters[] = {
    {"requests_total", "{status=\"1xx\"}", "Completed requests, by class of status.",
     TALLY_DONE_1, 1},
    {NULL, "{status=\"2xx\"}", NULL, TALLY_DONE_2, 1},
    {NULL, "{status=\"3xx\"}", NULL, TALLY_DONE_3, 1},
    {NULL, "{status=\"4xx\"}", NULL, TALLY_DONE_4, 1},
    {NULL, "{status=\"5xx\"}", NULL, TALLY_DONE_5, 1},
    {NULL, "{status=\"none\"}", NULL, TALLY_DONE, 1},
    {"app_failures_total", "", "Responses that the application did not complete.",
     TALLY_APP_FAILED, 1},
    {"refusals_total", "{reason=\"head\"}",
     "Rejected requests and ended connections, by reason.", TALLY_REFUSED_HEAD, 1},
    {NULL, "{reason=\"body\"}", NULL, TALLY_REFUSED_BODY, 1},
    {NULL, "{reason=\"limit\"}", NULL, TALLY_REFUSED_LIMIT, 1},
    {NULL, "{reason=\"timeout\"}", NULL, TALLY_REFUSED_TIMEOUT, 1},
    {NULL, "{reason=\"tls\"}", NULL, TALLY_REFUSED_TLS, 1},
    {NULL, "{reason=\"http2\"}", NULL, TALLY_REFUSED_HTTP2, 1},
    {NULL, "{reason=\"http3\"}", NULL, TALLY_REFUSED_HTTP3, 1},
    {NULL, "{reason=\"websocket\"}", NULL, TALLY_REFUSED_WEBSOCKET, 1},
    {NULL, "{reason=\"overload\"}", NULL, TALLY_REFUSED_OVERLOAD, 1},
    {NULL, "{reason=\"other\"}", NULL, TALLY_REFUSED_OTHER, 1},
    {"own_requests_total", "", "Requests for health, metrics and status.", TALLY_OWN,
     1},
    {"received_bytes_total", "", "Bytes received, without TLS overhead.",
     TALLY_BYTES_IN, 1},
    {"sent_bytes_total", "", "Bytes sent, without TLS overhead.", TALLY_BYTES_OUT, 1},
    {"compressed_bytes_in_total", "{coding=\"zstd\"}",
     "Bytes of response bodies before compression.", TALLY_CODED_IN_ZSTD, 1},
    {NULL, "{coding=\"br\"}", NULL, TALLY_CODED_IN_BROTLI, 1},
    {NULL, "{coding=\"gzip\"}", NULL, TALLY_CODED_IN_GZIP, 1},
    {"compressed_bytes_out_total", "{coding=\"zstd\"}",
     "Bytes of response bodies after compression.", TALLY_CODED_OUT_ZSTD, 1},
    {NULL, "{coding=\"br\"}", NULL, TALLY_CODED_OUT_BROTLI, 1},
    {NULL, "{coding=\"gzip\"}", NULL, TALLY_CODED_OUT_GZIP, 1},
    {"decompressed_bytes_in_total", "",
     "Bytes of requests before they were decompressed.", TALLY_DECODED_IN, 1},
    {"decompressed_bytes_out_total", "",
     "Bytes of requests after they were decompressed.", TALLY_DECODED_OUT, 1},
    {"connections_accepted_total", "", "Connections accepted.", TALLY_ACCEPTED, 1},
    {"connections_dropped_total", "", "Connections closed for lack of memory.",
     TALLY_DROPPED, 1},
    {"accept_rests_total", "", "Times that the server stopped accepting connections.",
     TALLY_RESTS, 1},
    {"access_log_dropped_total", "", "Access log lines that were dropped.",
     TALLY_LOG_DROPPED, 1},
    {"static_requests_total", "{result=\"kept\"}",
     "Requests below the paths of static files.", TALLY_STATIC_KEPT, 1},
    {NULL, "{result=\"read\"}", NULL, TALLY_STATIC_READ, 1},
    {NULL, "{result=\"none\"}", NULL, TALLY_STATIC_NONE, 1},
    {"cache_requests_total", "{result=\"hit\"}",
     "Requests for which a stored response was looked for.", TALLY_CACHE_HITS, 1},
    {NULL, "{result=\"stale\"}", NULL, TALLY_CACHE_STALE, 1},
    {NULL, "{result=\"revalidated\"}", NULL, TALLY_CACHE_REVALIDATED, 1},
    {NULL, "{result=\"collapsed\"}", NULL, TALLY_CACHE_COLLAPSED, 1},
    {NULL, "{result=\"miss\"}", NULL, TALLY_CACHE_MISSES, 1},
    {"cache_evicted_total", "", "Stored responses that have made room.",
     TALLY_CACHE_EVICTED, 1},
    {"cache_stored_bytes_total", "", "Memory that stored responses have taken.",
     TALLY_CACHE_STORED, 1},
    {"cache_removed_bytes_total", "", "Memory of the cache that was freed again.",
     TALLY_CACHE_REMOVED, 1},
    {"early_data_requests_total", "", "Requests that ran as early data.",
     TALLY_EARLY_REQUESTS, 1},
    {"early_data_rejected_total", "", "Connections whose early data was rejected.",
     TALLY_EARLY_REJECTED, 1},
    {"webtransport_sessions_accepted_total", "", "Accepted sessions of WebTransport.",
     TALLY_WT_ACCEPTED, 1},
    {"webtransport_datagrams_received_total", "",
     "Datagrams of WebTransport that were received.", TALLY_WT_RECEIVED, 1},
    {"webtransport_datagrams_sent_total", "",
     "Datagrams of WebTransport that were sent.", TALLY_WT_SENT, 1},
    {"webtransport_datagrams_dropped_total", "{reason=\"unread\"}",
     "Datagrams of WebTransport that were dropped, by reason.", TALLY_WT_UNREAD, 1},
    {NULL, "{reason=\"unsent\"}", NULL, TALLY_WT_UNSENT, 1},
    {NULL, "{reason=\"length\"}", NULL, TALLY_WT_TOO_LONG, 1},
    {NULL, "{reason=\"session\"}", NULL, TALLY_WT_ORPHANED, 1},
    {"loop_blocked_total", "", "Times that the event loop was blocked too long.",
     TALLY_BLOCKED, 1},
    {"loop_lag_seconds_total", "", "Total delay of expired timers.", TALLY_LAG_NS,
     1 / NS_PER_S},
    {"loop_lag_count_total", "", "Expired timers.", TALLY_LAGS, 1},
    {"gc_seconds_total", "", "Time spent in Python's garbage collector.", TALLY_GC_NS,
     1 / NS_PER_S},
    {"gc_count_total", "", "Garbage collections.", TALLY_GCS, 1},
};

/* Gauges of each worker. */
static const struct counter gauges[] = {
    {"connections", "", "Open connections.", TALLY_CONNECTIONS, 1},
    {"websockets", "", "Open WebSockets and sessions of WebTransport.",
     TALLY_WEBSOCKETS, 1},
    {"webtransport_sessions", "", "Open sessions of WebTransport.", TALLY_WT_SESSIONS,
     1},
    {"requests_running", "", "Requests in progress.", TALLY_RUNNING, 1},
    {"worker_stopping", "", "1 after the worker has begun to stop.", TALLY_STOPPING, 1},
    {"loop_lag_max_seconds", "", "The longest delay of a timer.", TALLY_LAG_MAX,
     1 / NS_PER_S},
    {"gc_max_seconds", "", "The longest garbage collection.", TALLY_GC_MAX,
     1 / NS_PER_S},
};

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
                 (double)tallies_sum(tallies, c->id) * c->unit);
    }
}

static void
add_latency(struct text *text, const struct tallies *tallies)
{
    static const char name[] = "request_duration_seconds";
    uint64_t n = 0;

    add_head(text, name, "Time from receiving a request to the end of its response.",
             "histogram");
    for (unsigned i = 0; i < TALLY_BUCKETS; i++) {
        n += tallies_sum(tallies, TALLY_BUCKET + i);
        if (i < TALLY_BUCKETS - 1)
            text_add(text, "bolide_%s_bucket{le=\"%.9g\"} %llu\n", name,
                     (double)tally_bucket_end_ns(i) / NS_PER_S, (unsigned long long)n);
    }
    text_add(text, "bolide_%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)n);
    text_add(text, "bolide_%s_sum %.17g\nbolide_%s_count %llu\n", name,
             (double)tallies_sum(tallies, TALLY_LATENCY_NS) / NS_PER_S, name,
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

/* Adds a gauge of each worker's process. */
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
    add_head(text, "workers", "Workers that are serving.", "gauge");
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
    add_asked(text, tallies, "worker_age_seconds",
              "Time since the worker began to serve.", age_s);
    add_asked(text, tallies, "worker_resident_bytes", "Resident memory.", rss);
    add_asked(text, tallies, "worker_cpu_seconds", "CPU time used.", cpu_s);
}

/* The process metrics of Prometheus's client libraries, here for all workers
 * together: existing dashboards use these names. */
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
        {"cpu_seconds_total", "counter", "CPU time of all running workers.",
         (double)cpu_ms / 1000},
        {"resident_memory_bytes", "gauge", "Resident memory of all workers.",
         (double)rss_bytes},
        {"open_fds", "gauge", "Open descriptors of all workers.", (double)files},
        {"max_fds", "gauge", "Descriptor limit of each worker.",
         (double)text_max_files()},
        {"start_time_seconds", "gauge",
         "Unix time at which the oldest worker began to serve.",
         started == UINT64_MAX ? 0 : (double)started},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        text_add(text, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s %.17g\n",
                 rows[i].name, rows[i].help, rows[i].name, rows[i].type, rows[i].name,
                 rows[i].value);
}

static void
add_build(struct text *text, const struct builtin_config *config)
{
    add_head(text, "build_info", "Version information; the value is 1.", "gauge");
    text_add(text, "bolide_build_info{%.*s} 1\n", (int)config->labels.len,
             config->labels.ptr != NULL ? config->labels.ptr : "");
    if (config->history == NULL)
        return;
    add_head(text, "worker_deaths_total", "Workers that ended unexpectedly.",
             "counter");
    text_add(text, "bolide_worker_deaths_total %llu\n",
             (unsigned long long)atomic_load(&config->history->deaths.count));
}

static int
metrics_on_request(struct stream *s, const struct http_head *head)
{
    const struct builtin *builtin = s->handler_arg;
    const struct tallies *tallies = builtin->tallies;
    struct text text = {.err = 0};

    (void)head;
    buf_init(&text.buf);
    add_counters(&text, tallies);
    add_latency(&text, tallies);
    add_workers(&text, tallies);
    add_build(&text, &builtin->config);
    add_process(&text, tallies);
    int err = text.err;
    if (err == 0)
        err = builtin_answer(s, 200, "text/plain; version=0.0.4; charset=utf-8",
                             buf_bytes(&text.buf));
    buf_release(&text.buf);
    return err;
}

const struct stream_handler builtin_metrics_handler = {
    .on_request = metrics_on_request,
    .on_body = builtin_ignore_body,
    .on_writable = builtin_ignore_writable,
    .on_close = builtin_ignore_close,
};
