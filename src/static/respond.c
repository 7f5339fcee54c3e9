/* SPDX-License-Identifier: MIT */
/* static/respond.c — see respond.h for the contract. */
#include "static/respond.h"

#include <assert.h>   /* assert */
#include <inttypes.h> /* PRIu64 */
#include <stdio.h>    /* snprintf */
#include <time.h>     /* time */

#include "base/err.h"
#include "base/mem.h"
#include "http/accept.h"
#include "http/conditional.h"
#include "http/range.h"
#include "static/send.h"

/* "multipart/byteranges; boundary=" and the boundary. */
#define MULTIPART_BYTES 80

/* ---- Short responses ------------------------------------------------------------- */

/* Sends `status` with a line of text and up to two more fields. */
static int
respond_text(struct stream *s, int status, const char *text,
             const struct http_field *more, uint32_t nmore)
{
    struct http_field fields[4] = {
        {.name = slice_of("content-type"),
         .value = slice_of("text/plain; charset=utf-8")},
        {.name = slice_of("cache-control"), .value = slice_of("no-store")},
    };
    struct http_response res = {.status = status, .fields = fields, .nfields = 2};
    const struct chunk body = {.bytes = slice_of(text)};

    assert(status >= 300 && nmore <= 2);
    for (uint32_t i = 0; i < nmore; i++)
        fields[res.nfields++] = more[i];
    int err = stream_send_head(s, &res);
    if (err == 0)
        err = stream_send_body(s, &body, true);
    return err == ERR_AGAIN ? 0 : err;
}

static int
respond_busy(struct stream *s, const struct http_head *head)
{
    const struct http_field retry = {.name = slice_of("retry-after"),
                                     .value = slice_of("1")};

    (void)head;
    return respond_text(s, 503, "Service Unavailable\n", &retry, 1);
}

static int
respond_missing(struct stream *s, const struct http_head *head)
{
    (void)head;
    return respond_text(s, 404, "Not Found\n", NULL, 0);
}

/* Redirects to the same path with a "/". The location is relative to the last name:
 * it is correct behind a proxy that removes a part of the path, and cannot name
 * another host. */
static int
respond_directory(struct stream *s, const struct http_head *head)
{
    struct slice path = head->path, query = head->query;
    size_t begin = path.len, room = path.len + query.len + 8;

    while (begin > 0 && path.ptr[begin - 1] != '/')
        begin--;
    char *text = mem_alloc(room);
    if (text == NULL)
        return ERR_NOMEM;
    struct slice name = slice_skip(path, begin);
    int n = snprintf(text, room, "./%.*s/%s%.*s", (int)name.len, name.ptr,
                     query.len > 0 ? "?" : "", (int)query.len,
                     query.len > 0 ? query.ptr : "");
    assert(n > 0 && (size_t)n < room);
    const struct http_field location = {.name = slice_of("location"),
                                        .value = slice_new(text, (size_t)n)};
    int err = respond_text(s, 301, "Moved Permanently\n", &location, 1);
    mem_free(text);
    return err;
}

/* ---- Files ----------------------------------------------------------------------- */

/* Chooses an available encoding that the client accepts. */
static struct variant *
choose(const struct entry *entry, const struct http_head *head)
{
    static const struct {
        enum load_encoding encoding;
        enum coding coding;
    } known[] = {
        {LOAD_BR, CODING_BROTLI}, {LOAD_ZSTD, CODING_ZSTD}, {LOAD_GZIP, CODING_GZIP}};
    enum coding offered[COUNT(known)];
    unsigned n = 0;
    struct accepted accepted;

    for (unsigned i = 0; i < COUNT(known); i++) {
        if (entry->variants[known[i].encoding] != NULL)
            offered[n++] = known[i].coding;
    }
    if (n > 0) {
        accept_read(&accepted, head);
        enum coding chosen = accept_choose(&accepted, offered, n);
        for (unsigned i = 0; i < COUNT(known); i++) {
            if (known[i].coding == chosen)
                return entry->variants[known[i].encoding];
        }
    }
    return entry->variants[LOAD_IDENTITY];
}

/* Copies the fields of the variant, with a different Content-Type and
 * Content-Length, and adds Content-Range. */
