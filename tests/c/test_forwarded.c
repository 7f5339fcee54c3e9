/* SPDX-License-Identifier: MIT */
/* tests/c/test_forwarded.c — what the fields of a head contain: times, traces, IDs.
 * tests/proxies tests with a whole server who the client is. */
#include "http/forwarded.c"

#include "base/mem.h"
#include "tap.h"

static struct http_field fields[16];
static struct http_head head;
static struct forwarding forwarding;
static struct endpoint endpoint;

/* Prepares a head with `n` fields, each "name: value". */
static void
set_head(const char *const *lines, uint32_t n)
{
    head = (struct http_head){.fields = fields, .nfields = n, .nfields_max = 14};
    for (uint32_t i = 0; i < n; i++) {
        const char *colon = strchr(lines[i], ':');
        fields[i].name = slice_new(lines[i], (size_t)(colon - lines[i]));
        fields[i].value = slice_of(colon + 2);
        fields[i].id = field_lookup(fields[i].name);
    }
}

/* Reads a head from a trusted or an untrusted peer. */
static int
read_head(bool trusted)
{
    struct peer peer = {.endpoint = &endpoint, .is_trusted = trusted};

    return forwarded_read(&forwarding, &peer, &head);
}

static void
begin(uint8_t believed, bool names)
{
    struct forwarded_config config = {
        .trusted = slice_of("127.0.0.1"),
        .believed = believed,
        .names = names,
    };
    is(forwarding_init(&forwarding, &config), 0, "the configuration is good");
}

static void
test_queue_times(void)
{
    struct timespec now;
    char text[64];

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 - 5000;
    unsigned long long s = ms / 1000, rest = ms % 1000;
    const struct {
        const char *format;
        unsigned long long a, b;
    } good[] = {
        {"t=%llu.%03llu", s, rest},       {"%llu.%03llu", s, rest},
        {"t=%llu%03llu", s, rest},        {"%llu%03llu", s, rest},
        {"t=%llu%03llu000", s, rest},     {"t=%llu%03llu.000", s, rest},
        {"t=%llu.%03llu000000", s, rest},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        snprintf(text, sizeof text, good[i].format, good[i].a, good[i].b);
        uint64_t us = read_queued(slice_of(text));
        ok(us >= 4999000 && us < 65000000, "%s is 5 s ago (%llu us)", text,
           (unsigned long long)us);
    }
    snprintf(text, sizeof text, "t=%llu", s + 100);
    is(read_queued(slice_of(text)), 0, "a clock that is ahead makes no queue");
    static const char *const bad[] = {"",
                                      "t=",
                                      "now",
                                      "t=-1",
                                      "1.",
                                      "1.2.3",
                                      "t=1.2e3",
                                      "0x10",
                                      "1",
                                      ".5",
                                      "12345678901234567"};
    for (size_t i = 0; i < COUNT(bad); i++)
        ok(read_queued(slice_of(bad[i])) == FORWARDED_UNKNOWN, "\"%s\" tells nothing",
           bad[i]);
}

static void
test_nothing_costs_nothing(void)
{
    static const char *const lines[] = {"host: a", "x-forwarded-for: 6.6.6.6",
                                        "x-request-start: t=1"};

    begin(FORWARDED_FOR, false);
    set_head(lines, 3);
    is(read_head(false), 0, "fields of an untrusted peer are not read");
    ok(head.forwarded == NULL, "... and take no memory");
    is(forwarding.pool.nfree, 0, "... at all");
    set_head(lines, 1);
    is(read_head(true), 0, "a proxy's request without them");
    ok(head.forwarded == NULL, "... takes none either");
    forwarding_fini(&forwarding);
}

static void
test_traces(void)
{
    static const char trace[] =
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char *const bad[] = {
        "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "traceparent: 00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "traceparent: x",
    };
    const char *lines[] = {trace};

    begin(0, false);
    set_head(lines, 1);
    is(read_head(false), 0, "anyone may send a trace");
    is_text(head.forwarded->trace_id, "0af7651916cd43dd8448eb211c80319c", "its id");
    is_text(head.forwarded->parent_id, "b7ad6b7169203331", "... and its parent's");
    is(head.nfields, 1, "the field stays");
    forwarded_free(&forwarding, head.forwarded);
    for (size_t i = 0; i < COUNT(bad); i++) {
        lines[0] = bad[i];
        set_head(lines, 1);
        is(read_head(false), 0, "%s", bad[i]);
        is_text(head.forwarded->trace_id, "", "... is none");
        forwarded_free(&forwarding, head.forwarded);
    }
    forwarding_fini(&forwarding);
}

