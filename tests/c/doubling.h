/* SPDX-License-Identifier: MIT */
/* tests/c/doubling.h — a protocol, a handler and filters for tests of http/filter.c,
 * which the test includes before this file. Header only. */
#ifndef TESTS_DOUBLING_H
#define TESTS_DOUBLING_H

#include "tap.h"

/* A protocol that stores what it is sent as text. */

static char sent[512];
static int says;       /* what the next ops return */
static bool dies;      /* the next send ends the exchange */
static unsigned pulls; /* requested from the protocol */

static void
note(const char *text)
{
    size_t n = strlen(sent);

    snprintf(sent + n, sizeof sent - n, "%s", text);
}

static int
wire_head(struct stream *s, const struct http_response *res)
{
    char line[64];

    snprintf(line, sizeof line, "%d/%u|", res->status, res->nfields);
    is(s->status, res->status, "the stream knows the status that is sent");
    if (says == 0)
        note(line);
    return says;
}

static int
wire_body(struct stream *s, const struct chunk *body, bool last)
{
    char text[64];

    snprintf(text, sizeof text, "%.*s%s", (int)body->bytes.len, body->bytes.ptr,
             last ? "$" : "|");
    note(text);
    if (dies) {
        stream_close(s, ERR_RESET);
        return ERR_CLOSED;
    }
    s->waits_for_writable = says == ERR_AGAIN;
    return says;
}

static int
wire_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    (void)s;
    (void)fields;
    note(n == 1 ? "trailers$" : "?");
    return says;
}

static int
wire_interim(struct stream *s, const struct http_response *res)
{
    (void)s;
    (void)res;
    note("interim|");
    return says;
}

static int
wire_tunnel(struct stream *s, const struct http_response *res)
{
    (void)res;
    s->status = says == 0 ? 101 : 0;
    return says;
}

static int
wire_pull(struct stream *s)
{
    (void)s;
    pulls++;
    return 0;
}

static void
wire_fail(struct stream *s, int why)
{
    (void)why;
    note("fail");
    stream_end(s);
}

static unsigned ncomplaints, nrests;

static void
wire_complain(struct stream *s, int why)
{
    (void)s;
    (void)why;
    ncomplaints++;
}

static void
wire_rest(struct stream *s)
{
    (void)s;
    nrests++;
}

static const struct stream_ops protocol = {
    .complain = wire_complain,
    .rest = wire_rest,
    .send_head = wire_head,
    .open_tunnel = wire_tunnel,
    .send_body = wire_body,
    .send_trailers = wire_trailers,
    .send_interim = wire_interim,
    .pull_body = wire_pull,
    .fail = wire_fail,
};

/* A handler that counts. */

static char got[64];
static unsigned nwritable, nclosed, nheads;
static bool got_last;

static int
on_app_request(struct stream *s, const struct http_head *head)
{
    (void)s;
    (void)head;
    return -7;
}

static void
on_app_body(struct stream *s, struct slice bytes, bool last)
{
    size_t n = strlen(got);

    (void)s;
    snprintf(got + n, sizeof got - n, "%.*s%s", (int)bytes.len, bytes.ptr,
             last ? "$" : "|");
    got_last = last;
}

static void
on_app_writable(struct stream *s)
{
    ok(!s->waits_for_writable, "it may send");
    nwritable++;
}

static void
on_app_close(struct stream *s, int why)
{
    (void)why;
    ok(s->ops == &protocol, "no filter is asked any more");
    nclosed++;
}

static const struct stream_handler app = {
    .on_request = on_app_request,
    .on_body = on_app_body,
    .on_writable = on_app_writable,
    .on_close = on_app_close,
};

/* A filter that doubles each byte, adds a field, drops the first one, and ends the
 * body with a '.'. With `holds` it keeps the end, and what arrives while the wire is
 * full. */

static unsigned ndoublings; /* attached now */

struct doubling {
    struct filtered filtered;
    char held[64];
    size_t nheld;
    bool holds, owes_end, is_full, is_slow;
    char request[16]; /* doubled bytes of the request that are left */
    size_t nrequest;
    bool request_ended;
};

static struct doubling *
doubling_of(struct filtered *f)
{
    return container_of(f, struct doubling, filtered);
}

static int
double_head(struct filtered *f, const struct http_response *res)
{
    struct http_field fields[4] = {{.name = slice_of("x"), .value = slice_of("y")}};
    struct http_response more = *res;
    uint32_t n = 1;

    for (uint32_t i = 1; i < res->nfields; i++)
        fields[n++] = res->fields[i];
    fields[n++] = fields[0];
    more.fields = fields;
    more.nfields = n;
    return filter_send_head(f, &more);
}

static int
flush_held(struct doubling *d)
{
    struct chunk chunk = {.bytes = slice_new(d->held, d->nheld)};
    bool last = d->owes_end;

    d->nheld = 0;
    d->owes_end = false;
    return filter_send_body(&d->filtered, &chunk, last);
}

static int
double_body(struct filtered *f, const struct chunk *body, bool last)
{
    struct doubling *d = doubling_of(f);

    for (size_t i = 0; i < body->bytes.len; i++) {
        d->held[d->nheld++] = body->bytes.ptr[i];
        d->held[d->nheld++] = body->bytes.ptr[i];
    }
    if (last)
        d->held[d->nheld++] = '.';
    d->owes_end = last;
    if (d->holds)
        return d->is_slow ? ERR_AGAIN : 0;
    return flush_held(d);
}

