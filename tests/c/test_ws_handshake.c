/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_handshake.c — which requests open a WebSocket (RFC 6455 4.2.1), and
 * which subprotocols they offer. */
#include "ws/handshake.c"

#include "failing.h"
#include "tap.h"
#include "ws_head.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
#define VERSION_13 "Sec-WebSocket-Version: 13\n"
#define UPGRADE "Upgrade: websocket\nConnection: Upgrade\n"

static const struct {
    const char *lines;
    enum ws_opening want;
    const char *about;
} openings[] = {
    {UPGRADE KEY VERSION_13, WS_OPENING_GOOD, "the least there must be"},
    {"Upgrade: WebSocket\nConnection: keep-alive, UPGRADE\n" KEY VERSION_13,
     WS_OPENING_GOOD, "tokens in any case, among others"},
    {"Upgrade: h2c\nUpgrade: foo/2, websocket\nConnection: close\n"
     "Connection: x,upgrade\n" KEY VERSION_13,
     WS_OPENING_GOOD, "tokens over several lines"},
    {"Connection: Upgrade\n" KEY VERSION_13, WS_OPENING_NONE, "no Upgrade"},
    {"Upgrade: h2c\nConnection: Upgrade\n" KEY VERSION_13, WS_OPENING_NONE,
     "Upgrade to something else"},
    {"Upgrade: websocketx\nConnection: Upgrade\n" KEY VERSION_13, WS_OPENING_NONE,
     "a longer token"},
    {"Upgrade: websocket\nConnection: keep-alive\n" KEY VERSION_13, WS_OPENING_NONE,
     "no Connection: upgrade"},
    {UPGRADE VERSION_13, WS_OPENING_BAD, "no key"},
    {UPGRADE KEY KEY VERSION_13, WS_OPENING_BAD, "two keys"},
    {UPGRADE "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\n" VERSION_13, WS_OPENING_BAD,
     "a short key"},
    {UPGRADE "Sec-WebSocket-Key: <not base64>\n" VERSION_13, WS_OPENING_BAD,
     "a key that is not base64"},
    {UPGRADE KEY, WS_OPENING_BAD, "no version"},
    {UPGRADE KEY VERSION_13 VERSION_13, WS_OPENING_BAD, "two versions"},
    {UPGRADE KEY "Sec-WebSocket-Version: 8\n", WS_OPENING_BAD_VERSION, "version 8"},
    {UPGRADE KEY "Sec-WebSocket-Version: 013\n", WS_OPENING_BAD_VERSION, "version 013"},
    {UPGRADE KEY "Sec-WebSocket-Version: 13, 8\n", WS_OPENING_BAD_VERSION,
     "a list of versions"},
};

