/* SPDX-License-Identifier: MIT */
/* http/stream.c — see stream.h for the contract. */
#include "http/stream.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/narrow.h"
#include "http/field.h"
#include "http/limits.h"
#include "http/status.h"

int
chunk_queue(struct outq *q, const struct chunk *chunk)
{
    if (chunk->bytes.len == 0)
        return 0;
    if (chunk->file != NULL)
        return outq_lend_file(q, chunk->file, chunk->offset, chunk->bytes.len);
    if (chunk->lender != NULL && chunk->bytes.len >= chunk->lender->bytes_min)
        return outq_lend(q, chunk->bytes, chunk->lender, chunk->owner);
    return outq_copy(q, chunk->bytes);
}

/* Sets the number of every field and determines what the response promises. */
static int
stream_check_fields(const struct http_response *res, uint64_t *promised)
{
    *promised = HTTP_LENGTH_NONE;
    for (uint32_t i = 0; i < res->nfields; i++) {
        struct http_field *field = &res->fields[i];
        field->id = field_lookup(field->name);
        if (field->id == FIELD_OTHER && !is_token(field->name))
            return ERR_RESPONSE_FIELD_NAME;
        if (!is_field_value(field->value))
            return ERR_RESPONSE_FIELD_VALUE;
        if (field->id == FIELD_CONTENT_LENGTH) {
            if (*promised != HTTP_LENGTH_NONE ||
                !field_to_number(field->value, promised))
                return ERR_RESPONSE_LENGTH;
        }
    }
    return 0;
}

/* States only move forward. */
static void
advance(struct stream *s, enum stream_state state)
{
    assert(state > s->state);
    assert(state != STREAM_ENDED || s->state <= STREAM_HEAD_SENT);
    s->state = narrow_u8(state);
}

static void
accept_head(struct stream *s, const struct http_response *res)
{
    advance(s, STREAM_HEAD_SENT);
    assert(s->status >= 100 && s->body_sent == 0 && !s->is_body_sent);
    if (s->on_head != NULL)
        s->on_head(s, res);
}

int
stream_send_head(struct stream *s, struct http_response *res)
{
    uint64_t promised;

    assert(s->state != STREAM_OPEN || s->status == 0);
    if (s->state != STREAM_OPEN)
        return ERR_CLOSED;
    if (res->status < 200 || res->status > 999)
        return ERR_RESPONSE_STATUS;
    int err = stream_check_fields(res, &promised);
    if (err != 0)
        return err;
    s->status = narrow_u16((uint64_t)res->status);
    s->body_promised = promised;
    err = s->ops->send_head(s, res);
    assert(s->state == STREAM_OPEN); /* no callback is called from there */
    if (err != 0) {
        s->status = 0;
        s->body_promised = HTTP_LENGTH_NONE;
        return err;
    }
    s->owes_trailers = res->has_trailers;
    accept_head(s, res);
    return 0;
}

int
stream_open_tunnel(struct stream *s, struct http_response *res)
{
    uint64_t promised;

    if (s->state != STREAM_OPEN || !s->can_tunnel)
        return ERR_CLOSED;
    int err = stream_check_fields(res, &promised);
    if (err != 0)
        return err;
    s->body_promised = HTTP_LENGTH_NONE;
    err = s->ops->open_tunnel(s, res);
    assert(s->state == STREAM_OPEN);
    if (err == 0) {
        s->is_tunnel = true;
        s->body_ended = false;
        s->pulling = false; /* the earlier pull requested the end */
        accept_head(s, res);
    }
    return err;
}

void
stream_set_deadline(struct stream *s, uint64_t due_ms)
{
    if (s->state != STREAM_CLOSED && s->is_tunnel)
        s->ops->set_deadline(s, due_ms);
}

void
stream_complain(struct stream *s, int why)
{
    assert(why < 0);
    if (s->state != STREAM_CLOSED)
        s->ops->complain(s, why);
}

bool
stream_spend(struct stream *s, uint64_t points)
{
    assert(s->is_tunnel);
    if (s->state == STREAM_CLOSED)
        return true;
    if (s->ops->spend(s, points))
        return true;
    s->waits_for_budget = true;
    return false;
}

/* The peer gets the available bytes, so that it can distinguish a truncated response
 * from none. */