/* Returns the ID that the request gets, as text. */
static const char *
name_of(const char *const *lines, uint32_t n, bool trusted)
{
    static char text[REQUEST_ID_BYTES + 1];

    set_head(lines, n);
    is(read_head(trusted), 0, "read");
    struct slice id = forwarded_id(head.forwarded);
    memcpy(text, id.ptr, id.len);
    text[id.len] = '\0';
    unsigned found = 0;
    for (uint32_t i = 0; i < head.nfields; i++)
        found += head.fields[i].id == FIELD_X_REQUEST_ID &&
                 slice_equal(head.fields[i].value, id);
    is(found, 1, "the application gets it once");
    forwarded_free(&forwarding, head.forwarded);
    return text;
}

static void
test_names(void)
{
    static const char *const kept[] = {"X-Request-ID: abc-1", "host: a",
                                       "x-request-id: second"};
    static const char *const none[] = {"host: a"};
    static const char *const odd[] = {"x-request-id: a b"};
    char first[REQUEST_ID_BYTES + 1], text[160];
    const char *lines[] = {text};

    begin(FORWARDED_FOR, true);
    is_text(name_of(kept, 3, true), "abc-1", "an ID from a proxy is kept");
    is(strlen(name_of(kept, 3, false)), REQUEST_ID_MADE_BYTES,
       "one from an untrusted peer is not");
    is(strlen(name_of(odd, 1, true)), REQUEST_ID_MADE_BYTES, "an invalid one is not");
    snprintf(first, sizeof first, "%s", name_of(none, 1, true));
    ok(strcmp(first, name_of(none, 1, true)) != 0, "names differ");
    memset(text, 'a', sizeof text);
    memcpy(text, "x-request-id: ", 14);
    text[14 + REQUEST_ID_BYTES] = '\0';
    is(strlen(name_of(lines, 1, true)), REQUEST_ID_BYTES, "128 bytes are kept");
    text[14 + REQUEST_ID_BYTES] = 'a';
    text[15 + REQUEST_ID_BYTES] = '\0';
    is(strlen(name_of(lines, 1, true)), REQUEST_ID_MADE_BYTES, "129 are not");
    forwarding_fini(&forwarding);
}

