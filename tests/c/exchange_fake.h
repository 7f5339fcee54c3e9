/* SPDX-License-Identifier: MIT */
/* tests/c/exchange_fake.h — a protocol in memory for the exchange core: its
 * responses are sent byte by byte, as far as the test allows, and every event is
 * recorded. Header only, on fake_wire.h. */
#ifndef TESTS_EXCHANGE_FAKE_H
#define TESTS_EXCHANGE_FAKE_H

#include "fake_wire.h"
#include "http/exchange.h"

struct fake_exchange {
    struct exchange core;
    size_t queued; /* bytes of the response that wait */
    size_t takes;  /* bytes that the peer accepts until it blocks */
    size_t taken, given_room;
    bool is_cut; /* truncate was called: nothing more is sent */
    bool is_out; /* the whole response was sent */
    int ncloses, nbodies, npulls;
    char log[256]; /* what was called, in order */
};

static struct fake fake;
static struct fake_exchange it;

static void
note(const char *word)
{
    size_t n = strlen(it.log);

    snprintf(it.log + n, sizeof it.log - n, "%s%s", n > 0 ? " " : "", word);
}

static void
note_number(const char *word, int number)
{
    char text[64];

    snprintf(text, sizeof text, "%s %d", word, number);
    note(text);
}

/* The protocol */

/* The peer takes what it can; the end of a response may be the end of the exchange. */
static void
fake_x_flush(struct exchange *x)
{
    size_t n = it.queued < it.takes ? it.queued : it.takes;

    if (it.is_cut || x->is_gone)
        return;
    it.queued -= n;
    it.takes -= n;
    it.taken += n;
    if (n > 0)
        exchange_taken(x, n);
    if (x->tx != EXCHANGE_COMPLETE || it.queued > 0 || it.is_out)
        return;
    it.is_out = true;
    if (x->rx >= EXCHANGE_RX_ENDED)
        exchange_lose(x);
    else
        exchange_discard(x);
}

static int
fake_x_send_head(struct exchange *x, const struct http_response *res)
{
    (void)x;
    note_number("head", res->status);
    return 0;
}

static int
fake_x_open_tunnel(struct exchange *x, const struct http_response *res)
{
    (void)res;
    note("tunnel");
    x->stream.status = 101;
    return 0;
}

static int
fake_x_send_interim(struct exchange *x, const struct http_response *res)
{
    (void)x;
    note_number("interim", res->status);
    return 0;
}

static void
fake_x_queue(struct exchange *x, size_t n)
{
    it.queued += n;
    if (n > 0)
        exchange_queued(x);
}

static int
fake_x_send_body(struct exchange *x, const struct chunk *body, bool last)
{
    note(last ? "last" : "body");
    fake_x_queue(x, body->bytes.len);
    return it.queued > HTTP_OUT_HIGH_BYTES ? ERR_AGAIN : 0;
}

static int
fake_x_send_trailers(struct exchange *x, const struct http_field *fields, uint32_t n)
{
    (void)x;
    (void)fields;
    note_number("trailers", (int)n);
    return 0;
}

static int
fake_x_release(struct exchange *x)
{
    (void)x;
    note("released");
    return 0;
}

static int
fake_x_continue(struct exchange *x)
{
    (void)x;
    note("continue");
    return 0;
}

static int
fake_x_replace(struct exchange *x, const struct notice *notice, int why)
{
    (void)why;
    note_number("answer", notice->res.status);
    fake_x_queue(x, notice->text.len);
    return 0;
}

static void
fake_x_truncate(struct exchange *x, int why, bool by_handler)
{
    (void)x;
    (void)why;
    note(by_handler ? "cut" : "break");
    it.is_cut = true;
}

static void
fake_x_give_room(struct exchange *x, size_t n)
{
    (void)x;
    it.given_room += n;
}

static void
fake_x_leave(struct exchange *x)
{
    (void)x;
    note("leave");
}

static bool
fake_x_is_leaving(const struct exchange *x)
{
    (void)x;
    return false;
}

static void
fake_x_rest(struct exchange *x)
{
    x->wire->ops->owe_drained(x->wire);
}

static size_t
fake_x_queued(const struct exchange *x)
{
    (void)x;
    return it.queued;
}

static void
fake_x_arm(struct exchange *x, uint64_t due_ms)
{
    if (due_ms < x->wire->read_due_ms)
        x->wire->read_due_ms = due_ms;
}

static const struct exchange_ops fake_exchange_ops = {
    .send_head = fake_x_send_head,
    .open_tunnel = fake_x_open_tunnel,
    .send_interim = fake_x_send_interim,
    .send_body = fake_x_send_body,
    .send_trailers = fake_x_send_trailers,
    .release = fake_x_release,
    .send_continue = fake_x_continue,
    .replace = fake_x_replace,
    .truncate = fake_x_truncate,
    .supply = exchange_deliver,
    .give_room = fake_x_give_room,
    .leave = fake_x_leave,
    .is_leaving = fake_x_is_leaving,
    .flush = fake_x_flush,
    .rest = fake_x_rest,
    .queued = fake_x_queued,
    .arm = fake_x_arm,
};

/* The handler */

static int
fake_x_on_request(struct stream *s, const struct http_head *head)
{
    (void)s;
    (void)head;
    return 0;
}

static void
fake_x_on_body(struct stream *s, struct slice bytes, bool last)
{
    char text[64];

    (void)s;
    it.nbodies++;
    snprintf(text, sizeof text, "got %zu%s", bytes.len, last ? " last" : "");
    note(text);
}

static void
fake_x_on_writable(struct stream *s)
{
    (void)s;
    note("writable");
}

static void
fake_x_on_event(struct stream *s)
{
    (void)s;
    note("rung");
}

static void
fake_x_on_close(struct stream *s, int why)
{
    (void)s;
    it.ncloses++;
    note(why == 0 ? "closed" : "lost");
}

static const struct stream_handler fake_x_handler = {
    .on_request = fake_x_on_request,
    .on_body = fake_x_on_body,
    .on_writable = fake_x_on_writable,
    .on_shut = fake_x_on_event,
    .on_deadline = fake_x_on_event,
    .on_budget = fake_x_on_event,
    .on_shutdown = fake_x_on_event,
    .on_close = fake_x_on_close,
};

/* A session that does nothing by itself. */

static void *
fake_x_session(struct wire *wire)
{
    return wire;
}

static void
fake_x_fini(struct wire *wire, void *session, int why)
{
    (void)wire;
    (void)session;
    (void)why;
}

static const struct session_ops fake_x_session_ops = {.fini = fake_x_fini};

static const struct protocol fake_x_protocol = {
    .name = "fake",
    .ops = &fake_x_session_ops,
    .begin = fake_x_session,
};

/* Begins a connection with one exchange, whose peer accepts nothing. */
static inline void
fake_x_begin(bool upgrade)
{
    struct http_head head = {
        .method = slice_of("POST"),
        .version = HTTP_2,
        .upgrade = upgrade,
        .content_length = HTTP_LENGTH_NONE,
    };

    fake_init_as(&fake, &fake_x_protocol, &fake_x_handler, NULL);
    fake.wire.read_due_ms = TIMER_NEVER;
    memset(&it, 0, sizeof it);
    exchange_init(&it.core, &fake_exchange_ops, &fake.wire, NULL, &head, false);
    exchange_start(&it.core, &head, NULL);
}

/* Ends both, as a protocol does when its stream has ended. */
static inline void
fake_x_end(void)
{
    exchange_fini(&it.core, it.is_out ? 0 : ERR_CLOSED);
    fake_fini(&fake);
}

#endif
