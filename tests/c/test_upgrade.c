/* SPDX-License-Identifier: MIT */
/* tests/c/test_upgrade.c — how a connection changes from HTTP/1 to HTTP/2: detecting
 * the preface however it is split, requests for h2c, and a lack of memory. */
#include "http1/upgrade.c"

#include "fake_wire.h"
#include "tap.h"

static int change_err;      /* what change_to_h2 returns */
static int nchanges;        /* how often it was called */
static size_t nsettings;    /* bytes of the settings that it was given */
static bool had_head;       /* it was given a head */
static struct wire_ops ops; /* the fake's, and change_to_h2 */
static const struct stream_handler handler;

static int
change_to_h2(struct wire *wire, const struct http_head *head, struct slice settings)
{
    (void)wire;
    nchanges++;
    nsettings = settings.len;
    had_head = head != NULL;
    return change_err;
}

/* A session that has read nothing. */
static struct h1_session *
begin(struct fake *fake, enum h2_mode mode, int err)
{
    ok(fake_init(fake, &handler, NULL), "a session");
    fake->service.h2 = (uint8_t)mode;
    ops = fake_ops;
    ops.change_to_h2 = change_to_h2;
    fake->wire.ops = &ops;
    change_err = err;
    nchanges = 0;
    return fake->session;
}

static void
test_the_preface_may_be_split_anywhere(void)
{
    static const char preface[] = PREFACE;
    static struct fake fake;

    for (size_t n = 1; n < sizeof preface; n++) {
        struct h1_session *h = begin(&fake, H2_ON, 0);
        int want = n < sizeof preface - 1 ? ERR_AGAIN : 0;
        is(h1_try_h2(h, slice_new(preface, n), ERR_REQUEST_LINE), want,
           "%zu bytes of the preface", n);
        is(nchanges, want == 0, "the session changes when it is whole");
        is(h->phase == H1_LEFT, want == 0, "and HTTP/1.1 ends then");
        ok(!had_head || want != 0, "without a request");
        fake_fini(&fake);
    }
}

static void
test_other_bytes_than_the_preface(void)
{
    static const struct {
        const char *bytes;
        int err, want;
    } cases[] = {
        {"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", ERR_REQUEST_LINE, ERR_H2},
        {"PRI * HTTP/2.1\r\n\r\n", ERR_VERSION, ERR_H2},
        {"PRI * HTTP/1.1\r\n\r\n", ERR_METHOD_UNKNOWN, ERR_METHOD_UNKNOWN},
        {"PRI * HTTP/X", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"SSH two words\r\n", ERR_REQUEST_LINE, ERR_H2},
        {"SSH two words\r\n", ERR_HEAD_TOO_LARGE, ERR_HEAD_TOO_LARGE},
        {"SSH two words", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"SSH two HTTP/9\r\n", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"SSH two http\r\n", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"SSH two htt\r\n", ERR_REQUEST_LINE, ERR_H2},
        {"SSH * words\r\n", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"SSH /two words\r\n", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"SSH two\r\n", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"SSH  two\r\n", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"one two three four\r\n", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"\r\n", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
        {"\x16\x03\x01", ERR_REQUEST_LINE, ERR_REQUEST_LINE},
    };
    static struct fake fake;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct h1_session *h = begin(&fake, H2_ON, 0);
        is(h1_try_h2(h, slice_of(cases[i].bytes), cases[i].err), cases[i].want,
           "case %zu", i);
        is(nchanges, 0, "nothing changes");
        fake_fini(&fake);
    }
}

static void
test_the_preface_is_valid_only_at_the_beginning(void)
{
    static struct fake fake;
    struct h1_session *h = begin(&fake, H2_OFF, 0);

    is(h1_try_h2(h, slice_of(PREFACE), ERR_VERSION), ERR_VERSION,
       "without HTTP/2 it is a wrong request");
    fake.service.h2 = H2_ON;
    h->has_begun = true;
    is(h1_try_h2(h, slice_of(PREFACE), ERR_VERSION), ERR_VERSION,
       "after a request it is one too");
    is(nchanges, 0, "nothing changes");
    fake_fini(&fake);
}

static void
test_without_memory_the_session_stays(void)
{
    static struct fake fake;
    struct h1_session *h = begin(&fake, H2_ON, ERR_NOMEM);

    is(h1_try_h2(h, slice_of(PREFACE), ERR_VERSION), ERR_NOMEM,
       "a lack of memory is reported");
    ok(h->phase != H1_LEFT, "the session has not left");
    fake_fini(&fake);
}

