/* SPDX-License-Identifier: MIT */
/* coding/compress.c — see compress.h for the contract.
 *
 * The filter encodes what it gets immediately, up to a slice. The rest waits in
 * `pending`, which borrows it, until the end of the turn (filter_rest) or until the
 * level below has room. */
#include "coding/compress.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "coding/head.h"
#include "http/field.h"
#include "http/session.h"

/* The number of unused blocks that are kept. */
#define COMPRESS_KEPT_EXCHANGES 64
#define COMPRESS_KEPT_BUFFERS 4
#define COMPRESS_KEPT_BLOCKS 16

/* The state of one exchange. */
struct compressing {
    struct filtered filtered;
    struct compressor *shared;
    struct encoder *encoder; /* taken; NULL: the body passes unchanged */
    struct outq pending;     /* of the body, not encoded yet */
    enum coding choice;      /* what the client prefers */
    bool excludes_identity;  /* the client accepts no unencoded body */
    bool knows_weak;         /* the client sent a weak tag in If-None-Match */
    bool is_last;            /* the handler has sent the end */
    bool has_trailers;       /* is_last, and trailers follow */
    bool owes_flush;         /* a message is encoded, and not flushed yet */
    bool is_running;
    bool was_called; /* on_writable was called while it ran */
};

/* The output of one run. */
struct output {
    char *room; /* COMPRESS_OUT_BYTES, lent by the pool */
    size_t n;
    bool is_full; /* the level below is full for now */
};

static struct compressing *
compressing_of(struct filtered *f)
{
    return container_of(f, struct compressing, filtered);
}

static void
count(struct compressing *c, size_t in, size_t out)
{
    struct tally *tally = c->shared->service->tally;
    unsigned i = (unsigned)c->encoder->coding - CODING_ZSTD;

    tally_add(tally, TALLY_CODED_IN_ZSTD + i, in);
    tally_add(tally, TALLY_CODED_OUT_ZSTD + i, out);
    c->filtered.stream->coded_sent += out;
}

/* Passes the output to the level below. The exchange may end during the call. */
static int
push_output(struct compressing *c, struct output *out, bool last)
{
    const struct chunk chunk = {.bytes = slice_new(out->room, out->n)};

    count(c, 0, out->n);
    out->n = 0;
    int err = filter_send_body(&c->filtered, &chunk, last);
    if (err != ERR_AGAIN)
        return err;
    out->is_full = true;
    return 0;
}

/* Encodes all of `in`, and writes the output that `mode` requires. */
static int
encode(struct compressing *c, struct slice in, enum encoder_mode mode,
       struct output *out)
{
    struct encoder *e = c->encoder;
    int err = ERR_AGAIN;

    count(c, in.len, 0);
    while (err == ERR_AGAIN) {
        size_t n = 0, had = in.len;
        if (COMPRESS_OUT_BYTES - out->n < ENCODER_ROOM_MIN) {
            int wrong = push_output(c, out, false);
            if (wrong != 0)
                return wrong;
        }
        err = e->ops->write(e, &in, mode, out->room + out->n,
                            COMPRESS_OUT_BYTES - out->n, &n);
        assert(err != ERR_AGAIN || n > 0 || in.len < had); /* it must make progress */
        assert(err != 0 || in.len == 0);
        (void)had;
        out->n += n;
    }
    return err;
}

/* Returns the mode for the last pending bytes. */
static enum encoder_mode
mode_at_end(struct compressing *c)
{
    enum encoder_mode mode = c->is_last      ? ENCODER_END
                             : c->owes_flush ? ENCODER_FLUSH
                                             : ENCODER_MORE;

    if (c->pending.bytes > 0)
        return ENCODER_MORE;
    c->owes_flush = false;
    return mode;
}

/* Encodes at most `most` of the next pending bytes, and at most COMPRESS_OUT_BYTES; *n
 * becomes their number. */
static int
encode_pending(struct compressing *c, size_t most, struct output *out, size_t *n)
{
    const struct outq_node *file = outq_file(&c->pending);
    struct iovec iov;
    char *bytes = NULL;
    int err = 0;

    assert(most > 0 && most <= COMPRESS_OUT_BYTES);
    if (file != NULL) {
        bytes = pool_take(&c->shared->buffers);
        if (bytes == NULL)
            return ERR_NOMEM;
        *n = file->len < most ? file->len : most;
        err = file_read(file->owner, file->offset, bytes, *n);
        iov.iov_base = bytes;
    } else {
        int one = outq_iov(&c->pending, &iov, 1);
        assert(one == 1 && iov.iov_len > 0);
        (void)one;
        *n = iov.iov_len < most ? iov.iov_len : most;
    }
    if (err == 0)
        err = encode(c, slice_new(iov.iov_base, *n), ENCODER_MORE, out);
    pool_give(&c->shared->buffers, bytes);
    outq_sent(&c->pending, *n);
    return err;
}

