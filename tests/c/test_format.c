/* SPDX-License-Identifier: MIT */
/* tests/c/test_format.c — formats of the access log, and the lines they produce. */
#include "log/line.c"

#include <stdlib.h> /* malloc */

#include "base/err.h"
#include "base/mem.h"
#include "random.h"
#include "tap.h"

#define NOTE_BYTES 8192

/* A completed exchange, with all that a line can contain. */
struct example {
    struct stream s;
    struct endpoint endpoint;
    struct peer peer;
    struct http_field fields[3];
    struct http_head head;
    struct clock_stamp stamp;
    struct format_facts facts;
    _Alignas(8) char note[NOTE_BYTES];
    char line[FORMAT_LINE_BYTES + FORMAT_SLACK];
};

static struct example *
example_new(void)
{
    struct example *e = mem_calloc(1, sizeof *e);

    e->peer = (struct peer){
        .endpoint = &e->endpoint,
        .addr = {.kind = PEER_IPV4, .bytes = {192, 0, 2, 10}, .port = 54321}};
    e->s = (struct stream){.peer = &e->peer,
                           .note = e->note,
                           .version = HTTP_1_1,
                           .status = 200,
                           .body_sent = 13,
                           .body_received = 5};
    e->fields[0] = (struct http_field){slice_of("Host"), slice_of("a"), FIELD_HOST};
    e->fields[1] =
        (struct http_field){slice_of("User-Agent"), slice_of("b\"c"), FIELD_USER_AGENT};
    e->fields[2] = (struct http_field){slice_of("X-Own"), slice_of("d"), FIELD_OTHER};
    e->head = (struct http_head){.method = slice_of("GET"),
                                 .target = slice_of("/x?y=z"),
                                 .fields = e->fields,
                                 .nfields = 3};
    e->head.path = slice_first(e->head.target, 2);
    memcpy(e->stamp.common, "25/Nov/2026:09:39:11 +0000", 27);
    memcpy(e->stamp.iso, "2026-11-25T09:39:11.123+00:00", 30);
    e->facts = (struct format_facts){.stamp = &e->stamp, .pid = 42};
    return e;
}

/* The line of `e` without its newline, NUL-terminated in e->line. */
static const char *
line_of(struct example *e, const char *text, bool colors)
{
    char why[FORMAT_WHY_BYTES];
    struct format *format;
    if (format_new(slice_of(text), colors, &format, why) != 0) {
        snprintf(e->line, sizeof e->line, "no format: %s", why);
        return e->line;
    }
    ok(format_note_bytes(format) <= NOTE_BYTES, "the note fits");
    format_note(format, &e->s, &e->head);
    if (e->s.on_head != NULL) {
        struct http_field field = {slice_of("X-Answer"), slice_of("yes"), FIELD_OTHER};
        struct http_response res = {.status = 200, .fields = &field, .nfields = 1};
        e->s.on_head(&e->s, &res);
        e->s.on_head = NULL;
    }
    size_t n = format_line(format, &e->s, &e->facts, e->line);
    ok(n <= FORMAT_LINE_BYTES && e->line[n - 1] == '\n', "one line ends");
    e->line[n - 1] = '\0';
    format_free(format);
    return e->line;
}

static void
test_named_formats(void)
{
    struct example *e = example_new();

    is_text(
        line_of(e, "common", false),
        "192.0.2.10 - - [25/Nov/2026:09:39:11 +0000] \"GET /x?y=z HTTP/1.1\" 200 13",
        "common");
    is_text(line_of(e, "combined", false),
            "192.0.2.10 - - [25/Nov/2026:09:39:11 +0000] \"GET /x?y=z HTTP/1.1\" 200 13"
            " \"-\" \"b\\x22c\"",
            "combined");
    const char *json = line_of(e, "json", false);
    const char *ends = strstr(json, ",\"host\"");
    static const char begins[] =
        "{\"time\":\"2026-11-25T09:39:11.123+00:00\",\"client\":\"192.0.2.10\","
        "\"port\":54321,\"method\":\"GET\",\"path\":\"/x\",\"query\":\"y=z\","
        "\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes_in\":5,"
        "\"bytes_out\":13,\"duration_us\":";
    ok(strncmp(json, begins, sizeof begins - 1) == 0, "json: %s", json);
    is_text(ends == NULL ? "" : ends,
            ",\"host\":\"a\",\"user_agent\":\"b\\\"c\",\"pid\":42}", "its end");
    mem_free(e);
}

