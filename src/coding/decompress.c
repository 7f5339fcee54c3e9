/* SPDX-License-Identifier: MIT */
/* coding/decompress.c — see decompress.h for the contract.
 *
 * Received bytes are kept in `rest` until the handler pulls. A pull decodes one
 * slice and passes it to the handler. If there is no output, more bytes are pulled
 * from the level below. */
#include "coding/decompress.h"

#include <assert.h> /* assert */

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "http/field.h"
#include "http/session.h"

#define DECOMPRESS_KEPT_BUFFERS 2

/* The state of one exchange. */
struct decompressing {
    struct filtered filtered;
    struct decompressor *shared;
    enum coding coding;
    struct decoder *decoder;   /* taken; NULL: nothing was pulled yet */
    struct http_field *fields; /* owned; of `head` */
    struct http_head head;     /* what the handler gets */
    struct buf rest;           /* received, not decoded yet */
    uint64_t nin, nout;        /* bytes received and decoded so far */
    bool is_pulled;            /* the handler waits */
    bool waits;                /* bytes were pulled from the level below and have not
                                  arrived */
    bool has_begun;            /* a byte was decoded */
    bool is_complete;          /* the coding has ended, and another member may follow */
    bool in_ended;             /* the last bytes have been received */
    bool rests;                /* the next slice follows at the end of the turn */
    bool is_refused;
    bool is_running;
};

static struct decompressing *
decompressing_of(struct filtered *f)
{
    return container_of(f, struct decompressing, filtered);
}

static void
refuse(struct decompressing *d, int why)
{
    d->is_refused = true;
    filter_refuse(&d->filtered, why);
}

/* Returns whether the body is larger than allowed. */
static bool
is_too_large(const struct decompressing *d)
{
    const struct decompress_config *config = &d->shared->config;
    uint64_t most = d->shared->service->limits.body_bytes;

    if (d->nout > config->bytes || (most != 0 && d->nout > most))
        return true;
    return d->nout > DECOMPRESS_FREE_BYTES && d->nout / config->ratio > d->nin;
}

/* Returns the room for the next bytes. It ends with the first byte over the limit:
 * the verdict about a body that is too large must not depend on whether the checksum
 * after it arrived in the same part. */
static size_t
room_left(const struct decompressing *d)
{
    const uint64_t most = d->shared->config.bytes;
    const uint64_t body = d->shared->service->limits.body_bytes;
    const uint64_t left = (body != 0 && body < most ? body : most) - d->nout;

    assert(d->nout <= most && (body == 0 || d->nout <= body));
    return left < DECOMPRESS_OUT_BYTES ? (size_t)left + 1 : DECOMPRESS_OUT_BYTES;
}

/* Decodes from `in` to `room`. Returns 0 if what has been received so far is complete,
 * ERR_AGAIN if not, or why the body is rejected. */
static int
decode_rest(struct decompressing *d, struct slice *in, char *room, size_t *n)
{
    struct decoder *decoder = d->decoder;

    *n = 0;
    if (in->len == 0 && (d->is_complete || !d->has_begun))
        return 0; /* a body of no bytes is an empty body */
    if (d->is_complete) {
        int err =
            decoder->ops->has_members ? decoder->ops->begin(decoder) : ERR_BODY_CODING;
        if (err != 0)
            return err;
    }
    d->has_begun = true;
    int err = decoder->ops->read(decoder, in, room, room_left(d), n);
    d->is_complete = err == 0;
    d->nout += *n;
    tally_add(d->shared->service->tally, TALLY_DECODED_OUT, *n);
    /* Checked before errors: if the bytes had arrived in smaller parts, the limit
     * would have been exceeded before the invalid byte was read. */
    if (is_too_large(d))
        return ERR_BODY_DECODED;
    return err == 0 && in->len > 0 ? ERR_AGAIN : err;
}