/* Encodes `in`, and then a slice of what is pending. */
static int
encode_slice(struct compressing *c, struct slice in, struct output *out)
{
    size_t used = in.len, n = 0;
    int err = 0;

    if (in.len > 0)
        err = encode(c, in, mode_at_end(c), out);
    while (err == 0 && c->pending.bytes > 0 &&
           (c->has_trailers || (used < COMPRESS_SLICE_BYTES && !out->is_full))) {
        size_t most =
            c->has_trailers ? COMPRESS_SLICE_BYTES : COMPRESS_SLICE_BYTES - used;
        err = encode_pending(c, most, out, &n);
        used += n;
        if (err == 0 && c->pending.bytes == 0)
            err = encode(c, slice_of(""), mode_at_end(c), out);
    }
    if (err == 0 && used == 0 && c->pending.bytes == 0)
        err = encode(c, slice_of(""), mode_at_end(c), out);
    if (c->filtered.stream->budget != NULL)
        budget_spend(c->filtered.stream->budget, budget_of_bytes(used));
    return err;
}

static void
give_encoder(struct compressing *c)
{
    encoders_give(&c->shared->encoders, c->encoder);
    c->encoder = NULL;
}

/* Returns the result of run(), and schedules the next run if something is left. */
static int
finish_run(struct compressing *c, bool is_done, bool is_full)
{
    bool rests = c->was_called || (c->pending.bytes > 0 && !is_full);

    c->was_called = false;
    if (is_done)
        give_encoder(c);
    else if (rests)
        filter_rest(&c->filtered);
    return c->pending.bytes > 0 || is_full ? ERR_AGAIN : 0;
}

/* Encodes `in` and what is pending, up to a slice, and passes the output on. Returns
 * ERR_AGAIN if something is left, or if the level below is full. */
static int
run(struct compressing *c, struct slice in)
{
    struct output out = {.room = pool_take(&c->shared->buffers)};

    assert(c->encoder != NULL && !c->is_running);
    if (out.room == NULL)
        return ERR_NOMEM;
    c->is_running = true;
    int err = encode_slice(c, in, &out);
    bool is_done = err == 0 && c->is_last && c->pending.bytes == 0;
    bool last = is_done && !c->has_trailers;
    if (err == 0 && (out.n > 0 || last))
        err = push_output(c, &out, last);
    c->is_running = false;
    pool_give(&c->shared->buffers, out.room);
    return err == 0 ? finish_run(c, is_done, out.is_full) : err;
}

/* The callbacks */

static int
compress_send_head(struct filtered *f, const struct http_response *res)
{
    struct compressing *c = compressing_of(f);
    struct compressor *shared = c->shared;
    enum coding coding = c->choice;
    bool confirms = res->status == 304 && c->knows_weak;
    struct coded_head head;

    assert(c->encoder == NULL && c->pending.bytes == 0);
    if (!confirms && !rules_allow(&shared->config, res, c->excludes_identity))
        return filter_send_head(f, res);
    if (confirms) {
        coding = CODING_IDENTITY;
    } else if (coding != CODING_IDENTITY && !f->stream->is_head) {
        c->encoder = encoders_take(&shared->encoders, coding, rules_length(res));
        if (c->encoder == NULL)
            coding = CODING_IDENTITY;
    }
    int err = coded_head_init(&head, res, coding, confirms);
    if (err == 0) {
        err = filter_send_head(f, &head.res);
        coded_head_fini(&head);
    }
    if (err != 0)
        give_encoder(c);
    else
        f->stream->coding = narrow_u8(coding);
    return err;
}

/* Buffers the bytes that do not fit into this run, and removes them from *now. */
static int
split(struct compressing *c, const struct chunk *body, struct slice *now)
{
    struct chunk later = *body;

    *now = slice_of("");
    if (body->bytes.len == 0)
        return 0;
    if (body->file == NULL && c->pending.bytes == 0 && !c->is_running) {
        size_t len = body->bytes.len;
        size_t n = len <= COMPRESS_WHOLE_BYTES ? len : COMPRESS_SLICE_BYTES;
        *now = slice_first(body->bytes, n);
        later.bytes = slice_skip(body->bytes, n);
    }
    return chunk_queue(&c->pending, &later);
}

static int
compress_send_body(struct filtered *f, const struct chunk *body, bool last)
{
    struct compressing *c = compressing_of(f);
    struct slice now;

    assert(!c->is_last);
    if (c->encoder == NULL)
        return filter_send_body(f, body, last);
    bool waits = c->pending.bytes > 0 || c->is_running;
    c->is_last = last;
    c->owes_flush |= body->bytes.len > 0;
    int err = split(c, body, &now);
    if (err != 0)
        return err;
    if (c->is_running)
        c->was_called = true;
    return waits ? ERR_AGAIN : run(c, now);
}