static int
double_trailers(struct filtered *f, const struct http_field *fields, uint32_t n)
{
    struct chunk end = {.bytes = slice_of("!")};
    int err = filter_send_body(f, &end, false);

    return err == 0 ? filter_send_trailers(f, fields, n) : err;
}

static bool
double_writable(struct filtered *f)
{
    struct doubling *d = doubling_of(f);

    if (d->nheld == 0 || d->is_full)
        return !d->is_full;
    return flush_held(d) == 0;
}

/* Hands up one byte for each pull. */
static int
double_pull(struct filtered *f)
{
    struct doubling *d = doubling_of(f);

    if (d->nrequest == 0 && !d->request_ended)
        return filter_pull_body(f);
    char byte = d->request[0];
    memmove(d->request, d->request + 1, sizeof d->request - 1);
    d->nrequest -= d->nrequest > 0;
    filter_hand_up(f, slice_new(&byte, 1), d->request_ended && d->nrequest == 0);
    return 0;
}

static void
double_on_body(struct filtered *f, struct slice bytes, bool last)
{
    struct doubling *d = doubling_of(f);

    for (size_t i = 0; i < bytes.len; i++) {
        d->request[d->nrequest++] = bytes.ptr[i];
        d->request[d->nrequest++] = bytes.ptr[i];
    }
    d->request_ended = last;
    (void)!double_pull(f);
}

static void
double_fini(struct filtered *f)
{
    ndoublings--;
    mem_free(doubling_of(f));
}

static const struct filter_ops double_ops = {
    .send_head = double_head,
    .send_body = double_body,
    .send_trailers = double_trailers,
    .on_writable = double_writable,
    .fini = double_fini,
};
static const struct filter_ops request_ops = {
    .pull_body = double_pull,
    .on_body = double_on_body,
    .fini = double_fini,
};
static const struct filter_ops empty_ops = {.fini = double_fini};

static int
attach(const struct filter_ops *ops, struct filtered **out)
{
    struct doubling *d = mem_calloc(1, sizeof *d);

    if (d == NULL)
        return ERR_NOMEM;
    d->filtered.ops = ops;
    *out = &d->filtered;
    ndoublings++;
    return 0;
}

static int
attach_doubling(struct filter *filter, struct stream *s, const struct http_head *head,
                struct filtered **out)
{
    (void)filter;
    (void)s;
    (void)head;
    return attach(&double_ops, out);
}

static int
attach_request(struct filter *filter, struct stream *s, const struct http_head *head,
               struct filtered **out)
{
    (void)filter;
    (void)s;
    (void)head;
    return attach(&request_ops, out);
}

static int
attach_empty(struct filter *filter, struct stream *s, const struct http_head *head,
             struct filtered **out)
{
    (void)filter;
    (void)s;
    (void)head;
    return attach(&empty_ops, out);
}

static int
attach_nothing(struct filter *filter, struct stream *s, const struct http_head *head,
               struct filtered **out)
{
    (void)filter;
    (void)s;
    (void)head;
    (void)out;
    return 0;
}

static void
on_head(struct stream *s, const struct http_response *res)
{
    (void)s;
    nheads += res->nfields;
}

static void
setup(struct stream *s)
{
    *s = (struct stream){
        .ops = &protocol,
        .handler = &app,
        .body_promised = HTTP_LENGTH_NONE,
        .version = HTTP_1_1,
        .on_head = on_head,
    };
    sent[0] = got[0] = '\0';
    says = 0;
    dies = got_last = false;
    pulls = nwritable = nclosed = nheads = 0;
}

/* Creates a stream with `n` filters, each attached by `attach`. */
static void
setup_with(struct stream *s, unsigned n,
           int (*attaches)(struct filter *, struct stream *, const struct http_head *,
                           struct filtered **))
{
    struct http_head head = {0};
    struct filters filters = {0};
    struct filter all[3] = {{.attach = attaches}, {.attach = attaches}, {NULL}};

    setup(s);
    for (unsigned i = 0; i < n; i++)
        is(filters_add(&filters, &all[i]), 0, "a filter is registered");
    is(filters_attach(&filters, s, &head), 0, "it attaches");
}

static struct doubling *
top_of(struct stream *s)
{
    return doubling_of(s->filters->top);
}

static void
end(struct stream *s, int why)
{
    stream_close(s, why);
    ok(s->filters == NULL && ndoublings == 0, "no filter is left");
    ok(s->ops == &protocol && s->handler == &app && nclosed == 1,
       "the handler is notified");
}

static int
start(struct stream *s)
{
    struct http_field fields[] = {
        {.name = slice_of("content-length"), .value = slice_of("4")},
        {.name = slice_of("a"), .value = slice_of("b")},
    };
    struct http_response res = {.status = 200, .fields = fields, .nfields = 2};

    return stream_send_head(s, &res);
}

static int
send_text(struct stream *s, const char *text, bool last)
{
    struct chunk chunk = {.bytes = slice_of(text)};

    return stream_send_body(s, &chunk, last);
}

#endif