/* Decodes one slice and passes it to the handler, or pulls the bytes for it. */
static void
decode_slice(struct decompressing *d, char *room)
{
    struct slice in = buf_bytes(&d->rest);
    size_t had = in.len, n;
    int err = decode_rest(d, &in, room, &n);

    buf_consume(&d->rest, had - in.len);
    if (err != 0 && err != ERR_AGAIN) {
        refuse(d, err);
        return;
    }
    assert(err != 0 || d->rest.len == 0);
    bool last = err == 0 && d->in_ended;
    if (n > 0 || last) {
        struct budget *budget = d->filtered.stream->budget;
        if (budget != NULL)
            budget_spend(budget, budget_of_bytes(n));
        d->is_pulled = false;
        filter_hand_up(&d->filtered, slice_new(room, n), last);
    } else if (d->rest.len == 0 && d->in_ended) {
        refuse(d, ERR_BODY_CODING); /* truncated */
    } else if (d->rest.len == 0) {
        d->waits = true;
        if (filter_pull_body(&d->filtered) != 0)
            d->is_refused = true; /* the exchange has ended */
    }
}

static bool
may_run(const struct decompressing *d)
{
    return d->is_pulled && !d->waits && !d->is_refused &&
           d->filtered.stream->state != STREAM_CLOSED;
}

static void
put_off(struct decompressing *d)
{
    d->rests = true;
    filter_rest(&d->filtered);
}

static bool
has_budget(const struct decompressing *d)
{
    const struct budget *budget = d->filtered.stream->budget;

    return budget == NULL || budget->points > 0;
}

/* Decodes a slice, and more while the handler pulls and the budget lasts. */
static void
decompress_run(struct decompressing *d)
{
    char *room = pool_take(&d->shared->buffers);

    assert(!d->is_running && may_run(d));
    if (room == NULL) {
        refuse(d, ERR_NOMEM);
        return;
    }
    d->is_running = true;
    do
        decode_slice(d, room);
    while (may_run(d) && has_budget(d));
    d->is_running = false;
    pool_give(&d->shared->buffers, room);
    if (may_run(d))
        put_off(d);
}

/* Called when the handler pulls or bytes arrive. Decodes now, or at the end of the
 * turn if the budget is used up, because an application may pull in a loop. */
static void
decompress_go_on(struct decompressing *d)
{
    if (d->is_running || d->rests || !may_run(d))
        return; /* the running call handles the pull */
    if (has_budget(d))
        decompress_run(d);
    else
        put_off(d);
}

static int
decompress_pull(struct filtered *f)
{
    struct decompressing *d = decompressing_of(f);

    if (f->stream->body_ended)
        return filter_pull_body(f); /* waits for the peer to disconnect */
    if (d->is_refused)
        return ERR_CLOSED;
    if (d->decoder == NULL) {
        int err = decoders_take(&d->shared->decoders, d->coding, &d->decoder);
        if (err != 0) {
            refuse(d, err);
            return ERR_CLOSED;
        }
    }
    d->is_pulled = true;
    decompress_go_on(d);
    return f->stream->state == STREAM_CLOSED ? ERR_CLOSED : 0;
}

static void
decompress_on_body(struct filtered *f, struct slice bytes, bool last)
{
    struct decompressing *d = decompressing_of(f);

    assert(d->waits && !d->in_ended);
    d->waits = false;
    d->in_ended = last;
    d->nin += bytes.len;
    tally_add(d->shared->service->tally, TALLY_DECODED_IN, bytes.len);
    if (bytes.len > 0 && buf_append(&d->rest, bytes) != 0) {
        refuse(d, ERR_NOMEM);
        return;
    }
    decompress_go_on(d);
}

static bool
decompress_on_writable(struct filtered *f)
{
    struct decompressing *d = decompressing_of(f);

    if (d->rests && !d->is_running) {
        d->rests = false;
        if (may_run(d))
            decompress_run(d);
    }
    return true;
}

static const struct http_head *
decompress_on_request(struct filtered *f, const struct http_head *head)
{
    struct decompressing *d = decompressing_of(f);

    d->head = *head;
    d->head.fields = d->fields;
    d->head.nfields = d->head.nfields_max = 0;
    d->head.content_length = HTTP_LENGTH_NONE;
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id != FIELD_CONTENT_ENCODING &&
            head->fields[i].id != FIELD_CONTENT_LENGTH)
            d->fields[d->head.nfields++] = head->fields[i];
    }
    return &d->head;
}

static void
decompress_fini(struct filtered *f)
{
    struct decompressing *d = decompressing_of(f);

    assert(!d->is_running);
    decoders_give(&d->shared->decoders, d->decoder);
    buf_release(&d->rest);
    mem_free(d->fields);
    mem_free(d);
}