static int
compress_send_trailers(struct filtered *f, const struct http_field *fields, uint32_t n)
{
    struct compressing *c = compressing_of(f);

    if (c->encoder != NULL) {
        /* Something is pending only if the application has not waited for send(). */
        c->is_last = c->has_trailers = true;
        int err = run(c, slice_of(""));
        if (err != 0 && err != ERR_AGAIN)
            return err;
        assert(c->encoder == NULL);
    }
    return filter_send_trailers(f, fields, n);
}

static bool
compress_on_writable(struct filtered *f)
{
    struct compressing *c = compressing_of(f);

    if (c->is_running) {
        c->was_called = true;
        return false;
    }
    if (c->encoder == NULL || c->pending.bytes == 0)
        return true;
    int err = run(c, slice_of(""));
    if (err != 0 && err != ERR_AGAIN)
        stream_fail(f->stream, err);
    return err == 0;
}

static void
compress_fini(struct filtered *f)
{
    struct compressing *c = compressing_of(f);

    assert(!c->is_running);
    give_encoder(c);
    outq_clear(&c->pending);
    pool_give(&c->shared->exchanges, c);
}

static const struct filter_ops compress_ops = {
    .send_head = compress_send_head,
    .send_body = compress_send_body,
    .send_trailers = compress_send_trailers,
    .on_writable = compress_on_writable,
    .fini = compress_fini,
};

/* Returns whether If-None-Match has a weak tag. The client may have received it with
 * a response that was encoded by this filter. */
static bool
has_weak_tag(const struct http_head *head)
{
    for (uint32_t i = 0; i < head->nfields; i++) {
        struct slice value = head->fields[i].value;
        if (head->fields[i].id == FIELD_IF_NONE_MATCH && value.len > 1 &&
            memmem(value.ptr, value.len, "W/", 2) != NULL)
            return true;
    }
    return false;
}

static int
compress_attach(struct filter *filter, struct stream *s, const struct http_head *head,
                struct filtered **out)
{
    struct compressor *shared = container_of(filter, struct compressor, filter);
    struct accepted accepted;

    (void)s;
    if (rules_have_path(shared->config.except, head->path))
        return 0;
    struct compressing *c = pool_take(&shared->exchanges);
    if (c == NULL)
        return ERR_NOMEM;
    accept_read(&accepted, head);
    *c = (struct compressing){
        .filtered = {.ops = &compress_ops},
        .shared = shared,
        .choice = accept_choose(&accepted, shared->offered, shared->noffered),
        .excludes_identity = !accept_has_identity(&accepted),
        .knows_weak = has_weak_tag(head),
    };
    outq_init(&c->pending, &shared->pending_pools);
    *out = &c->filtered;
    return 0;
}

static void
offer(struct compressor *compressor, enum coding coding)
{
    if (coding == CODING_END || encoder_find(coding) == NULL)
        return;
    for (unsigned i = 0; i < compressor->noffered; i++) {
        if (compressor->offered[i] == coding)
            return;
    }
    assert(compressor->noffered < CODING_END);
    compressor->offered[compressor->noffered++] = coding;
}

void
compressor_init(struct compressor *compressor, const struct compress_config *config,
                const struct service *service)
{
    struct slice names = config->codings, name;

    *compressor = (struct compressor){
        .filter = {.attach = compress_attach},
        .config = *config,
        .service = service,
        .encoders =
            {
                .nlent_max = config->bodies,
                .levels = {[CODING_ZSTD] = config->zstd_level,
                           [CODING_BROTLI] = config->brotli_level,
                           [CODING_GZIP] = config->gzip_level},
            },
    };
    pool_init(&compressor->exchanges, sizeof(struct compressing),
              COMPRESS_KEPT_EXCHANGES);
    pool_init(&compressor->buffers, COMPRESS_OUT_BYTES, COMPRESS_KEPT_BUFFERS);
    outq_pools_init(&compressor->pending_pools, COMPRESS_KEPT_BLOCKS);
    while (field_list_next(&names, &name))
        offer(compressor, coding_lookup(name));
    if (config->codings.len == 0) {
        for (enum coding coding = CODING_ZSTD; coding < CODING_END; coding++)
            offer(compressor, coding);
    }
}

void
compressor_fini(struct compressor *compressor)
{
    if (compressor->service == NULL)
        return;
    encoders_fini(&compressor->encoders);
    pool_fini(&compressor->exchanges);
    pool_fini(&compressor->buffers);
    outq_pools_fini(&compressor->pending_pools);
    compressor->service = NULL;
}