static void
test_settings_are_base64url(void)
{
    static const struct {
        const char *text;
        ssize_t n;
        const char *bytes;
    } cases[] = {
        {"", 0, ""},
        {"AAMAAABk", 6, "\0\3\0\0\0\x64"},
        {"-_-_", 3, "\xfb\xff\xbf"},
        {"QQ", 1, "A"},
        {"0129", 3, "\xd3\x5d\xbd"},
        {"QUI", 2, "AB"},
        {"QUJD", 3, "ABC"},
        {"A", -1, NULL},
        {"QUJDQ", -1, NULL},
        {"QQ==", -1, NULL},
        {"+/+/", -1, NULL},
        {"QU D", -1, NULL},
        {"QUJ\xc3", -1, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[SETTINGS_BYTES];
        ssize_t n = decode(slice_of(cases[i].text), out);
        is(n, cases[i].n, "how many bytes \"%s\" is", cases[i].text);
        if (n > 0)
            ok(memcmp(out, cases[i].bytes, (size_t)n) == 0, "which ones");
    }
}

static void
test_more_settings_than_there_are(void)
{
    char text[SETTINGS_BYTES * 4 / 3 + 4], out[SETTINGS_BYTES];

    memset(text, 'A', sizeof text);
    is(decode(slice_new(text, SETTINGS_BYTES * 4 / 3), out), SETTINGS_BYTES,
       "as many as fit");
    for (size_t more = 1; more <= 4; more++)
        is(decode(slice_new(text, SETTINGS_BYTES * 4 / 3 + more), out), -1,
           "%zu digits more are refused", more);
}

#define UPGRADE                                                                        \
    {.id = FIELD_UPGRADE, .name = slice_of("upgrade"), .value = slice_of("h2c")}
#define NAMED                                                                          \
    {.id = FIELD_CONNECTION,                                                           \
     .name = slice_of("connection"),                                                   \
     .value = slice_of("upgrade, HTTP2-Settings")}
#define SETTINGS {.name = slice_of("HTTP2-Settings"), .value = slice_of("AAMAAABk")}
#define OTHER(v) {.name = slice_of("http2-settings"), .value = slice_of(v)}

static void
test_requests_for_h2c(void)
{
    struct {
        const char *what;
        bool upgrades;
        struct http_field fields[4];
        struct http_head head;
    } cases[] = {
        {"all of it", true, {UPGRADE, NAMED, SETTINGS}, {.nfields = 3}},
        {"in another order", true, {SETTINGS, NAMED, UPGRADE}, {.nfields = 3}},
        {"an empty body", true, {UPGRADE, NAMED, OTHER("")}, {.nfields = 3}},
        {"no settings", false, {UPGRADE, NAMED}, {.nfields = 2}},
        {"two of them", false, {UPGRADE, NAMED, SETTINGS, SETTINGS}, {.nfields = 4}},
        {"not named", false, {UPGRADE, SETTINGS}, {.nfields = 2}},
        {"no upgrade", false, {NAMED, SETTINGS}, {.nfields = 2}},
        {"wrong settings", false, {UPGRADE, NAMED, OTHER("A")}, {.nfields = 3}},
        {"a chunked body",
         false,
         {UPGRADE, NAMED, SETTINGS},
         {.nfields = 3, .chunked = true}},
        {"a body",
         false,
         {UPGRADE, NAMED, SETTINGS},
         {.nfields = 3, .content_length = 1}},
        {"no length",
         true,
         {UPGRADE, NAMED, SETTINGS},
         {.nfields = 3, .content_length = HTTP_LENGTH_NONE}},
    };
    static struct fake fake;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct h1_session *h = begin(&fake, H2_UPGRADE, 0);
        cases[i].head.fields = cases[i].fields;
        is(h1_upgrade(h, &cases[i].head), cases[i].upgrades, "%s", cases[i].what);
        is(nchanges, cases[i].upgrades, "only then the session changes");
        fake_flush(&fake.wire);
        is(fake.nout > 0, cases[i].upgrades, "and a 101 is sent");
        is(h->phase == H1_LEFT, cases[i].upgrades, "and HTTP/1.1 ends");
        fake_fini(&fake);
    }
}

/* If the change fails, the request is an ordinary one, and no 101 is sent for it. */
static void
test_a_change_that_fails_drops_its_response(void)
{
    struct http_field fields[] = {UPGRADE, NAMED, SETTINGS};
    struct http_head head = {.fields = fields, .nfields = 3};
    static struct fake fake;

    for (int way = 0; way < 2; way++) {
        struct h1_session *h = begin(&fake, H2_UPGRADE, way == 0 ? ERR_NOMEM : 0);
        mem_fail_at((unsigned long)way);
        ok(!h1_upgrade(h, &head), "it is an ordinary request");
        mem_fail_at(0);
        ok(h->phase != H1_LEFT, "the session stays");
        is(fake.wire.out.bytes, 0, "nothing is queued");
        is(fake.wire.out.held, 0, "and nothing held");
        ok(outq_copy(&fake.wire.out, slice_of("next")) == 0, "the next response");
        fake_flush(&fake.wire);
        is_text(fake.out, "next", "is all that is sent");
        fake_fini(&fake);
    }
}

static void
test_only_if_the_service_allows_it(void)
{
    static const struct peer_tls_ops tls;
    struct http_field fields[] = {UPGRADE, NAMED, SETTINGS};
    struct http_head head = {.fields = fields, .nfields = 3};
    static struct fake fake;
    struct h1_session *h = begin(&fake, H2_ON, 0);

    ok(!h1_upgrade(h, &head), "not with prior knowledge alone");
    fake.service.h2 = H2_OFF;
    ok(!h1_upgrade(h, &head), "not without HTTP/2");
    fake.service.h2 = H2_UPGRADE;
    fake.wire.peer.tls = &tls;
    ok(!h1_upgrade(h, &head), "not over TLS, which has ALPN");
    fake_fini(&fake);
}

int
main(void)
{
    test_the_preface_may_be_split_anywhere();
    test_other_bytes_than_the_preface();
    test_the_preface_is_valid_only_at_the_beginning();
    test_without_memory_the_session_stays();
    test_settings_are_base64url();
    test_more_settings_than_there_are();
    test_requests_for_h2c();
    test_a_change_that_fails_drops_its_response();
    test_only_if_the_service_allows_it();
    return tap_done();
}
