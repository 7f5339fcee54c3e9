/* SPDX-License-Identifier: MIT */
/* tests/c/test_response_section.c — response heads, and other fields that are sent. */
#include "../../src/http/response_section.c"
#include "tap.h"

static char text[4000];

/* Returns the fields, a line each. */
static const char *
shown(const struct section_line *lines, uint32_t n)
{
    char *at = text;

    text[0] = '\0';
    for (uint32_t i = 0; i < n; i++)
        at += snprintf(at, (size_t)(text + sizeof text - at), "%.*s: %.*s\n",
                       (int)lines[i].name_len, (const char *)lines[i].name,
                       (int)lines[i].value_len, (const char *)lines[i].value);
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
test_a_head_is_copied_without_connection_fields(void)
{
    struct slice own = slice_of("X-Own: 1\r\nX-More:  2 \r\n");
    struct service service = {.chain.filters.plain = own};
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
    struct response_section r = {.nlines = 0};

    is(response_section_copy(&r, &wire, &res, false, slice_of("")), 0, "copied");
    response_section_finish(&r, &service, HTTP_LENGTH_NONE);
    is_text(shown(r.lines, r.nlines),
            ":status: 204\nx-upper: kept\nset-cookie: a\nset-cookie: b\n"
            "x-own: 1\nx-more: 2\n",
            "and nothing else");
    ok(r.says_close, "the connection ends");
    response_section_clear(&r);
    res.status = 200;
    is(response_section_copy(&r, &wire, &res, false, slice_of("")), 0, "again");
    response_section_finish(&r, &service, 7);
    ok(strstr(shown(r.lines, r.nlines), "content-length: 5\n") != NULL &&
           strstr(text, "content-length: 7") == NULL,
       "a length of the application's stays");
    response_section_clear(&r);
}

static void
test_a_large_head_has_its_own_memory(void)
{
    static char large[3000];
    struct service service = {.sends_server = true};
    struct wire wire = {.service = &service};
    struct http_field one = {.name = slice_of("x"), .value = {large, sizeof large}};
    struct http_response res = {.status = 200, .fields = &one, .nfields = 1};
    struct response_section r = {.nlines = 0};

    memset(large, 'v', sizeof large);
    is(response_section_copy(&r, &wire, &res, true, slice_of("")), 0, "copied");
    ok((char *)r.lines != r.room, "not in the room");
    response_section_finish(&r, &service, 12345678901234567890u);
    ok(strstr(shown(r.lines, r.nlines), "server: bolide\n"
                                        "content-length: 12345678901234567890\n"),
       "with our own fields");
    response_section_clear(&r);
    ok(r.lines == NULL, "and given back");
    response_section_clear(&r);
    mem_fail_at(1);
    int err = response_section_copy(&r, &wire, &res, true, slice_of(""));
    mem_fail_at(0);
    ok(err == ERR_NOMEM || err == 0, "a lack of memory is reported");
    response_section_clear(&r);
}

static void
test_a_block_is_one_buffer(void)
{
    struct http_field fields[] = {field("X-Sum", " 1 "), field("x-more", "2")};
    struct section_block *block = section_block_new(0, fields, 2);

    is_text(shown(block->lines, block->nlines), "x-sum: 1\nx-more: 2\n", "trailers");
    mem_free(block);
    block = section_block_new(103, fields, 2);
    is_text(shown(block->lines, block->nlines), ":status: 103\nx-sum: 1\nx-more: 2\n",
            "an interim head");
    mem_free(block);
    block = section_block_new(0, fields, 0);
    is(block->nlines, 0, "of nothing");
    mem_free(block);
}

static void
test_the_id_of_the_application_replaces_the_servers(void)
{
    struct service service = {.sends_server = false};
    struct wire wire = {.service = &service};
    struct http_field own = field("X-Request-ID", "own");
    struct http_response res = {.status = 200, .fields = &own, .nfields = 0};

    for (res.nfields = 0; res.nfields < 2; res.nfields++) {
        struct response_section r = {.nlines = 0};
        is(response_section_copy(&r, &wire, &res, false, slice_of("given")), 0,
           "copied");
        is_text(shown(r.lines, r.nlines),
                res.nfields == 0 ? ":status: 200\nx-request-id: given\n"
                                 : ":status: 200\nx-request-id: own\n",
                "one id");
        response_section_clear(&r);
    }
}

int
main(void)
{
    test_a_head_is_copied_without_connection_fields();
    test_a_large_head_has_its_own_memory();
    test_a_block_is_one_buffer();
    test_the_id_of_the_application_replaces_the_servers();
    return tap_done();
}
