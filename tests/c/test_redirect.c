/* SPDX-License-Identifier: MIT */
/* tests/c/test_redirect.c — the location to which HTTPS requests are redirected. */
#include "builtin/redirect.c"

#include "fake_wire.h"
#include "tap.h"

/* It gets no request. */
static const struct stream_handler missing_app;

/* Responds to `request` on a listener whose TLS counterpart has `port`. */
static void
ask(struct fake *fake, struct endpoint *endpoint, int port, const char *request)
{
    static struct handler link;

    *endpoint = (struct endpoint){.port = 80, .redirects = true, .secure_port = port};
    redirect_init(&link);
    ok(fake_init(fake, &missing_app, NULL), "a session");
    chain_add(&fake->service.chain, &link);
    fake->wire.peer.endpoint = endpoint;
    ok(fake_feed(fake, slice_of(request)), "a request");
    fake_serve(fake);
}

static void
test_other_listeners_and_hosts(void)
{
    struct endpoint endpoint = {.redirects = false};
    struct peer peer = {.endpoint = &endpoint};
    struct stream s = {.peer = &peer, .handler = &missing_app};
    struct http_field field = {
        .name = slice_of("host"), .value = slice_of("a/b"), .id = FIELD_HOST};
    const struct http_head head = {.fields = &field, .nfields = 1};
    struct handler link;

    redirect_init(&link);
    is(link.offer(&link, &s, &head), HANDLER_DECLINED, "a listener that does not");
    is(host_of(&head).len, 0, "what is no host is no place to redirect to");
    field.value = slice_of("a:1");
    is(host_of(&head).len, 1, "a host is");
}

static void
test_locations(void)
{
    static const struct {
        const char *request;
        int port;
        const char *location; /* NULL: 400 */
    } cases[] = {
        {"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", 443, "https://x/a?b=c"},
        {"GET /a HTTP/1.1\r\nHost: x:80\r\n\r\n", 443, "https://x/a"},
        {"GET /a HTTP/1.1\r\nHost: x:80\r\n\r\n", 8443, "https://x:8443/a"},
        {"GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", 65535, "https://x:65535/a"},
        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 444, "https://[::1]:444/"},
        {"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", -1, "https://[::1]/"},
        {"POST /%41/../b HTTP/1.1\r\nHost: x\r\ncontent-length: 0\r\n\r\n", -1,
         "https://x/%41/../b"},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", -1, "https://x"},
        {"GET //y/z HTTP/1.1\r\nHost: x\r\n\r\n", -1, "https://x//y/z"},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 443, NULL},
        {"GET / HTTP/1.0\r\n\r\n", 443, NULL},
    };
    static struct fake fake;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct endpoint endpoint;
        char field[64] = "";
        ask(&fake, &endpoint, cases[i].port, cases[i].request);
        if (cases[i].location != NULL)
            snprintf(field, sizeof field, "\r\nlocation: %s\r\n", cases[i].location);
        const char *status =
            cases[i].location != NULL ? "HTTP/1.1 308" : "HTTP/1.1 400";
        ok(strncmp(fake.out, status, strlen(status)) == 0, "case %zu: %s", i, status);
        ok(strstr(fake.out, field) != NULL, "to %s", cases[i].location);
        is(strstr(fake.out, "location") != NULL, cases[i].location != NULL,
           "and a location only then");
        fake_fini(&fake);
    }
}

static void
test_each_allocation_may_fail(void)
{
    static const char request[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    static struct fake fake;
    bool failed = true;

    for (unsigned long n = 1; failed; n++) {
        struct endpoint endpoint = {.redirects = true, .secure_port = 443};
        struct handler link;
        redirect_init(&link);
        ok(fake_init(&fake, &missing_app, NULL), "a session");
        chain_add(&fake.service.chain, &link);
        fake.wire.peer.endpoint = &endpoint;
        mem_fail_at(n);
        bool fed = fake_feed(&fake, slice_of(request));
        fake_serve(&fake);
        failed = mem_count() >= n;
        mem_fail_at(0);
        ok(!fed || fake.aborted > 0 || fake.nout == 0 ||
               strncmp(fake.out, "HTTP/1.1 308 ", 13) == 0 ||
               strncmp(fake.out, "HTTP/1.1 50", 11) == 0,
           "a complete response, or an error");
        fake_fini(&fake);
    }
}

int
main(void)
{
    test_other_listeners_and_hosts();
    test_locations();
    test_each_allocation_may_fail();
    return tap_done();
}
