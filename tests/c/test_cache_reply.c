/* SPDX-License-Identifier: MIT */
/* tests/c/test_cache_reply.c — stored responses as they are sent, and how their fields
 * are kept. */
#include "cache/reply.c"

#include "base/mem.h"
#include "cache_fields.h"

static struct store store;
static struct contents all;

/* A stored response with these fields and this body. */
static struct content *
content_of(const char *text, const char *body, struct store_meta meta)
{
    static uint64_t serial;
    struct http_field fields[100];
    struct http_response res = {.status = meta.status,
                                .fields = fields,
                                .nfields = read_fields_of(text, fields)};
    struct buf out;

    buf_init(&out);
    is(reply_keep_fields(&out, &res, slice_of("NOW")), 0, "kept");
    meta.head_bytes = out.len;
    struct content *content =
        contents_add(&all, ++serial, &meta, out.len + strlen(body));
    memcpy(content->data, buf_bytes(&out).ptr, out.len);
    memcpy(content->data + out.len, body, strlen(body));
    buf_release(&out);
    return content;
}

/* Writes a response as "200 name: value|... body". */
static const char *
text_of(const struct reply *reply)
{
    static char text[1024];
    int n = snprintf(text, sizeof text, "%d ", reply->res.status);

    for (uint32_t i = 0; i < reply->res.nfields; i++) {
        const struct http_field *f = &reply->res.fields[i];
        n += snprintf(text + n, sizeof text - (size_t)n, "%.*s: %.*s|",
                      (int)f->name.len, f->name.ptr, (int)f->value.len, f->value.ptr);
    }
    snprintf(text + n, sizeof text - (size_t)n, " %.*s",
             reply->res.status == 304 ? 0 : (int)reply->body.bytes.len,
             reply->body.bytes.ptr);
    return text;
}

static const char *
reply_to(const char *method, const char *asked, struct content *content,
         uint64_t now_ms, const char *how)
{
    struct http_head head = head_of(method, "/", asked, some_fields);
    struct stream s = {.peer = &some_peer, .is_head = strcmp(method, "HEAD") == 0};
    static struct reply reply;
    struct cache_request r;

    is(request_read(&store, &s, &head, &r), REQUEST_LOOKUP, "a request");
    reply_build(&reply, content, &r, now_ms, 784111777, how);
    return text_of(&reply);
}

static void
test_a_response_has_its_age(void)
{
    struct content *content = content_of(
        "X: y|age: 3|connection: close, z|z: z|cache-status: up|content-length: 4",
        "body",
        (struct store_meta){
            .status = 201, .stored_ms = 1000, .fresh_s = 60, .age_s = 3});

    is_text(reply_to("GET", "", content, 1000, NULL),
            "201 X: y|date: NOW|age: 3|content-length: 4| body", "at once");
    is_text(reply_to("GET", "range: bytes=0-1", content, 11000, "hit"),
            "201 X: y|date: NOW|age: 13|content-length: 4|"
            "cache-status: bolide; hit; ttl=47| body",
            "later; only a 200 has ranges");
    is_text(reply_to("HEAD", "", content, 71000, "hit"),
            "201 X: y|date: NOW|age: 73|content-length: 4|"
            "cache-status: bolide; hit; ttl=-13| body",
            "stale");
    content_release(content);
}