static int
send_short(struct stream *s, const struct chunk *body)
{
    int err = s->ops->send_body(s, body, false);
    if (err != 0 && err != ERR_AGAIN)
        return err;
    s->body_sent += body->bytes.len;
    stream_fail(s, ERR_RESPONSE_TOO_SHORT);
    return ERR_RESPONSE_TOO_SHORT;
}

static const struct chunk nothing = {.bytes = {"", 0}};

bool
stream_has_no_body(const struct stream *s)
{
    return !s->is_tunnel && (s->is_head || status_has_no_body(s->status));
}

static void
end_if_complete(struct stream *s)
{
    if (s->is_body_sent && !s->owes_trailers && s->state == STREAM_HEAD_SENT)
        advance(s, STREAM_ENDED);
}

void
stream_rest(struct stream *s)
{
    if (s->state == STREAM_CLOSED)
        return;
    s->waits_for_writable = true;
    s->ops->rest(s);
}

/* Counts `n` bytes of a message that is no part of the body. Returns 0, or ERR_AGAIN if
 * `most` of them were sent since the stream has rested last. */
static int
stream_count(struct stream *s, size_t n, uint64_t most)
{
    assert(s->dropped < HTTP_DROPPED_BYTES && most <= HTTP_DROPPED_BYTES);
    s->dropped += (uint64_t)n + STREAM_PART_BYTES;
    if (s->dropped < most)
        return 0;
    s->dropped = 0;
    stream_rest(s);
    return ERR_AGAIN;
}

/* A part that adds no byte to the output can never fill it. */
static int
stream_drop(struct stream *s, size_t n, int err)
{
    if (err != 0 || s->state != STREAM_HEAD_SENT)
        return err;
    return stream_count(s, n, HTTP_DROPPED_BYTES);
}

int
stream_send_nothing(struct stream *s)
{
    if (s->state == STREAM_CLOSED)
        return ERR_CLOSED;
    return stream_count(s, 0, HTTP_DROPPED_BYTES);
}

static void
accept_body(struct stream *s, const struct chunk *body, bool last)
{
    assert(!s->is_body_sent && s->state != STREAM_OPEN);
    s->body_sent += body->bytes.len;
    s->is_body_sent = last;
}

/* Checks the promise of the head. Returns 0, ERR_RESPONSE_TOO_LONG or
 * ERR_RESPONSE_TOO_SHORT. */
static int
check_promise(const struct stream *s, size_t n, bool last)
{
    assert(s->body_sent <= s->body_promised);
    uint64_t left = s->body_promised - s->body_sent;

    if (n > left)
        return ERR_RESPONSE_TOO_LONG;
    return last && n < left ? ERR_RESPONSE_TOO_SHORT : 0;
}

int
stream_send_body(struct stream *s, const struct chunk *body, bool last)
{
    size_t given = body->bytes.len;

    if (s->state != STREAM_HEAD_SENT || s->is_body_sent)
        return ERR_CLOSED;
    if (stream_has_no_body(s)) {
        body = &nothing;
    } else if (s->body_promised != HTTP_LENGTH_NONE) {
        int wrong = check_promise(s, body->bytes.len, last);
        if (UNLIKELY(wrong != 0))
            return wrong == ERR_RESPONSE_TOO_LONG ? wrong : send_short(s, body);
    }
    bool ends = last && !s->owes_trailers;
    int err = s->ops->send_body(s, body, ends);
    if (err == 0 || err == ERR_AGAIN) {
        assert(err == 0 || s->waits_for_writable);
        accept_body(s, body, last);
        end_if_complete(s);
    } else if (err == STREAM_HELD) {
        assert(ends && s->filters != NULL);
        accept_body(s, body, true);
        err = 0;
    }
    return UNLIKELY(body->bytes.len == 0) && !last ? stream_drop(s, given, err) : err;
}

/* Trailers */

/* Returns whether a field must come before the body (RFC 9110 6.5.1). */
static bool
belongs_in_head(const struct http_field *field)
{
    static const char *const others[] = {
        "content-range",    "max-forwards", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "set-cookie",   "www-authenticate",
    };

    switch (field->id) {
    case FIELD_HOST:
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_CONNECTION:
    case FIELD_EXPECT:
    case FIELD_UPGRADE:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_KEEP_ALIVE:
    case FIELD_AUTHORIZATION:
    case FIELD_CACHE_CONTROL:
    case FIELD_CONTENT_TYPE:
    case FIELD_CONTENT_ENCODING:
    case FIELD_COOKIE:
    case FIELD_RANGE:
        return true;
    case FIELD_OTHER:
        return field_is_one_of(field->name, others, COUNT(others));
    default:
        return false;
    }
}