static void
test_openings(void)
{
    struct written_head h;
    char accept[WS_ACCEPT_BYTES + 1] = {0};
    for (size_t i = 0; i < COUNT(openings); i++)
        is(ws_handshake_check(write_head(&h, openings[i].lines), accept),
           openings[i].want, "%s", openings[i].about);
    is_text(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the accept value");
}

static void
test_other_requests(void)
{
    struct written_head h;
    char accept[WS_ACCEPT_BYTES];
    struct http_head *head = write_head(&h, UPGRADE KEY VERSION_13);
    head->version = HTTP_1_0;
    is(ws_handshake_check(head, accept), WS_OPENING_NONE, "HTTP/1.0");
    head = write_head(&h, UPGRADE KEY VERSION_13);
    head->method = slice_of("POST");
    is(ws_handshake_check(head, accept), WS_OPENING_NONE, "POST");
    head = write_head(&h, UPGRADE KEY VERSION_13);
    head->content_length = 5;
    is(ws_handshake_check(head, accept), WS_OPENING_BAD, "a body by length");
    head->content_length = 0;
    is(ws_handshake_check(head, accept), WS_OPENING_GOOD, "a body of no bytes");
    head->content_length = HTTP_LENGTH_NONE;
    head->chunked = true;
    is(ws_handshake_check(head, accept), WS_OPENING_BAD, "a chunked body");
}

static void
test_subprotocols(void)
{
    static const struct {
        const char *lines, *want;
    } offers[] = {
        {"", ""},
        {"Sec-WebSocket-Protocol: chat\n", "chat;"},
        {"Sec-WebSocket-Protocol: a,b\n", "a;b;"},
        {"Sec-WebSocket-Protocol: one\nX: y\nSec-WebSocket-Protocol: two ,\t three\n",
         "one;two;three;"},
        {"Sec-WebSocket-Protocol: ,, a ,,\nSec-WebSocket-Protocol:\n"
         "sec-websocket-protocol: b\n",
         "a;b;"},
    };
    for (size_t i = 0; i < COUNT(offers); i++) {
        struct written_head h;
        struct http_head *head = write_head(&h, offers[i].lines);
        struct ws_subprotocols at = {0};
        struct slice name;
        char got[100];
        size_t n = 0;
        while (ws_subprotocol_next(head, &at, &name) && n + name.len + 2 < sizeof got) {
            memcpy(got + n, name.ptr, name.len);
            n += name.len;
            got[n++] = ';';
        }
        got[n] = '\0';
        is_text(got, offers[i].want, "subprotocols %zu", i);
        ok(!ws_subprotocol_next(head, &at, &name), "and no more");
        char copy[100];
        is(ws_subprotocols_copy(head, NULL, 0), n, "%zu bytes of them", n);
        is(ws_subprotocols_copy(head, copy, n), n, "are copied");
        for (size_t j = 0; j < n; j++)
            is(copy[j], got[j] == ';' ? '\0' : got[j], "as they stand");
    }
}

static void
test_offers(void)
{
    static const char bytes[] = "chat\0chat.v1\0";
    struct slice offers = slice_new(bytes, sizeof bytes - 1);
    static const char *const others[] = {"",     "c",  "cha",     "chat.",
                                         "CHAT", "v1", "chat.v11"};

    ok(ws_subprotocol_is_offered(offers, slice_of("chat")), "the first");
    ok(ws_subprotocol_is_offered(offers, slice_of("chat.v1")), "the last");
    for (size_t i = 0; i < COUNT(others); i++)
        ok(!ws_subprotocol_is_offered(offers, slice_of(others[i])), "not %s",
           others[i]);
    ok(!ws_subprotocol_is_offered(slice_new(NULL, 0), slice_of("chat")), "of none");
}

static void
test_a_key_over_http_2_is_accepted_if_there_is_one(void)
{
    struct http_field fields[] = {
        {slice_of("sec-websocket-version"), slice_of("13"),
         FIELD_SEC_WEBSOCKET_VERSION},
        {slice_of("sec-websocket-key"), slice_of("dGhlIHNhbXBsZSBub25jZQ=="),
         FIELD_SEC_WEBSOCKET_KEY},
        {slice_of("sec-websocket-key"), slice_of("short"), FIELD_SEC_WEBSOCKET_KEY},
    };
    struct http_head head = {.version = HTTP_2, .upgrade = true, .fields = fields};

    for (uint32_t n = 1; n <= COUNT(fields); n++) {
        char accept[WS_ACCEPT_BYTES + 1] = "what was here before";
        head.nfields = n;
        is(ws_handshake_check(&head, accept), WS_OPENING_GOOD, "%u fields", n);
        accept[WS_ACCEPT_BYTES] = '\0';
        is_text(accept, n == 2 ? "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" : "", "its accept");
    }
}

static void
test_a_handshake_over_http_2_names_one_version(void)
{
    static const struct {
        const char *version;
        enum ws_opening want;
    } cases[] = {
        {NULL, WS_OPENING_BAD},
        {"8", WS_OPENING_BAD_VERSION},
        {"13", WS_OPENING_GOOD},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char accept[WS_ACCEPT_BYTES + 1];
        struct http_field field = {slice_of("sec-websocket-version"),
                                   slice_of(i > 0 ? cases[i].version : ""),
                                   FIELD_SEC_WEBSOCKET_VERSION};
        struct http_head head = {
            .version = HTTP_2, .upgrade = true, .fields = &field, .nfields = i > 0};
        is(ws_handshake_check(&head, accept), cases[i].want, "version %s",
           i > 0 ? cases[i].version : "none");
        is_text(accept, "", "no accept without a key");
    }
}

static void
test_an_accept_that_cannot_be_computed(void)
{
    struct http_field fields[] = {
        {slice_of("sec-websocket-version"), slice_of("13"),
         FIELD_SEC_WEBSOCKET_VERSION},
        {slice_of("sec-websocket-key"), slice_of("dGhlIHNhbXBsZSBub25jZQ=="),
         FIELD_SEC_WEBSOCKET_KEY},
    };
    struct http_head head = {
        .version = HTTP_2, .upgrade = true, .fields = fields, .nfields = 2};
    char accept[WS_ACCEPT_BYTES + 1];

    fault_of("EVP_Digest", 1, 0);
    enum ws_opening opening = ws_handshake_check(&head, accept);
    fault_stop();
    is(opening, fault_name()[0] != '\0' ? WS_OPENING_NO_MEMORY : WS_OPENING_GOOD,
       "is reported");
}

int
main(void)
{
    test_a_key_over_http_2_is_accepted_if_there_is_one();
    test_a_handshake_over_http_2_names_one_version();
    test_an_accept_that_cannot_be_computed();
    test_openings();
    test_other_requests();
    test_subprotocols();
    test_offers();
    return tap_done();
}
