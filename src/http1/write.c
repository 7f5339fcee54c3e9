/* SPDX-License-Identifier: MIT */
/* http1/write.c — see write.h for the contract. */
#include "http1/write.h"

#include <assert.h> /* assert */
#include <stdio.h>  /* snprintf */

#include "base/err.h"
#include "http/status.h"

/* Heads up to this size are written to one block. */
#define HEAD_PIECE_BYTES (OUTQ_BLOCK_BYTES / 2)

/* The longest status line, and the longest end of a head without the fields_sent. */
#define STATUS_LINE_BYTES 80u
#define HEAD_END_BYTES 160u

static char *
put(char *at, struct slice text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

#define PUT_LITERAL(at, text) put((at), slice_new((text), sizeof(text) - 1))

/* Writes decimal digits, without a terminating NUL. */
static char *
put_number(char *at, uint64_t number)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

/* Writes hexadecimal digits and CR LF: a chunk's size line. */
static char *
put_chunk_size(char *at, uint64_t number)
{
    int shift = 60;
    while (shift > 0 && (number >> shift) == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[(number >> shift) & 15];
    return PUT_LITERAL(at, "\r\n");
}

static char *
h1_write_put_status(char *at, int status)
{
    at = PUT_LITERAL(at, "HTTP/1.1 ");
    struct slice line = status_line(status);
    if (line.len == 0)
        at = PUT_LITERAL(put_number(at, (uint64_t)status), " ");
    else
        at = put(at, line);
    return PUT_LITERAL(at, "\r\n");
}

/* Returns whether the application's field is sent; records what the field means for the
 * response. */
static bool
h1_write_admit_field(struct h1_writer *w, int status, const struct http_field *field)
{
    switch (field->id) {
    case FIELD_TRANSFER_ENCODING: /* ASGI E24: the server does the framing. */
        return false;
    case FIELD_CONNECTION:
        if (field_list_has(field->value, "close"))
            w->keeps_alive = false;
        return false;
    case FIELD_UPGRADE:
        return status != 101;
    case FIELD_CONTENT_LENGTH:
        if (status < 200 || status == 204) /* RFC 9110 8.6 */
            return false;
        w->has_length = true;
        return true;
    case FIELD_DATE:
        w->has_date = true;
        return true;
    case FIELD_SERVER:
        w->has_server = true;
        return true;
    case FIELD_X_REQUEST_ID:
        w->request_id.len = 0;
        return true;
    default:
        return true;
    }
}

static char *
put_field(char *at, const struct http_field *field)
{
    at = put(at, field->name);
    at = PUT_LITERAL(at, ": ");
    at = put(at, field->value);
    return PUT_LITERAL(at, "\r\n");
}

static size_t
field_bytes(const struct http_field *field)
{
    return field->name.len + field->value.len + 4;
}

static struct http_field
id_field(const struct h1_writer *w)
{
    return (struct http_field){slice_of("x-request-id"), w->request_id,
                               FIELD_X_REQUEST_ID};
}

/* A head that is too large for one block is written line by line. */
static int
write_large_field(struct outq *q, const struct http_field *field)
{
    if (outq_copy(q, field->name) != 0 || outq_copy(q, slice_of(": ")) != 0 ||
        outq_copy(q, field->value) != 0 || outq_copy(q, slice_of("\r\n")) != 0)
        return ERR_NOMEM;
    return 0;
}

static int
write_large_head(struct h1_writer *w, struct outq *q, const struct http_response *res)
{
    char line[STATUS_LINE_BYTES];
    char *end = h1_write_put_status(line, res->status);
    int err = outq_copy(q, slice_new(line, (size_t)(end - line)));
    for (uint32_t i = 0; err == 0 && i < res->nfields; i++) {
        if (h1_write_admit_field(w, res->status, &res->fields[i]))
            err = write_large_field(q, &res->fields[i]);
    }
    if (err == 0 && w->request_id.len > 0) {
        struct http_field id = id_field(w);
        err = write_large_field(q, &id);
    }
    return err;
}

int
h1_write_head(struct h1_writer *w, struct outq *q, const struct http_response *res)
{
    struct http_field id = id_field(w);
    bool keeps_alive = w->keeps_alive;
    size_t bytes = STATUS_LINE_BYTES + field_bytes(&id);
    for (uint32_t i = 0; i < res->nfields; i++)
        bytes += field_bytes(&res->fields[i]);

    outq_hold(q);
    if (UNLIKELY(w->owes_continue) && (w->interim = outq_gap(q)) == NULL)
        goto fail;
    if (bytes > HEAD_PIECE_BYTES) {
        if (write_large_head(w, q, res) != 0)
            goto fail;
        return 0;
    }
    char *start = outq_reserve(q, bytes);
    if (start == NULL)
        goto fail;
    char *at = h1_write_put_status(start, res->status);
    for (uint32_t i = 0; i < res->nfields; i++) {
        if (h1_write_admit_field(w, res->status, &res->fields[i]))
            at = put_field(at, &res->fields[i]);
    }
    if (UNLIKELY(w->request_id.len > 0))
        at = put_field(at, &id);
    outq_commit(q, (size_t)(at - start));
    return 0;

fail: /* another head may follow, without these fields */
    outq_take_back(q);
    w->interim = NULL;
    w->has_length = w->has_date = w->has_server = false;
    w->keeps_alive = keeps_alive;
    w->request_id = id.value;
    return ERR_NOMEM;
}

/* Writes the fields that the server adds, including the Connection field. */
static char *
put_own_fields(char *at, const struct h1_writer *w, struct service *service)
{
    if (service->sends_date && !w->has_date) {
        at = PUT_LITERAL(at, "date: ");
        at = put(at, clock_date(&service->clock));
        at = PUT_LITERAL(at, "\r\n");
    }
    if (service->sends_server && !w->has_server)
        at = PUT_LITERAL(at, "server: bolide\r\n");
    if (!w->keeps_alive)
        at = PUT_LITERAL(at, "connection: close\r\n");
    else if (w->is_1_0)
        at = PUT_LITERAL(at, "connection: keep-alive\r\n");
    return at;
}

/* Ends the head: the server's fields, the framing of the body, and the empty line. */
static int
write_head_end(const struct h1_writer *w, struct outq *q, struct service *service,
               uint64_t length)
{
    if (w->fields_sent.len > 0 && outq_copy(q, w->fields_sent) != 0)
        return ERR_NOMEM;
    char *start = outq_reserve(q, HEAD_END_BYTES);
    if (start == NULL)
        return ERR_NOMEM;
    char *at = put_own_fields(start, w, service);
    if (w->framing == H1_CHUNKED) {
        at = PUT_LITERAL(at, "transfer-encoding: chunked\r\n");
    } else if (length != HTTP_LENGTH_NONE) {
        at = PUT_LITERAL(at, "content-length: ");
        at = put_number(at, length);
        at = PUT_LITERAL(at, "\r\n");
    }
    at = PUT_LITERAL(at, "\r\n");
    outq_commit(q, (size_t)(at - start));
    return 0;
}

/* Lets what was held back be written. */
static void
unhold(struct h1_writer *w, struct outq *q)
{
    assert(q->holding);
    w->interim = NULL;
    w->has_continue = false;
    outq_unhold(q);
}

int
h1_write_tunnel(struct h1_writer *w, struct outq *q, struct service *service,
                const struct http_response *res)
{
    const struct h1_writer before = *w;
    struct http_response switching = *res;

    switching.status = 101;
    w->keeps_alive = true; /* no "connection: close" besides the upgrade */
    int err = h1_write_head(w, q, &switching);
    if (err != 0) {
        *w = before;
        return err;
    }
    w->keeps_alive = true;
    w->framing = H1_TUNNEL;
    err = outq_copy(q, slice_of("connection: Upgrade\r\nupgrade: websocket\r\n"));
    if (err == 0)
        err = write_head_end(w, q, service, HTTP_LENGTH_NONE);
    if (err != 0) {
        outq_take_back(q);
        *w = before;
        return err;
    }
    w->keeps_alive = false;
    unhold(w, q);
    return 0;
}

/* Holds back the first body bytes, after a gap for the field that frames them. */
static int
begin_held(struct h1_writer *w, struct outq *q, struct service *service)
{
    char *start;

    if (w->fields_sent.len > 0 && outq_copy(q, w->fields_sent) != 0)
        return ERR_NOMEM;
    start = outq_reserve(q, HEAD_END_BYTES);
    if (start == NULL)
        return ERR_NOMEM;
    outq_commit(q, (size_t)(put_own_fields(start, w, service) - start));
    w->gap = outq_gap(q);
    if (w->gap == NULL)
        return ERR_NOMEM;
    w->framing = H1_HELD;
    return 0;
}

/* Frames a body whose length will not be known before it is sent. */
static void
decide_framing(struct h1_writer *w, bool no_body)
{
    assert(w->framing == H1_UNDECIDED);
    if (no_body || w->has_length) {
        w->framing = H1_LENGTH;
    } else if (w->is_1_0) {
        w->keeps_alive = false;
        w->framing = H1_CLOSE;
    } else {
        w->framing = H1_CHUNKED;
    }
}

/* The first part of the body decides how the body is framed. */
static int
write_first(struct h1_writer *w, struct outq *q, struct service *service,
            const struct chunk *body, bool last, bool no_body)
{
    uint64_t length = HTTP_LENGTH_NONE;

    if (no_body || w->has_length) {
        w->framing = H1_LENGTH;
    } else if (last) {
        length = body->bytes.len;
        w->framing = H1_LENGTH;
    } else if (!w->is_1_0) {
        return begin_held(w, q, service);
    } else {
        decide_framing(w, no_body);
    }
    int err = write_head_end(w, q, service, length);
    unhold(w, q);
    return err;
}

/* The head is sent before any part of the body. */
static int
release_head(struct h1_writer *w, struct outq *q, struct service *service, bool no_body)
{
    if (!q->holding)
        return 0;
    decide_framing(w, no_body);
    int err = write_head_end(w, q, service, HTTP_LENGTH_NONE);
    unhold(w, q);
    return err;
}

static void
fill_gap(struct h1_writer *w, struct outq *q, const char *text, const char *end)
{
    outq_fill(q, w->gap, slice_new(text, (size_t)(end - text)));
    w->gap = NULL;
    unhold(w, q);
}

static int
release_body(struct h1_writer *w, struct outq *q)
{
    char text[OUTQ_GAP_BYTES];

    assert(w->framing == H1_HELD && w->gap != NULL);
    w->framing = H1_CHUNKED;
    char *at = PUT_LITERAL(text, "transfer-encoding: chunked\r\n\r\n");
    if (w->held_bytes > 0)
        at = put_chunk_size(at, w->held_bytes);
    fill_gap(w, q, text, at);
    return w->held_bytes > 0 ? outq_copy(q, slice_of("\r\n")) : 0;
}

int
h1_write_release(struct h1_writer *w, struct outq *q, struct service *service,
                 bool no_body)
{
    switch (w->framing) {
    case H1_UNDECIDED:
        return release_head(w, q, service, no_body);
    case H1_HELD:
        return release_body(w, q);
    default:
        return 0;
    }
}

int
h1_write_continue(struct h1_writer *w, struct outq *q)
{
    struct slice text = slice_of("HTTP/1.1 100 Continue\r\n\r\n");

    if (!q->holding)
        return w->framing == H1_UNDECIDED ? outq_copy(q, text) : 0;
    if (w->interim == NULL)
        return 0;
    outq_fill(q, w->interim, text);
    w->interim = NULL;
    w->has_continue = true;
    return 0;
}

/* The whole response is available: it is sent with its length. */
static void
release_whole(struct h1_writer *w, struct outq *q)
{
    char text[OUTQ_GAP_BYTES];
    char *at = PUT_LITERAL(text, "content-length: ");
    at = put_number(at, w->held_bytes);
    at = PUT_LITERAL(at, "\r\n\r\n");
    w->framing = H1_LENGTH;
    fill_gap(w, q, text, at);
}

static int
write_held(struct h1_writer *w, struct outq *q, const struct chunk *body, bool last)
{
    int err = chunk_queue(q, body);
    if (err != 0)
        return err;
    w->held_bytes += body->bytes.len;
    if (last)
        release_whole(w, q);
    else if (w->held_bytes > HTTP_OUT_HELD_BYTES)
        err = release_body(w, q);
    return err;
}

static int
write_chunk(struct outq *q, const struct chunk *body, bool last)
{
    if (body->bytes.len > 0) {
        char *start = outq_reserve(q, 20);
        if (start == NULL)
            return ERR_NOMEM;
        outq_commit(q, (size_t)(put_chunk_size(start, body->bytes.len) - start));
        if (chunk_queue(q, body) != 0)
            return ERR_NOMEM;
        return outq_copy(q, slice_of(last ? "\r\n0\r\n\r\n" : "\r\n"));
    }
    return last ? outq_copy(q, slice_of("0\r\n\r\n")) : 0;
}

int
h1_write_body(struct h1_writer *w, struct outq *q, struct service *service,
              const struct chunk *body, bool last, bool no_body)
{
    if (w->framing == H1_UNDECIDED) {
        int err = write_first(w, q, service, body, last, no_body);
        if (err != 0)
            return err;
    }
    /* A file is not held back: its end may be far away. */
    if (w->framing == H1_HELD && body->file != NULL) {
        int err = release_body(w, q);
        if (err != 0)
            return err;
    }
    switch (w->framing) {
    case H1_HELD:
        return write_held(w, q, body, last);
    case H1_CHUNKED:
        return write_chunk(q, body, last);
    default:
        assert(w->framing == H1_LENGTH || w->framing >= H1_CLOSE);
        return chunk_queue(q, body);
    }
}

static int
write_fields(struct outq *q, const struct http_field *fields, uint32_t n)
{
    int err = 0;

    for (uint32_t i = 0; err == 0 && i < n; i++)
        err = write_large_field(q, &fields[i]);
    return err == 0 ? outq_copy(q, slice_of("\r\n")) : err;
}

int
h1_write_trailers(struct h1_writer *w, struct outq *q, struct service *service,
                  const struct http_field *fields, uint32_t n)
{
    int err = h1_write_release(w, q, service, false);

    if (err != 0 || w->framing != H1_CHUNKED)
        return err;
    err = outq_copy(q, slice_of("0\r\n"));
    return err == 0 ? write_fields(q, fields, n) : err;
}

int
h1_write_interim(struct outq *q, const struct http_response *res)
{
    char line[STATUS_LINE_BYTES];
    char *end = h1_write_put_status(line, res->status);

    outq_hold(q);
    int err = outq_copy(q, slice_new(line, (size_t)(end - line)));
    if (err == 0)
        err = write_fields(q, res->fields, res->nfields);
    if (err != 0) {
        outq_take_back(q);
        return err;
    }
    outq_unhold(q);
    return 0;
}

int
h1_write_notice(struct outq *q, struct service *service, const struct h1_notice *notice)
{
    struct h1_writer w = {
        .keeps_alive = notice->keeps_alive,
        .request_id = notice->request_id,
        .fields_sent = notice->fields_sent,
    };

    int err = h1_write_head(&w, q, &notice->notice->res);
    if (err != 0)
        return err;
    w.framing = H1_LENGTH;
    err = write_head_end(&w, q, service, notice->notice->text.len);
    unhold(&w, q);
    if (err != 0 || notice->is_head)
        return err;
    return outq_copy(q, notice->notice->text);
}