static void
test_prefixes(void)
{
    static const char *const good[] = {"/", "/a", "/a/", "/a/b.c", "/...", "/.a/..b"};
    static const char *const bad[] = {"a",    "//",   "/a//",  "/a//b",    "/.",
                                      "/..",  "/./a", "/../a", "/a/..",    "/a/.",
                                      "/%41", "/a b", "/a\"",  "/\xc3\xa9"};

    for (size_t i = 0; i < COUNT(good); i++)
        ok(is_prefix(slice_of(good[i])), "%s is a prefix", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        ok(!is_prefix(slice_of(bad[i])), "%s is none", bad[i]);
}

/* Returns the client of a head from a proxy, as text. */
static const char *
client_of(const char *const *lines, uint32_t n)
{
    static char text[PEER_HOST_BYTES + 8];
    struct peer peer = {0};

    set_head(lines, n);
    is(read_head(true), 0, "a head is read");
    const struct forwarded *told = head.forwarded;
    peer.addr = told->client;
    size_t len = told->has_client ? peer_host(&peer, text) : 0;
    snprintf(text + len, sizeof text - len, "%s",
             !told->has_client ? "the peer"
             : len == 0        ? "hidden"
                               : "");
    forwarded_free(&forwarding, head.forwarded);
    return text;
}

static void
test_clients(void)
{
    static const struct {
        const char *line, *want;
    } cases[] = {
        {"x-forwarded-for: 6.6.6.6, 1.2.3.4", "1.2.3.4"},
        {"x-forwarded-for: 1.2.3.4, 127.0.0.1, 127.0.0.1", "1.2.3.4"},
        {"x-forwarded-for: 127.0.0.1", "127.0.0.1"},
        {"x-forwarded-for: junk, 1.2.3.4", "1.2.3.4"},
        {"x-forwarded-for: 1.2.3.4, junk", "the peer"},
        {"x-forwarded-for: 1.2.3.4, junk, 127.0.0.1", "127.0.0.1"},
        {"x-forwarded-for: 1.2.3.4:notaport", "1.2.3.4"},
        {"x-forwarded-for: fe80::1%eth0", "fe80::1"},
        {"x-forwarded-for: unknown", "hidden"},
        {"x-forwarded-for: unknown, 127.0.0.1", "hidden"},
        {"x-forwarded-for: ", "the peer"},
        {"x-forwarded-for: ,", "the peer"},
    };

    begin(FORWARDED_FOR | FORWARDED_PROTO, false);
    for (size_t i = 0; i < COUNT(cases); i++)
        is_text(client_of(&cases[i].line, 1), cases[i].want, "%s", cases[i].line);
    static const char *const split[] = {"x-forwarded-for: 6.6.6.6, junk",
                                        "x-forwarded-for: 1.2.3.4",
                                        "x-forwarded-for: 127.0.0.1"};
    is_text(client_of(split, 3), "1.2.3.4", "lines are walked from the last one");
    forwarding_fini(&forwarding);
}

/* Returns the Host of a head from a proxy. */
static struct slice
host_of(const char *const *lines, uint32_t n)
{
    static char text[512];
    struct slice host = slice_of("none");

    set_head(lines, n);
    is(read_head(true), 0, "a head is read");
    for (uint32_t i = 0; i < head.nfields; i++) {
        if (head.fields[i].id == FIELD_HOST)
            host = head.fields[i].value;
    }
    snprintf(text, sizeof text, "%.*s", (int)host.len, host.ptr);
    if (head.forwarded != NULL)
        forwarded_free(&forwarding, head.forwarded);
    return slice_of(text);
}

static void
test_hosts(void)
{
    static char large[300] = "x-forwarded-host: ";
    const struct {
        const char *lines[2];
        const char *want;
    } cases[] = {
        {{"host: a", "x-forwarded-port: 8443"}, "a:8443"},
        {{"host: a", "x-forwarded-port: 99999"}, "a"},
        {{"host: a", "x-forwarded-port: 123456"}, "a"},
        {{"host: a", "x-forwarded-port: x"}, "a"},
        {{"accept: a", "x-forwarded-port: 8443"}, "none"},
        {{"host: a", "x-forwarded-host: b:81"}, "b:81"},
        {{"host: a", "x-forwarded-host: [::1]:81"}, "[::1]:81"},
        {{"host: a", "x-forwarded-host: b c"}, "a"},
        {{"host: a", large}, "a"},
    };

    memset(large + strlen(large), 'b', sizeof large - strlen(large) - 1);
    begin(FORWARDED_FOR | FORWARDED_HOST | FORWARDED_PORT, false);
    for (size_t i = 0; i < COUNT(cases); i++)
        ok(slice_equal(host_of(cases[i].lines, 2), slice_of(cases[i].want)), "%s: %s",
           cases[i].lines[1], cases[i].want);
    forwarding_fini(&forwarding);
}

static void
test_there_may_be_no_memory(void)
{
    static const char *const lines[] = {"x-forwarded-for: 1.2.3.4"};

    begin(FORWARDED_FOR, false);
    set_head(lines, 1);
    mem_fail_at(1);
    is(read_head(true), ERR_NOMEM, "for what proxies report");
    mem_fail_at(0);
    forwarding_fini(&forwarding);
}

static void
test_an_open_quote_does_not_reach_what_is_appended(void)
{
    static const char *const lines[] = {
        "forwarded: for=\"6.6.6.6, for=1.2.3.4",
        "forwarded: for=\"6.6.6.6, for=\"1.2.3.4:5\"",
        "forwarded: x=\"\\\", for=1.2.3.4;x=\"a,b\"",
        "forwarded: =;;, for=1.2.3.4",
    };

    begin(FORWARDED_STANDARD, false);
    for (size_t i = 0; i < COUNT(lines); i++)
        is_text(client_of(&lines[i], 1), "1.2.3.4", "%s", lines[i]);
    forwarding_fini(&forwarding);
}

int
main(void)
{
    test_clients();
    test_hosts();
    test_there_may_be_no_memory();
    test_an_open_quote_does_not_reach_what_is_appended();
    test_queue_times();
    test_nothing_costs_nothing();
    test_traces();
    test_names();
    test_prefixes();
    return tap_done();
}