int
stream_check_trailers(struct http_field *fields, uint32_t n)
{
    struct http_response res = {.fields = fields, .nfields = n};
    uint64_t unused;
    int err = stream_check_fields(&res, &unused);

    for (uint32_t i = 0; err == 0 && i < n; i++)
        err = belongs_in_head(&fields[i]) ? ERR_RESPONSE_TRAILER : 0;
    return err == ERR_RESPONSE_LENGTH ? ERR_RESPONSE_TRAILER : err;
}

/* RFC 9110 6.5.1. HTTP/2 has a place for trailers in every response, which gRPC needs,
 * and proxies on the way may have dropped TE, a field of one hop. */
static bool
takes_trailers(const struct stream *s)
{
    return (s->te_trailers || s->version >= HTTP_2) && !stream_has_no_body(s);
}

int
stream_send_trailers(struct stream *s, struct http_field *fields, uint32_t n)
{
    if (s->state != STREAM_HEAD_SENT || !s->owes_trailers || !s->is_body_sent)
        return ERR_CLOSED;
    int err = stream_check_trailers(fields, n);
    if (err != 0)
        return err;
    if (n > 0 && takes_trailers(s))
        err = s->ops->send_trailers(s, fields, n);
    else
        err = s->ops->send_body(s, &nothing, true);
    if (err == 0 && s->state == STREAM_HEAD_SENT)
        advance(s, STREAM_ENDED);
    return err == STREAM_HELD ? 0 : err;
}

int
stream_send_interim(struct stream *s, int status, struct http_field *fields, uint32_t n)
{
    struct http_response res = {.status = status, .fields = fields, .nfields = n};
    uint64_t unused;

    if (s->state != STREAM_OPEN)
        return ERR_CLOSED;
    int err = stream_check_fields(&res, &unused);
    if (err != 0)
        return err;
    if (s->version == HTTP_1_0)
        return stream_send_nothing(s);
    err = s->ops->send_interim(s, &res);
    if (err != 0 || s->state != STREAM_OPEN)
        return err;
    size_t size = 0;
    for (uint32_t i = 0; i < n; i++)
        size += fields[i].name.len + fields[i].value.len;
    return stream_count(s, size, HTTP_OUT_HIGH_BYTES);
}

int
stream_pull_body(struct stream *s)
{
    if (s->state == STREAM_CLOSED)
        return ERR_CLOSED;
    if (s->pulling)
        return 0;
    s->pulling = true;
    int err = s->ops->pull_body(s);
    assert(err == 0 || err == ERR_CLOSED);
    return err;
}

void
stream_fail(struct stream *s, int why)
{
    if (s->state == STREAM_OPEN || s->state == STREAM_HEAD_SENT)
        s->ops->fail(s, why);
}

/* For protocols */

void
stream_hand_up(struct stream *s, struct slice bytes, bool last)
{
    assert(s->state != STREAM_CLOSED);
    assert(s->pulling && !s->body_ended);
    assert(bytes.len > 0 || last);
    s->pulling = false;
    s->body_ended = last;
    s->body_received += bytes.len;
    s->handler->on_body(s, bytes, last);
}

void
stream_drained(struct stream *s)
{
    assert(s->state != STREAM_CLOSED && s->waits_for_writable);
    s->waits_for_writable = false;
    s->handler->on_writable(s);
}

void
stream_ring(struct stream *s)
{
    assert(s->state != STREAM_CLOSED && s->is_tunnel);
    s->handler->on_deadline(s);
}

void
stream_tell_stop(struct stream *s)
{
    assert(s->state != STREAM_CLOSED && s->is_tunnel);
    s->handler->on_shutdown(s);
}

void
stream_end(struct stream *s)
{
    advance(s, STREAM_ENDED);
}

void
stream_close(struct stream *s, int why)
{
    assert(why <= 0);
    if (s->state == STREAM_CLOSED)
        return;
    assert(why != 0 || s->state == STREAM_ENDED);
    advance(s, STREAM_CLOSED);
    s->pulling = false;
    s->waits_for_writable = false;
    s->handler->on_close(s, why);
    assert(s->state == STREAM_CLOSED && !s->pulling);
}