static void
test_atoms(void)
{
    static const struct {
        const char *format, *line;
    } rows[] = {
        {"", ""},
        {"a%%b", "a%b"},
        {"%%%(s)s%%", "%200%"},
        {"%(h)s|%(remote_addr)s|%(client)s|%(remote_port)d|%(client_addr)s",
         "192.0.2.10|192.0.2.10|192.0.2.10|54321|192.0.2.10:54321"},
        {"%(l)s %(u)s", "- -"},
        {"%(t)s", "[25/Nov/2026:09:39:11 +0000]"},
        {"%(time)s", "2026-11-25T09:39:11.123+00:00"},
        {"%(r)s|%(R)s|%(request_line)s",
         "GET /x?y=z HTTP/1.1|GET /x?y=z HTTP/1.1|GET /x?y=z HTTP/1.1"},
        {"%(m)s %(U)s %(q)s %(Uq)s %(H)s %(http_version)s",
         "GET /x y=z /x?y=z HTTP/1.1 1.1"},
        {"%(S)s %(s)s %(st)s", "http 200 OK"},
        {"%(b)s %(B)s %(bytes_in)s", "13 13 5"},
        {"%(p)s %(pid)s", "<42> 42"},
        {"%({host}i)s %({Host}i)s %({x-own}i)s %({none}i)s", "a a d -"},
        {"%({x-answer}o)s %({x-own}o)s", "yes -"},
        {"[%(h)j,%(s)j,%(r)j,%({none}i)j,%(u)j]",
         "[\"192.0.2.10\",200,\"GET /x?y=z HTTP/1.1\",null,null]"},
        {"{\"a\":%(s)j,\"b\":%({none}i)J,\"c\":%({host}i)J,\"d\":%(u)J}",
         "{\"a\":200,\"c\":\"a\"}"},
        {"%(m)s?%(q)J%(u)J|%(upstream)J", "GET?\"y=z\""},
        {"{\"ua\":\"%({user-agent}i)s\"}", "{\"ua\":\"b\\\"c\"}"},
        {"%({user-agent}i)s", "b\\x22c"},
        {"[%({user-agent}i)j,%(a)j]", "[\"b\\\"c\",\"b\\\"c\"]"},
        {"%({user-agent}i)s %({user-agent}i)j%(a)J", "b\\x22c \"b\\\"c\"\"b\\\"c\""},
        {"%(f)s %(a)s %({user-agent}i)s", "- b\\x22c b\\x22c"},
    };
    struct example *e = example_new();

    for (size_t i = 0; i < COUNT(rows); i++)
        is_text(line_of(e, rows[i].format, false), rows[i].line, "%s", rows[i].format);
    mem_free(e);
}

static void
test_what_depends_on_the_exchange(void)
{
    struct example *e = example_new();

    e->s.status = 0;
    is_text(line_of(e, "%(s)s", false), "499", "no response has begun");
    e->s.status = 204;
    is_text(line_of(e, "%(B)s %(b)s", false), "0 -", "a response without a body");
    e->s.status = 200;
    e->s.is_head = true;
    is_text(line_of(e, "%(B)s", false), "0", "a response to HEAD");
    e->s.is_head = false;
    e->s.version = HTTP_2;
    is_text(line_of(e, "%(H)s %(http_version)s", false), "HTTP/2 2", "HTTP/2");
    e->peer.addr.kind = PEER_NONE;
    is_text(line_of(e, "%(h)s %(client_addr)s", false), "unix unix", "a Unix socket");
    e->peer.addr =
        (struct peer_addr){.kind = PEER_IPV6, .bytes = {[15] = 1}, .port = 8};
    is_text(line_of(e, "%(h)s %(client_addr)s", false), "::1 [::1]:8", "IPv6");
    struct forwarded told = {
        .client = {.kind = PEER_IPV4, .bytes = {198, 51, 100, 7}, .port = 0},
        .has_client = true,
        .has_scheme = true,
        .is_secure = true,
        .queued_us = 1500,
        .id = "abc",
        .id_bytes = 3,
        .trace_id = "0af7651916cd43dd8448eb211c80319c",
        .parent_id = "b7ad6b7169203331"};
    e->s.forwarded = &told;
    is_text(line_of(e, "%(h)s %(upstream)s %(S)s %(queue_us)s %(request_id)s", false),
            "198.51.100.7 [::1]:8 https 1500 abc", "what a proxy forwards");
    is_text(line_of(e, "%(trace_id)s %(parent_id)j", false),
            "0af7651916cd43dd8448eb211c80319c \"b7ad6b7169203331\"", "and traces");
    e->s.forwarded = NULL;
    is_text(line_of(e, "%(upstream)s %(queue_us)s %(request_id)s %(trace_id)s", false),
            "- - - -", "it does not");
    e->s.started_ns = 1000000;
    e->facts.now_ns = 2501234567;
    is_text(line_of(e, "%(T)s %(M)s %(D)s %(L)s", false), "2 2500 2500234 2.500234",
            "how long it took");
    e->head.target = slice_of("http://a/x?y=z");
    e->head.path = slice_cut(e->head.target, 8, 10);
    is_text(line_of(e, "%(U)s %(q)s %(Uq)s", false), "/x y=z http://a/x?y=z",
            "the absolute form");
    e->head.target = e->head.path = slice_of("/x");
    is_text(line_of(e, "[%(q)s|%(q)j|\"q\":%(q)J]", false), "[|\"\"]", "no query");
    mem_free(e);
}

