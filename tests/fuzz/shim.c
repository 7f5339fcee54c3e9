/* SPDX-License-Identifier: MIT */
/* tests/fuzz/shim.c — the parser, framing and chunked decoder as one function that a
 * script can call through ctypes; for differential.py. */
#include <sys/types.h> /* ssize_t */

#include "base/err.h"
#include "http1/chunked.h"
#include "http1/framing.h"
#include "http1/parse.h"

#define EXPORT __attribute__((visibility("default")))
#define NFIELDS_MAX 128

ssize_t shim_request(const char *in, size_t len, char *out, size_t cap);
const char *shim_err_text(int err);

/* A list of byte strings, each with its length in four bytes (native) before it. */
struct list {
    char *bytes;
    size_t len, cap;
};

static int
put(struct list *list, struct slice s)
{
    uint32_t len = (uint32_t)s.len;
    if (list->cap - list->len < sizeof len + s.len)
        return ERR_NOMEM;
    memcpy(list->bytes + list->len, &len, sizeof len);
    memcpy(list->bytes + list->len + sizeof len, s.ptr, s.len);
    list->len += sizeof len + s.len;
    return 0;
}

/* Writes the body as one string; *in is advanced past it. */
static int
put_body(struct list *list, const struct http_limits *limits,
         const struct http_head *head, struct slice *in)
{
    struct h1_chunked c = {0};
    struct slice body = slice_new(in->ptr, 0), data;
    size_t at = list->len;
    if (!head->chunked) {
        size_t len =
            head->content_length == HTTP_LENGTH_NONE ? 0 : head->content_length;
        if (len > in->len)
            return ERR_AGAIN;
        body = slice_first(*in, len);
        *in = slice_skip(*in, len);
        return put(list, body);
    }
    if (put(list, body) != 0 || list->cap - list->len < in->len)
        return ERR_NOMEM;
    while (!c.ended) {
        int err = h1_chunked_decode(&c, limits, in, &data);
        if (err != 0)
            return err;
        memcpy(list->bytes + list->len, data.ptr, data.len);
        list->len += data.len;
    }
    uint32_t len = (uint32_t)c.body_bytes;
    memcpy(list->bytes + at, &len, sizeof len);
    return 0;
}

/* Reads one request from in[0, len) and writes to out[0, cap): method, target, version,
 * names and values as sent, an empty name, the body.  Returns the length of the
 * request, its body included, with *out filled, or a negative enum err. */
EXPORT ssize_t
shim_request(const char *in, size_t len, char *out, size_t cap)
{
    const struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct http_field fields[NFIELDS_MAX];
    struct http_head head = {.fields = fields, .nfields_max = NFIELDS_MAX};
    struct h1_progress progress = {0};
    struct list list = {out, 0, cap};
    struct slice rest = slice_new(in, len);
    ssize_t n = h1_parse_head(h1_scan_best(), &limits, rest, &progress, &head);
    if (n < 0)
        return n;

    int err = put(&list, head.method);
    if (err == 0)
        err = put(&list, head.target);
    if (err == 0)
        err = put(&list, slice_of(head.version == HTTP_1_1 ? "1.1" : "1.0"));
    for (uint32_t i = 0; i < head.nfields && err == 0; i++) {
        err = put(&list, fields[i].name);
        if (err == 0)
            err = put(&list, fields[i].value);
    }
    if (err == 0)
        err = put(&list, slice_of(""));
    /* Framing comes after parsing: it may replace the Host that was sent by an
     * authority. */
    if (err == 0)
        err = h1_frame_request(&head);
    rest = slice_skip(rest, (size_t)n);
    if (err == 0)
        err = put_body(&list, &limits, &head, &rest);
    return err == 0 ? rest.ptr - in : err;
}

/* Returns the text of an error, static. */
EXPORT const char *
shim_err_text(int err)
{
    return err_text(err);
}
