/* SPDX-License-Identifier: MIT */
/* http/stream.c — see stream.h for the contract. */
#include "http/stream.h"

#include "base/err.h"
#include "http/status.h"

/* Gives every field its number and finds out what the response promises. */
static int
check_fields(const struct http_response *res, uint64_t *promised)
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

int
stream_send_head(struct stream *s, struct http_response *res)
{
    uint64_t promised;

    if (s->state != STREAM_OPEN)
        return ERR_CLOSED;
    if (res->status < 200 || res->status > 999)
        return ERR_RESPONSE_STATUS;
    int err = check_fields(res, &promised);
    if (err != 0)
        return err;
    s->status = (uint16_t)res->status;
    s->body_promised = promised;
    err = s->ops->send_head(s, res);
    if (err == 0)
        s->state = STREAM_HEAD_SENT;
    return err;
}

int
stream_open_tunnel(struct stream *s, struct http_response *res)
{
    uint64_t promised;

    if (s->state != STREAM_OPEN || !s->can_tunnel)
        return ERR_CLOSED;
    int err = check_fields(res, &promised);
    if (err != 0)
        return err;
    s->body_promised = HTTP_LENGTH_NONE;
    err = s->ops->open_tunnel(s, res);
    if (err == 0) {
        s->state = STREAM_HEAD_SENT;
        s->is_tunnel = true;
        s->body_ended = false;
        s->pulling = false; /* what was asked for before was the end */
    }
    return err;
}

void
stream_set_deadline(struct stream *s, uint64_t due_ms)
{
    if (s->state != STREAM_CLOSED && s->is_tunnel)
        s->ops->set_deadline(s, due_ms);
}

/* The peer gets what there is, so that it can tell a truncated answer from none. */
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

int
stream_send_body(struct stream *s, const struct chunk *body, bool last)
{
    static const struct chunk nothing = {.bytes = {"", 0}};

    if (s->state != STREAM_HEAD_SENT)
        return ERR_CLOSED;
    if (!s->is_tunnel && (s->is_head || status_has_no_body(s->status))) {
        body = &nothing;
    } else if (s->body_promised != HTTP_LENGTH_NONE) {
        uint64_t left = s->body_promised - s->body_sent;
        if (body->bytes.len > left)
            return ERR_RESPONSE_TOO_LONG;
        if (last && body->bytes.len < left)
            return send_short(s, body);
    }
    int err = s->ops->send_body(s, body, last);
    if (err == 0 || err == ERR_AGAIN) {
        s->body_sent += body->bytes.len;
        if (last && s->state == STREAM_HEAD_SENT)
            s->state = STREAM_ENDED;
    }
    return err;
}

int
stream_pull_body(struct stream *s)
{
    if (s->state == STREAM_CLOSED)
        return ERR_CLOSED;
    if (s->pulling)
        return 0;
    s->pulling = true;
    return s->ops->pull_body(s);
}

void
stream_fail(struct stream *s, int why)
{
    if (s->state == STREAM_OPEN || s->state == STREAM_HEAD_SENT)
        s->ops->fail(s, why);
}

void
stream_close(struct stream *s, int why)
{
    if (s->state == STREAM_CLOSED)
        return;
    s->state = STREAM_CLOSED;
    s->pulling = false;
    s->handler->on_close(s, why);
}
