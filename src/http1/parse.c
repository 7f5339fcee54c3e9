/* SPDX-License-Identifier: MIT */
/* http1/parse.c — see parse.h for the contract.
 *
 * A line is read in two ways. The first is fast and only accepts correct lines; it
 * rejects wrong lines and incomplete ones alike. The second, refuse_line(), then
 * finds out which of the two it is, and is the only one that returns a specific
 * error. A line that the first accepts is never an error for the second, and the
 * other way round. */
#include "http1/parse.h"

#include <assert.h> /* assert */

#include "base/err.h" /* ERR_* */
#include "base/narrow.h"

#define VERSION_LINE_LEN 11 /* " HTTP/1.1\r\n" */

struct reader {
    const struct h1_scan *scan;
    const struct http_limits *limits;
    struct slice in;
    const char *end;  /* of in, or of the first limits->head_bytes of it */
    const char *seen; /* there is no line end between the current line and here */
    uint32_t nlines;  /* the request line and the fields that were read */
    uint32_t nempty;  /* empty lines before the request line */
    uint32_t nfields_max;
};

static bool
begins_empty_line(const char *p, const char *end)
{
    return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

/* Returns the byte after the request line at `p`, or NULL if it is incomplete or
 * wrong. */
static inline const char *
read_request_line(const struct reader *r, const char *p, struct http_head *head)
{
    const char *line = p;
    size_t n = r->scan->token(p, (size_t)(r->end - p));
    head->method = slice_new(p, n);
    p += n;
    if (n == 0 || p == r->end || *p != ' ')
        return NULL;

    p++;
    n = r->scan->target(p, (size_t)(r->end - p));
    head->target = slice_new(p, n);
    p += n;
    if (n == 0 || r->end - p < VERSION_LINE_LEN || memcmp(p, " HTTP/1.", 8) != 0 ||
        (p[8] != '0' && p[8] != '1') || p[9] != '\r' || p[10] != '\n')
        return NULL;

    head->version = p[8] == '1' ? HTTP_1_1 : HTTP_1_0;
    if ((size_t)(p + 9 - line) > r->limits->request_line_bytes)
        return NULL;
    return p + VERSION_LINE_LEN;
}

static inline bool
is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Returns the byte after the field line at `p`, or NULL if it is incomplete or
 * wrong. */
static inline const char *
h1_parse_read_field(const struct reader *r, const char *p, struct http_field *field)
{
    size_t n = r->scan->token(p, (size_t)(r->end - p));
    const char *value = p + n;
    if (n == 0 || value == r->end || *value != ':')
        return NULL;
    field->name = slice_new(p, n);
    field->id = field_lookup(field->name);

    value++;
    while (value < r->end && is_blank(*value))
        value++;
    n = r->scan->value(value, (size_t)(r->end - value));
    if (!begins_empty_line(value + n, r->end))
        return NULL;
    p = value + n + 2;
    while (n > 0 && is_blank(value[n - 1]))
        n--;
    field->value = slice_new(value, n);
    return p;
}

/* Finds the LF that ends the line at `p`. Returns 0, ERR_AGAIN, or the limit that the
 * line exceeds, which does not depend on the number of bytes that follow. */
static int
find_line_end(const struct reader *r, const char *p, const char **lf)
{
    size_t before = (size_t)(p - r->in.ptr);
    size_t have = r->in.len - before;
    size_t max = r->limits->head_bytes - before;
    int too_long = ERR_HEAD_TOO_LARGE;
    if (r->nlines == 0 && (size_t)r->limits->request_line_bytes + 2 <= max) {
        max = (size_t)r->limits->request_line_bytes + 2;
        too_long = ERR_TARGET_TOO_LONG;
    }
    size_t skip = r->seen > p ? (size_t)(r->seen - p) : 0;
    size_t n = have < max ? have : max;
    *lf = skip < n ? memchr(p + skip, '\n', n - skip) : NULL;
    if (*lf != NULL)
        return 0;
    return have < max ? ERR_AGAIN : too_long;
}

/* Returns what is wrong with the ends of a complete line, 0 if nothing is; removes its
 * CR. */
static int
check_line_end(struct slice *line)
{
    if (line->len == 0 || line->ptr[line->len - 1] != '\r')
        return ERR_BARE_LF;
    line->len--;
    return memchr(line->ptr, '\r', line->len) != NULL ? ERR_BARE_CR : 0;
}

/* Returns what is wrong with a complete request line. */
static int
request_line_err(struct slice line)
{
    int err = check_line_end(&line);
    if (err != 0)
        return err;

    size_t n = token_span(line.ptr, line.len);
    if (n == line.len)
        return ERR_REQUEST_LINE;
    if (n == 0 || line.ptr[n] != ' ')
        return ERR_METHOD;

    line = slice_skip(line, n + 1);
    n = 0;
    while (n < line.len && (uint8_t)(line.ptr[n] - 0x21) < 0x7F - 0x21)
        n++;
    if (n == line.len)
        return ERR_REQUEST_LINE;
    if (line.ptr[n] != ' ')
        return ERR_TARGET;

    line = slice_skip(line, n + 1);
    bool is_http = line.len == 8 && memcmp(line.ptr, "HTTP/", 5) == 0 &&
                   (uint8_t)(line.ptr[5] - '0') < 10 && line.ptr[6] == '.' &&
                   (uint8_t)(line.ptr[7] - '0') < 10;
    return n > 0 && is_http ? ERR_VERSION : ERR_REQUEST_LINE;
}

/* Returns what is wrong with a complete field line. */
static int
field_line_err(struct slice line)
{
    if (line.len > 0 && is_blank(line.ptr[0]))
        return ERR_FIELD_FOLDED;
    int err = check_line_end(&line);
    if (err != 0)
        return err;
    size_t n = token_span(line.ptr, line.len);
    if (n == 0 || n == line.len || line.ptr[n] != ':')
        return ERR_FIELD_NAME;
    return ERR_FIELD_VALUE;
}

/* Returns why the line at `p` was not read: ERR_AGAIN if more bytes may make it a
 * correct one. */
static int
refuse_line(const struct reader *r, const char *p)
{
    const char *lf;
    bool is_first = r->nlines == 0;
    if (is_first && p < r->end && !is_token_byte((uint8_t)*p) && *p != '\r' &&
        *p != '\n')
        return ERR_METHOD;
    int err = find_line_end(r, p, &lf);
    if (err != 0)
        return err;
    struct slice line = slice_new(p, (size_t)(lf - p));
    if (is_first)
        return request_line_err(line);
    if (r->nlines > r->nfields_max)
        return ERR_TOO_MANY_FIELDS;
    return field_line_err(line);
}

/* Reads lines from *at on, which is advanced to the first line that was not read.
 * Returns 0 if the empty line was read, otherwise the error of refuse_line(). */
static int
read_lines(struct reader *r, const char **at, struct http_head *head)
{
    const char *p = *at;
    const char *next;
    for (;;) {
        if (r->nlines == 0) {
            bool is_empty = begins_empty_line(p, r->end);
            if (is_empty && r->nempty < H1_EMPTY_LINES_MAX) {
                next = p + 2;
                r->nempty++;
            } else {
                next = read_request_line(r, p, head);
                r->nlines += next != NULL;
            }
        } else if (begins_empty_line(p, r->end)) {
            *at = p + 2;
            head->nfields = r->nlines - 1;
            return 0;
        } else if (LIKELY(r->nlines <= r->nfields_max)) {
            next = h1_parse_read_field(r, p, &head->fields[r->nlines - 1]);
            r->nlines += next != NULL;
        } else {
            next = NULL;
        }
        if (next == NULL) {
            *at = p;
            return refuse_line(r, p);
        }
        p = next;
    }
}

/* Continues to read at `progress`. Returns the length of the head or an error; updates
 * `progress` on ERR_AGAIN. */
static ssize_t
h1_parse_read_head(struct reader *r, struct h1_progress *progress,
                   struct http_head *head)
{
    const char *at = r->in.ptr + progress->lines_bytes;
    const char *lf;
    r->seen = r->in.ptr + progress->seen_bytes;
    r->nlines = progress->nlines;
    r->nempty = progress->nlines == 0 ? progress->lines_bytes / 2 : 0;

    int err = r->seen > at ? find_line_end(r, at, &lf) : 0;
    if (err == 0)
        err = read_lines(r, &at, head);
    if (err == ERR_AGAIN) {
        progress->lines_bytes = narrow_u32((uint64_t)(at - r->in.ptr));
        progress->seen_bytes = narrow_u32(r->in.len);
        progress->nlines = r->nlines;
    }
    return err == 0 ? at - r->in.ptr : err;
}

ssize_t
h1_parse_head(const struct h1_scan *scan, const struct http_limits *limits,
              struct slice in, struct h1_progress *progress, struct http_head *head)
{
    assert(progress->seen_bytes <= in.len);
    assert(progress->lines_bytes <= progress->seen_bytes);
    size_t n = in.len < limits->head_bytes ? in.len : limits->head_bytes;
    struct reader r = {
        .scan = scan,
        .limits = limits,
        .in = in,
        .end = in.ptr + n,
        .nfields_max =
            limits->fields < head->nfields_max ? limits->fields : head->nfields_max,
    };
    bool is_resumed = progress->lines_bytes > 0;
    ssize_t len = h1_parse_read_head(&r, progress, head);
    if (len == ERR_AGAIN)
        return len;
    *progress = (struct h1_progress){0};
    /* The lines of earlier calls were only checked: their bytes may have moved, and the
     * fields may belong to another connection by now. */
    if (len > 0 && is_resumed)
        len = h1_parse_read_head(&r, progress, head);
    assert(len != ERR_AGAIN);
    return len;
}