static void
test_what_the_cache_has_done(void)
{
    static const char *const words[] = {
        [STREAM_UNCACHED] = "-",          [STREAM_HIT] = "hit",
        [STREAM_STALE] = "stale",         [STREAM_REVALIDATED] = "revalidated",
        [STREAM_COLLAPSED] = "collapsed", [STREAM_MISS] = "miss",
        [STREAM_PASSED] = "pass",
    };
    struct example *e = example_new();

    for (size_t i = 0; i < COUNT(words); i++) {
        e->s.cached = (uint8_t)i;
        is_text(line_of(e, "%(cache_status)s", false), words[i], "%s", words[i]);
    }
    mem_free(e);
}

static void
test_a_status_has_a_color(void)
{
    static const struct {
        uint16_t status;
        const char *line;
    } rows[] = {
        {101, "\x1b[36m101\x1b[0m"}, {204, "\x1b[32m204\x1b[0m"},
        {301, "\x1b[36m301\x1b[0m"}, {404, "\x1b[33m404\x1b[0m"},
        {500, "\x1b[31m500\x1b[0m"}, {999, "999"},
    };
    struct example *e = example_new();

    for (size_t i = 0; i < COUNT(rows); i++) {
        e->s.status = rows[i].status;
        is_text(line_of(e, "%(s)s", true), rows[i].line, "%d", rows[i].status);
    }
    e->s.status = 200;
    is_text(line_of(e, "{%(s)s}", true), "{200}", "none in JSON");
    is_text(line_of(e, "[%(s)j] %(s)J", true), "[200] 200", "in any format");
    mem_free(e);
}

static void
test_invalid_formats(void)
{
    static const struct {
        const char *format, *line;
    } rows[] = {
        {"%(x)s", "no format: unknown: %(x)s"},
        {"%()s", "no format: unknown: %()s"},
        {"%h", "no format: a % that begins no %(name)s"},
        {"%", "no format: a % that begins no %(name)s"},
        {"%(h", "no format: a % that begins no %(name)s"},
        {"%(h)", "no format: behind %(h) comes no s, d, f, j or J"},
        {"%(h)x", "no format: behind %(h) comes no s, d, f, j or J"},
        {"%({a}x)s", "no format: unknown: %({a}x)s"},
        {"%({}i)s", "no format: unknown: %({}i)s"},
        {"%({a b}i)s", "no format: no field's name: a b"},
        {"a\nb", "no format: a control character"},
    };
    struct example *e = example_new();

    for (size_t i = 0; i < COUNT(rows); i++)
        is_text(line_of(e, rows[i].format, false), rows[i].line, "%s", rows[i].format);

    char many[FORMAT_TEXT_BYTES] = "";
    for (size_t i = 0; i < FORMAT_FIELDS + 1; i++)
        snprintf(many + strlen(many), 16, "%%({x%zu}i)s", i);
    is_text(line_of(e, many, false), "no format: more than 16 fields", "17 fields");
    many[0] = '\0';
    for (size_t i = 0; i < 60; i++)
        snprintf(many + strlen(many), 32, "%%(client_addr)s");
    is_text(line_of(e, many, false), "no format: its lines are too long",
            "60 addresses");
    many[0] = '\0';
    for (size_t i = 0; i < FORMAT_ATOMS + 1; i++)
        snprintf(many + strlen(many), 8, "%%(s)s");
    is_text(line_of(e, many, false), "no format: more than 64 atoms", "65 atoms");
    static char longer[FORMAT_TEXT_BYTES + 2];
    memset(longer, 'a', sizeof longer - 1);
    is_text(line_of(e, longer, false), "no format: more than 2048 bytes",
            "a long text");
    mem_free(e);
}