static const struct filter_ops decompress_ops = {
    .on_request = decompress_on_request,
    .pull_body = decompress_pull,
    .on_body = decompress_on_body,
    .on_writable = decompress_on_writable,
    .fini = decompress_fini,
};

/* Returns the coding of the body: CODING_IDENTITY if it has none, CODING_END if it
 * has several or one that is not built in. */
static enum coding
coding_of(const struct http_head *head)
{
    enum coding found = CODING_IDENTITY;

    for (uint32_t i = 0; i < head->nfields; i++) {
        struct slice list = head->fields[i].value, name;
        if (head->fields[i].id != FIELD_CONTENT_ENCODING)
            continue;
        while (field_list_next(&list, &name)) {
            enum coding coding = coding_lookup(name);
            if (coding == CODING_IDENTITY)
                continue;
            if (found != CODING_IDENTITY || coding == CODING_END ||
                decoder_find(coding) == NULL)
                return CODING_END;
            found = coding;
        }
    }
    return found;
}

static int
decompress_attach(struct filter *filter, struct stream *s, const struct http_head *head,
                  struct filtered **out)
{
    enum coding coding = coding_of(head);

    if (s->body_ended || coding == CODING_IDENTITY || coding == CODING_END)
        return 0;
    struct decompressing *d = mem_calloc(1, sizeof *d);
    if (d == NULL)
        return ERR_NOMEM;
    d->fields = mem_alloc(head->nfields * sizeof *d->fields);
    if (d->fields == NULL) {
        mem_free(d);
        return ERR_NOMEM;
    }
    d->filtered.ops = &decompress_ops;
    d->shared = container_of(filter, struct decompressor, filter);
    d->coding = coding;
    buf_init(&d->rest);
    *out = &d->filtered;
    return 0;
}

/* The handler that rejects */

static int
refuse_on_request(struct stream *s, const struct http_head *head)
{
    static const char accepted[] =
#ifdef HAVE_ZSTD
        "zstd, "
#endif
#ifdef HAVE_BROTLI
        "br, "
#endif
        "gzip";
    struct http_field fields[] = {
        {.name = slice_of("content-type"),
         .value = slice_of("text/plain; charset=utf-8")},
        {.name = slice_of("accept-encoding"), .value = slice_of(accepted)},
    };
    struct http_response res = {.status = 415, .fields = fields, .nfields = 2};
    const struct chunk body = {
        .bytes = slice_of("Unsupported Media Type: the content coding is not known\n")};

    (void)head;
    int err = stream_send_head(s, &res);
    return err != 0 ? err : stream_send_body(s, &body, true);
}

static void
refuse_ignore_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    (void)last;
}

static void
refuse_ignore_writable(struct stream *s)
{
    (void)s;
}

static void
refuse_ignore_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static const struct stream_handler refusing_handler = {
    .on_request = refuse_on_request,
    .on_body = refuse_ignore_body,
    .on_writable = refuse_ignore_writable,
    .on_close = refuse_ignore_close,
};

static enum handler_verdict
refuse_offer(struct handler *handler, struct stream *s, const struct http_head *head)
{
    (void)handler;
    if (s->body_ended || coding_of(head) != CODING_END)
        return HANDLER_DECLINED;
    s->handler = &refusing_handler;
    s->can_tunnel = false;
    return HANDLER_TAKEN;
}

void
decompressor_init(struct decompressor *decompressor,
                  const struct decompress_config *config, const struct service *service)
{
    assert(config->ratio > 0 && config->bodies > 0);
    *decompressor = (struct decompressor){
        .filter = {.attach = decompress_attach},
        .refuser = {.offer = refuse_offer},
        .config = *config,
        .service = service,
        .decoders.nlent_max = config->bodies,
    };
    pool_init(&decompressor->buffers, DECOMPRESS_OUT_BYTES, DECOMPRESS_KEPT_BUFFERS);
}

void
decompressor_fini(struct decompressor *decompressor)
{
    if (decompressor->service == NULL)
        return;
    decoders_fini(&decompressor->decoders);
    pool_fini(&decompressor->buffers);
    decompressor->service = NULL;
}
