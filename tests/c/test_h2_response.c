/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_response.c — response heads, and other fields that go out. */
#include "../../src/http2/response.c"
#include "tap.h"

static char text[4000];

/* Returns the fields, a line each. */
static const char *
shown(const nghttp2_nv *fields, uint32_t n)
{
    char *at = text;

    text[0] = '\0';
    for (uint32_t i = 0; i < n; i++)
        at += snprintf(at, (size_t)(text + sizeof text - at), "%.*s: %.*s\n",
                       (int)fields[i].namelen, (const char *)fields[i].name,
                       (int)fields[i].valuelen, (const char *)fields[i].value);
    return text;
}

static struct http_field
field(const char *name, const char *value)
{
    return (struct http_field){
        .name = slice_of(name),
        .value = slice_of(value),
        .id = field_lookup(slice_of(name)),
    };
}

static void
test_a_head_is_copied_without_what_http_2_has_not(void)
{
    struct slice own = slice_of("X-Own: 1\r\nX-More:  2 \r\n");
    struct service service = {.fields_sent = own, .fields_plain = own.len};
    struct wire wire = {.service = &service};
    struct http_field fields[] = {
        field("X-Upper", " kept "),      field("Connection", "close"),
        field("Transfer-Encoding", "x"), field("Keep-Alive", "x"),
        field("Upgrade", "x"),           field("Proxy-Connection", "x"),
        field("Content-Length", "5"),    field("Set-Cookie", "a"),
        field("Set-Cookie", "b"),
    };
    struct http_response res = {
        .status = 204, .fields = fields, .nfields = COUNT(fields)};
    struct h2_response r = {.nfields = 0};

    is(h2_response_copy(&r, &wire, &res, false, slice_of("")), 0, "copied");
    h2_response_finish(&r, &service, HTTP_LENGTH_NONE);
    is_text(shown(r.fields, r.nfields),
            ":status: 204\nx-upper: kept\nset-cookie: a\nset-cookie: b\n"
            "x-own: 1\nx-more: 2\n",
            "and nothing else");
    ok(r.says_close, "the connection ends");
    h2_response_clear(&r);
    res.status = 200;
    is(h2_response_copy(&r, &wire, &res, false, slice_of("")), 0, "again");
    h2_response_finish(&r, &service, 7);
    ok(strstr(shown(r.fields, r.nfields), "content-length: 5\n") != NULL &&
           strstr(text, "content-length: 7") == NULL,
       "a length of the application's stays");
    h2_response_clear(&r);
}

static void
test_a_large_head_has_memory_of_its_own(void)
{
    static char large[3000];
    struct service service = {.sends_server = true};
    struct wire wire = {.service = &service};
    struct http_field one = {.name = slice_of("x"), .value = {large, sizeof large}};
    struct http_response res = {.status = 200, .fields = &one, .nfields = 1};
    struct h2_response r = {.nfields = 0};

    memset(large, 'v', sizeof large);
    is(h2_response_copy(&r, &wire, &res, true, slice_of("")), 0, "copied");
    ok((char *)r.fields != r.room, "not in the room");
    h2_response_finish(&r, &service, 12345678901234567890u);
    ok(strstr(shown(r.fields, r.nfields), "server: bolide\n"
                                          "content-length: 12345678901234567890\n"),
       "with our own fields");
    h2_response_clear(&r);
    ok(r.fields == NULL, "and given back");
    h2_response_clear(&r);
    mem_fail_at(1);
    int err = h2_response_copy(&r, &wire, &res, true, slice_of(""));
    mem_fail_at(0);
    ok(err == ERR_NOMEM || err == 0, "no memory is said");
    h2_response_clear(&r);
}

static void
test_a_block_is_one_piece(void)
{
    struct http_field fields[] = {field("X-Sum", " 1 "), field("x-more", "2")};
    struct h2_block *block = h2_block_new(0, fields, 2);

    is_text(shown(block->fields, block->nfields), "x-sum: 1\nx-more: 2\n", "trailers");
    mem_free(block);
    block = h2_block_new(103, fields, 2);
    is_text(shown(block->fields, block->nfields), ":status: 103\nx-sum: 1\nx-more: 2\n",
            "an interim head");
    mem_free(block);
    block = h2_block_new(0, fields, 0);
    is(block->nfields, 0, "of nothing");
    mem_free(block);
}

int
main(void)
{
    test_a_head_is_copied_without_what_http_2_has_not();
    test_a_large_head_has_memory_of_its_own();
    test_a_block_is_one_piece();
    return tap_done();
}