/* No client can make a line longer than FORMAT_LINE_BYTES, or its JSON invalid. */
static void
test_the_longest_lines_are_cut(void)
{
    struct example *e = example_new();
    char target[20000], value[2000];

    memset(target, '"', sizeof target);
    memset(value, '\x1b', sizeof value);
    e->head.target = slice_new(target, sizeof target);
    e->head.path = e->head.target;
    e->head.method = slice_new(value, sizeof value);
    e->fields[1].value = slice_new(value, sizeof value);
    e->fields[0].value = slice_new(value, sizeof value);
    static const char *const formats[] = {
        "json", "combined", "{\"a\":%(r)j,\"b\":%(r)j,\"c\":%(r)j,\"d\":%({host}i)j}"};
    for (size_t i = 0; i < COUNT(formats); i++) {
        const char *line = line_of(e, formats[i], false);
        size_t n = strlen(line);
        ok(n > 2000 && n < FORMAT_LINE_BYTES, "%s: %zu bytes", formats[i], n);
        ok(line[n - 1] == (i == 1 ? '"' : '}'), "it is closed");
    }
    mem_free(e);
}

/* Skips one JSON value of a line; NULL if there is none. */
static const char *
skip_value(const char *p)
{
    if (strncmp(p, "null", 4) == 0)
        return p + 4;
    if (*p != '"') {
        size_t n = strspn(p, "0123456789.");
        return n > 0 ? p + n : NULL;
    }
    for (p++; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            return NULL;
        if (*p != '\\')
            continue;
        p++;
        if (*p == 'u' && strspn(p + 1, "0123456789ABCDEF") >= 4)
            p += 4;
        else if (*p != '"' && *p != '\\')
            return NULL;
    }
    return p + 1;
}

/* Whether `line` is an array of `n` values. */
static bool
is_array(const char *line, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (*line++ != (i == 0 ? '[' : ','))
            return false;
        line = skip_value(line);
        if (line == NULL)
            return false;
    }
    return strcmp(line, "]") == 0;
}

static struct slice
random_bytes(uint64_t *random, char *at, size_t most)
{
    size_t n = random_below(random, most);

    for (size_t i = 0; i < n; i++)
        at[i] = (char)(random_below(random, 4) == 0 ? "\"\\\n%"[random_below(random, 4)]
                                                    : (int)random_below(random, 256));
    return slice_new(at, n);
}

/* The result is one line, and if all atoms are JSON values it can be parsed. */
static void
test_any_bytes_in_any_atom(void)
{
    static const char *const names[] = {"h",
                                        "remote_port",
                                        "client_addr",
                                        "u",
                                        "t",
                                        "time",
                                        "r",
                                        "m",
                                        "Uq",
                                        "U",
                                        "q",
                                        "H",
                                        "http_version",
                                        "S",
                                        "s",
                                        "st",
                                        "b",
                                        "B",
                                        "T",
                                        "L",
                                        "p",
                                        "pid",
                                        "f",
                                        "a",
                                        "{x-own}i",
                                        "{x-answer}o",
                                        "request_id",
                                        "queue_us",
                                        "upstream"};
    struct example *e = example_new();
    uint64_t random = 17;
    char text[FORMAT_TEXT_BYTES], room[4][1500];
    unsigned bad = 0;

    for (int round = 0; round < 3000; round++) {
        unsigned n = 1 + (unsigned)random_below(&random, 12);
        size_t len = 0;
        for (unsigned i = 0; i < n; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%c%%(%s)j",
                                    i == 0 ? '[' : ',',
                                    names[random_below(&random, COUNT(names))]);
        snprintf(text + len, sizeof text - len, "]");
        e->head.method = random_bytes(&random, room[0], 40);
        e->head.target = random_bytes(&random, room[1], 1400);
        size_t path = random_below(&random, e->head.target.len + 1);
        e->head.path = slice_first(e->head.target, path);
        e->fields[1].value = random_bytes(&random, room[2], 400);
        e->fields[2].value = random_bytes(&random, room[3], 400);
        e->s.status = (uint16_t)(random_below(&random, 2) * 404);
        if (!is_array(line_of(e, text, random_below(&random, 2) != 0), n) && bad++ < 3)
            printf("# %s made %s\n", text, e->line);
    }
    is(bad, 0, "all lines can be read");
    mem_free(e);
}

int
main(void)
{
    test_any_bytes_in_any_atom();
    test_named_formats();
    test_atoms();
    test_what_depends_on_the_exchange();
    test_what_the_cache_has_done();
    test_a_status_has_a_color();
    test_invalid_formats();
    test_the_longest_lines_are_cut();
    return tap_done();
}