static void
test_conditions_and_ranges(void)
{
    static const struct {
        const char *method, *asked, *want;
    } cases[] = {
        {"GET", "if-none-match: \"a\"", "304 etag: \"a\"|date: D|age: 0| "},
        {"HEAD", "if-none-match: W/\"a\"", "304 etag: \"a\"|date: D|age: 0| "},
        {"GET", "if-none-match: \"b\"|range: bytes=0-0", /* one passes, one applies */
         "206 content-range: bytes 0-0/4|etag: \"a\"|x: y|date: D|age: 0|"
         "content-length: 1| b"},
        {"GET", "if-none-match: \"b\"",
         "200 etag: \"a\"|x: y|date: D|age: 0|content-length: 4| body"},
        {"GET", "range: bytes=1-2",
         "206 content-range: bytes 1-2/4|etag: \"a\"|x: y|date: D|age: 0|"
         "content-length: 2| od"},
        {"HEAD", "range: bytes=1-2",
         "200 etag: \"a\"|x: y|date: D|age: 0|content-length: 4| body"},
        {"GET", "range: bytes=0-0,2-2",
         "200 etag: \"a\"|x: y|date: D|age: 0|content-length: 4| body"},
        {"GET", "range: bytes=9-",
         "416 content-range: bytes */4|etag: \"a\"|x: y|date: D|age: 0|"
         "content-length: 0| "},
        {"GET", "range: bytes=x",
         "200 etag: \"a\"|x: y|date: D|age: 0|content-length: 4| body"},
        {"GET", "range: bytes=1-1|if-range: \"a\"",
         "206 content-range: bytes 1-1/4|etag: \"a\"|x: y|date: D|age: 0|"
         "content-length: 1| o"},
        {"GET", "range: bytes=1-1|if-range: \"b\"",
         "200 etag: \"a\"|x: y|date: D|age: 0|content-length: 4| body"},
    };
    struct content *content =
        content_of("etag: \"a\"|x: y|date: D", "body",
                   (struct store_meta){.status = 200, .fresh_s = 60});

    for (size_t i = 0; i < COUNT(cases); i++)
        is_text(reply_to(cases[i].method, cases[i].asked, content, 0, NULL),
                cases[i].want, "%s %s", cases[i].method, cases[i].asked);
    content_release(content);
    content = content_of("last-modified: Sun, 06 Nov 1994 08:49:37 GMT|date: D", "body",
                         (struct store_meta){.status = 200, .fresh_s = 60});
    is_text(reply_to("GET", "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT", content,
                     0, NULL),
            "304 last-modified: Sun, 06 Nov 1994 08:49:37 GMT|date: D|age: 0| ",
            "a date");
    content_release(content);
}

static void
test_a_304_updates_fields(void)
{
    struct content *content =
        content_of("etag: \"a\"|X: 1|x: 2|content-encoding: a|date: OLD", "body",
                   (struct store_meta){.status = 200});
    struct http_field fields[10], field;
    struct http_response res = {
        .status = 304,
        .fields = fields,
        .nfields = read_fields_of(
            "x: 3|new: 4|content-encoding: b|etag: \"b\"|connection: hop|hop: 5",
            fields),
    };
    char text[256] = "";
    struct buf out;

    buf_init(&out);
    is(reply_merge_fields(&out, content, &res, slice_of("NOW")), 0, "merged");
    struct slice rest = buf_bytes(&out);
    while (reply_next_field(&rest, &field))
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s: %.*s|",
                 (int)field.name.len, field.name.ptr, (int)field.value.len,
                 field.value.ptr);
    fields[0] =
        (struct http_field){slice_of("content-md5"), slice_of("x"), FIELD_OTHER};
    res.nfields = 1;
    buf_release(&out);
    is(reply_merge_fields(&out, content, &res, slice_of("NOW")), 0, "a new field");
    ok(memmem(buf_bytes(&out).ptr, out.len, "content-md5", 11) != NULL,
       "that describes the body is added");
    is_text(text, "date: NOW|etag: \"a\"|content-encoding: a|x: 3|new: 4|",
            "the new ones replace the old ones of their names");
    ok(slice_equal(reply_find_field(content, "etag"), slice_of("\"a\"")),
       "one is found");
    ok(reply_find_field(content, "nothing").ptr == NULL, "one is not");
    buf_release(&out);
    content_release(content);
}

static void
test_too_many_fields_and_no_memory(void)
{
    struct http_field fields[RULES_FIELDS_MAX];
    struct http_response res = {
        .status = 200, .fields = fields, .nfields = RULES_FIELDS_MAX};
    struct buf out;

    for (uint32_t i = 0; i < RULES_FIELDS_MAX; i++)
        fields[i] = (struct http_field){slice_of("x"), slice_of("y"), FIELD_OTHER};
    buf_init(&out);
    is(reply_keep_fields(&out, &res, slice_of("NOW")), ERR_AGAIN, "too many");
    res.nfields--;
    is(reply_keep_fields(&out, &res, slice_of("NOW")), 0, "as many as possible");
    buf_release(&out);
    static char large[UINT16_MAX + 1];
    fields[3].value = slice_new(large, sizeof large);
    is(reply_keep_fields(&out, &res, slice_of("NOW")), ERR_AGAIN, "a value too large");
    fields[3].value = slice_of("y");
    buf_release(&out);
    mem_fail_at(1);
    is(reply_keep_fields(&out, &res, slice_of("NOW")), ERR_NOMEM, "no memory");
    mem_fail_at(0);
    buf_release(&out);
}

int
main(void)
{
    store = small_store();
    test_a_response_has_its_age();
    test_conditions_and_ranges();
    test_a_304_updates_fields();
    test_too_many_fields_and_no_memory();
    return tap_done();
}
