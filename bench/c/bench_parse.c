/* SPDX-License-Identifier: MIT */
/* bench/c/bench_parse.c — the cost of the parser and of related functions, in ns per
 * call: the best of several rounds, on whatever core it runs. */
#include <stdio.h>  /* printf */
#include <stdlib.h> /* exit */
#include <time.h>   /* clock_gettime */

#include "base/compiler.h"
#include "http/limits.h"
#include "http/target.h"
#include "http1/chunked.h"
#include "http1/framing.h"
#include "http1/parse.h"

#define NROUNDS 15
#define NCALLS 200000
#define NFIELDS_MAX 128

/* What a load generator sends, and what a browser sends. */
static const char hello[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
static const char browser[] =
    "GET / HTTP/1.1\r\n"
    "Host: 127.0.0.1:8000\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n"
    "Cache-Control: max-age=0\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=eyJ1c2VyIjoxMjM0NTY3ODkwfQ.ZnB1aA.kq3vYkqv3bG5; "
    "_ga=GA1.1.1234567890.1700000000; theme=dark\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Upgrade-Insecure-Requests: 1\r\n\r\n";

static const struct http_limits limits = {
    .request_line_bytes = 16384,
    .head_bytes = 65536,
    .fields = NFIELDS_MAX,
    .trailer_bytes = 8192,
    .trailer_fields = 64,
    .chunk_overhead_bytes = 65536,
};

static double
now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* The arguments of one call; `scan` if it matters. */
struct load {
    const struct h1_scan *scan;
    struct slice in;
};

static size_t
parse_only(const struct load *load)
{
    struct http_field fields[NFIELDS_MAX];
    struct http_head head = {.fields = fields, .nfields_max = NFIELDS_MAX};
    struct h1_progress progress = {0};
    return (size_t)h1_parse_head(load->scan, &limits, load->in, &progress, &head);
}

static size_t
parse_and_frame(const struct load *load)
{
    struct http_field fields[NFIELDS_MAX];
    struct http_head head = {.fields = fields, .nfields_max = NFIELDS_MAX};
    struct h1_progress progress = {0};
    if (h1_parse_head(load->scan, &limits, load->in, &progress, &head) < 0 ||
        h1_frame_request(&head) != 0)
        exit(1);
    return head.nfields + head.path.len;
}

static size_t
look_up(const struct load *load)
{
    return field_lookup(load->in);
}

static size_t
check_plain(const struct load *load)
{
    return target_is_plain(load->in);
}

static size_t
check_host(const struct load *load)
{
    return target_is_host(load->in);
}

static size_t
decode_chunked(const struct load *load)
{
    struct h1_chunked c = {0};
    struct slice in = load->in, data;
    while (h1_chunked_decode(&c, &limits, &in, &data) == 0 && !c.ended)
        ;
    return (size_t)c.body_bytes;
}

/* Prints the best round of `call`. */
static void
measure(const char *about, size_t (*call)(const struct load *), const struct load *load)
{
    double best = 1e9;
    volatile size_t sink = 0;
    for (int round = 0; round < NROUNDS; round++) {
        double start = now_ns();
        for (int i = 0; i < NCALLS; i++)
            sink += call(load);
        double ns = (now_ns() - start) / NCALLS;
        best = ns < best ? ns : best;
    }
    printf("%8.1f ns  %s\n", best, about);
}

int
main(void)
{
    char about[80];
    for (int i = 0; h1_scan_nth(i) != NULL; i++) {
        const struct h1_scan *scan = h1_scan_nth(i);
        const struct load loads[] = {{scan, slice_of(hello)},
                                     {scan, slice_of(browser)}};
        const char *const names[] = {"hello", "browser"};
        for (size_t k = 0; k < COUNT(loads); k++) {
            snprintf(about, sizeof about, "%s, %zu bytes, parse, %s", names[k],
                     loads[k].in.len, scan->name);
            measure(about, parse_only, &loads[k]);
            snprintf(about, sizeof about, "%s, %zu bytes, parse and frame, %s",
                     names[k], loads[k].in.len, scan->name);
            measure(about, parse_and_frame, &loads[k]);
        }
    }
    measure("field_lookup, Host", look_up, &(struct load){NULL, slice_of("Host")});
    measure("field_lookup, Upgrade-Insecure-Requests", look_up,
            &(struct load){NULL, slice_of("Upgrade-Insecure-Requests")});
    measure("field_lookup, X-Unknown", look_up,
            &(struct load){NULL, slice_of("X-Unknown")});
    measure("target_is_plain, 30 bytes", check_plain,
            &(struct load){NULL, slice_of("/api/v1/users/1234567890/orders")});
    measure("target_is_host, 127.0.0.1:8000", check_host,
            &(struct load){NULL, slice_of("127.0.0.1:8000")});
    measure("chunked, two chunks of 5", decode_chunked,
            &(struct load){NULL, slice_of("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")});
    return 0;
}