static int
send_partial_head(struct stream *s, const struct send_plan *plan, uint64_t len)
{
    struct http_field fields[VARIANT_FIELDS_MAX + 1];
    struct http_response res = {.status = 206, .fields = fields};
    char type[MULTIPART_BYTES], content[RANGE_CONTENT_BYTES], digits[24];
    const struct variant *v = plan->variant;

    memcpy(fields, v->fields, v->nfields * sizeof *fields);
    res.nfields = v->nfields;
    assert(fields[0].id == FIELD_CONTENT_TYPE);
    assert(fields[v->nfields - 1].id == FIELD_CONTENT_LENGTH);
    (void)snprintf(digits, sizeof digits, "%" PRIu64, len);
    fields[v->nfields - 1].value = slice_of(digits);
    if (plan->nranges > 1) {
        (void)snprintf(type, sizeof type, "multipart/byteranges; boundary=%s",
                       plan->boundary);
        fields[0].value = slice_of(type);
    } else {
        fields[res.nfields++] = (struct http_field){
            .name = slice_of("content-range"),
            .value = range_write_content(content, &plan->ranges[0], v->size),
        };
    }
    return stream_send_head(s, &res);
}

static int
respond_part(struct stream *s, struct send_plan *plan)
{
    uint64_t len = send_prepare(plan);
    int err = send_partial_head(s, plan, len);

    return err != 0 ? err : send_body(s, plan);
}

static int
respond_whole(struct stream *s, const struct send_plan *plan)
{
    struct http_response res = {
        .status = 200,
        .fields = plan->variant->fields,
        .nfields = plan->variant->nfields,
    };
    int err = stream_send_head(s, &res);

    return err != 0 ? err : send_body(s, plan);
}

static int
respond_not_modified(struct stream *s, struct variant *v)
{
    struct http_response res = {
        .status = 304,
        .fields = v->fields + v->kept,
        .nfields = v->nkept,
    };
    const struct chunk nothing = {.bytes = slice_of("")};
    int err = stream_send_head(s, &res);

    return err != 0 ? err : stream_send_body(s, &nothing, true);
}

static int
respond_unsatisfiable(struct stream *s, const struct variant *v)
{
    char content[RANGE_CONTENT_BYTES];
    const struct http_field range = {
        .name = slice_of("content-range"),
        .value = range_write_content(content, NULL, v->size),
    };

    return respond_text(s, 416, "Range Not Satisfiable\n", &range, 1);
}

static bool
has_range_field(const struct http_head *head)
{
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id == FIELD_RANGE)
            return true;
    }
    return false;
}

static int
respond_file(struct stream *s, const struct http_head *head, struct entry *entry)
{
    struct send_plan plan = {.entry = entry, .variant = choose(entry, head)};
    struct variant *v = plan.variant;
    const struct http_field allow = {.name = slice_of("allow"),
                                     .value = slice_of("GET, HEAD")};

    if (!s->is_head && !slice_equal(head->method, slice_of("GET")))
        return respond_text(s, 405, "Method Not Allowed\n", &allow, 1);
    switch (conditional_check(head, &v->validators, time(NULL))) {
    case CONDITIONAL_NOT_MODIFIED:
        return respond_not_modified(s, v);
    case CONDITIONAL_FAILED:
        return respond_text(s, 412, "Precondition Failed\n", NULL, 0);
    default:
        break;
    }
    if (s->is_head || !has_range_field(head) ||
        !conditional_has_range(head, &v->validators, time(NULL)))
        return respond_whole(s, &plan);
    switch (range_of_head(head, v->size, plan.ranges, &plan.nranges)) {
    case RANGE_UNSATISFIABLE:
        return respond_unsatisfiable(s, v);
    case RANGE_PART:
        return respond_part(s, &plan);
    default:
        return respond_whole(s, &plan);
    }
}

static int
respond_on_request(struct stream *s, const struct http_head *head)
{
    struct entry *entry = s->handler_arg;

    assert(entry->kind != ENTRY_LOADING && entry->nrefs > 0);
    switch ((enum entry_kind)entry->kind) {
    case ENTRY_FILE:
        return respond_file(s, head, entry);
    case ENTRY_DIRECTORY:
        return respond_directory(s, head);
    case ENTRY_MISSING:
        return respond_missing(s, head);
    case ENTRY_FORBIDDEN:
        return respond_text(s, 403, "Forbidden\n", NULL, 0);
    case ENTRY_FAILED:
        return respond_text(s, 500, "Internal Server Error\n", NULL, 0);
    default:
        return respond_busy(s, head);
    }
}

static void
respond_ignore_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    (void)last;
}

const struct stream_handler respond_handler = {
    .on_request = respond_on_request,
    .on_body = respond_ignore_body,
    .on_writable = send_on_writable,
    .on_close = send_on_close,
};

const struct stream_handler respond_busy_handler = {
    .on_request = respond_busy,
    .on_body = respond_ignore_body,
    .on_writable = send_on_writable,
    .on_close = send_on_close,
};

const struct stream_handler respond_missing_handler = {
    .on_request = respond_missing,
    .on_body = respond_ignore_body,
    .on_writable = send_on_writable,
    .on_close = send_on_close,
};
