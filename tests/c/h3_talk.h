/* SPDX-License-Identifier: MIT */
/* tests/c/h3_talk.h — an HTTP/3 session in memory, on a carrier without packets: what a
 * client sends arrives at once, and what the server does with each stream is recorded.
 * Header only, so that each test stays one file. */
#ifndef TESTS_H3_TALK_H
#define TESTS_H3_TALK_H

#include <string.h> /* memcpy */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "fake_service.h"
#include "http3/carrier.h"
#include "http3/session.h"
#include "http3/state.h"
#include "http3/varint.h"

#define H3_FLOWS 64u
#define H3_FLOW_BYTES 2048u
#define H3_PUT_BYTES 70000u

/* What was received of one stream. */
struct h3_flow {
    int64_t id;
    uint64_t offset;         /* of the next byte that the client sends */
    uint64_t stopped, reset; /* the last codes with which the server has ended it; 0 */
    size_t given;            /* bytes that the client may send again */
    size_t window;           /* bytes that the server may send */
    size_t sent, acked;
    bool ended;                /* by the server */
    bool is_shut;              /* the client wants no more of it */
    bool is_unread;            /* h3_on_unread() was called */
    char bytes[H3_FLOW_BYTES]; /* the first of those that were sent */
};

/* Bytes that a client sends. */
struct h3_put {
    size_t n;
    char bytes[H3_PUT_BYTES];
};

struct h3_fake {
    struct carrier carrier;
    struct wire wire;
    struct service service;
    struct tally tally;
    struct outq_pools pools;
    struct http_field fields[131];
    void *session;
    int code;     /* the first HTTP/3 error for which the connection is closed */
    int finished; /* how often finish was called */
    int aborted;
    int complaint;                  /* the last argument of complain */
    int why;                        /* of the last call of close */
    bool keeps_alive;               /* keep_alive was called */
    unsigned allowed[2], opened[2]; /* streams of the server; [1]: bidirectional */
    bool has_no_memory;             /* none can be opened */
    uint64_t ngiven;                /* calls of give_stream */
    size_t part;                    /* the most bytes of one packet */
    struct h3_flow flows[H3_FLOWS];
    unsigned nflows;
    unsigned ndatagrams; /* that the server has sent */
    size_t datagram_len;
    char datagram[H3_FLOW_BYTES]; /* the last one */
};

static inline struct h3_fake *
h3_fake_of(struct carrier *carrier)
{
    return container_of(carrier, struct h3_fake, carrier);
}

/* Returns what is known of a stream. */
static inline struct h3_flow *
h3_flow(struct h3_fake *fake, int64_t id)
{
    for (unsigned i = 0; i < fake->nflows; i++) {
        if (fake->flows[i].id == id)
            return &fake->flows[i];
    }
    struct h3_flow *flow =
        &fake->flows[fake->nflows < H3_FLOWS - 1 ? fake->nflows++ : fake->nflows];
    *flow = (struct h3_flow){.id = id, .window = SIZE_MAX};
    return flow;
}

static inline bool
h3_is_over(const struct h3_fake *fake)
{
    return fake->code != 0 || fake->finished > 0 || fake->wire.is_dead;
}

static inline void
h3_note_code(struct h3_fake *fake, int code)
{
    if (fake->code == 0)
        fake->code = code;
}

/* struct carrier_ops */

static inline int
h3_open(struct h3_fake *fake, bool is_bidi, int64_t *id)
{
    if (fake->has_no_memory)
        return ERR_NOMEM;
    if (fake->opened[is_bidi] == fake->allowed[is_bidi])
        return ERR_CLOSED;
    *id = fake->opened[is_bidi]++ * 4 + (is_bidi ? 1 : 3);
    return 0;
}

static inline int
h3_open_uni(struct carrier *carrier, int64_t *id)
{
    return h3_open(h3_fake_of(carrier), false, id);
}

static inline int
h3_open_bidi(struct carrier *carrier, int64_t *id)
{
    return h3_open(h3_fake_of(carrier), true, id);
}

static inline void
h3_extend(struct carrier *carrier, int64_t id, size_t n)
{
    h3_flow(h3_fake_of(carrier), id)->given += n;
}

static inline void
h3_do_reset(struct carrier *carrier, int64_t id, uint64_t code)
{
    h3_flow(h3_fake_of(carrier), id)->reset = code;
}

static inline void
h3_do_stop(struct carrier *carrier, int64_t id, uint64_t code)
{
    h3_flow(h3_fake_of(carrier), id)->stopped = code;
}

static inline void
h3_do_close(struct carrier *carrier, uint64_t code, int why)
{
    h3_note_code(h3_fake_of(carrier), (int)code);
    h3_fake_of(carrier)->why = why;
}

static inline uint64_t
h3_give_stream(struct carrier *carrier, int64_t id)
{
    (void)id;
    h3_fake_of(carrier)->ngiven++;
    return 1;
}

static inline void
h3_keep_alive(struct carrier *carrier)
{
    h3_fake_of(carrier)->keeps_alive = true;
}

static const struct carrier_ops h3_carrier_ops = {
    .open_uni = h3_open_uni,
    .open_bidi = h3_open_bidi,
    .give_stream = h3_give_stream,
    .keep_alive = h3_keep_alive,
    .extend = h3_extend,
    .reset = h3_do_reset,
    .stop = h3_do_stop,
    .close = h3_do_close,
};

/* struct wire_ops */

static inline struct h3_fake *
h3_fake_of_wire(struct wire *wire)
{
    return container_of(wire, struct h3_fake, wire);
}

static inline void
h3_wire_ignore(struct wire *wire)
{
    (void)wire;
}

static inline void
h3_wire_finish(struct wire *wire, int why)
{
    (void)why;
    h3_fake_of_wire(wire)->finished++;
}

static inline void
h3_wire_abort(struct wire *wire, int why)
{
    (void)why;
    wire->is_dead = true;
    h3_fake_of_wire(wire)->aborted++;
}

static inline void
h3_wire_complain(struct wire *wire, int why)
{
    h3_fake_of_wire(wire)->complaint = why;
}

static const struct wire_ops h3_wire_ops = {
    .touch = h3_wire_ignore,
    .touch_later = h3_wire_ignore,
    .yield = h3_wire_ignore,
    .flush = h3_wire_ignore,
    .owe_drained = h3_wire_ignore,
    .finish = h3_wire_finish,
    .abort = h3_wire_abort,
    .complain = h3_wire_complain,
};

/* Beginning and end */

/* Initializes everything but the session; the test may change fake->service.limits. */
static inline void
h3_prepare(struct h3_fake *fake, const struct stream_handler *handler, void *arg)
{
    memset(fake, 0, sizeof *fake);
    fake_service_init(&fake->service, handler, arg, fake->fields, &fake->tally);
    pool_init(&fake->service.h3_streams, sizeof(struct h3_exchange), 4);
    outq_pools_init(&fake->pools, 4);
    fake->wire.ops = &h3_wire_ops;
    fake->wire.service = &fake->service;
    fake->wire.read_due_ms = TIMER_NEVER;
    buf_init(&fake->wire.in);
    outq_init(&fake->wire.out, &fake->pools);
    fake->carrier.ops = &h3_carrier_ops;
    fake->carrier.quota.most = (size_t)4 << 20;
    fake->allowed[0] = 3;
    fake->part = SIZE_MAX;
}

/* Begins the session. Returns false if there is no memory. */
static inline bool
h3_start(struct h3_fake *fake)
{
    fake->session = h3_begin(&fake->wire, &fake->carrier, 100);
    if (fake->session == NULL)
        return false;
    h3_note_code(fake, h3_on_ready(fake->session));
    return true;
}

/* Frees everything. Returns whether nothing of the session was left. */
static inline bool
h3_finish(struct h3_fake *fake)
{
    if (fake->session != NULL)
        h3_protocol.ops->fini(&fake->wire, fake->session, ERR_CLOSED);
    fake->session = NULL;
    outq_clear(&fake->wire.out);
    const bool is_clean =
        fake->carrier.quota.used == 0 && fake->service.h3_streams.ntaken == 0 &&
        fake->pools.blocks.ntaken == 0 && fake->pools.lent.ntaken == 0;
    pool_fini(&fake->service.h3_streams);
    outq_pools_fini(&fake->pools);
    return is_clean;
}

/* What the server sends */

/* Sends a part of one stream. Returns whether there was one. */
static inline bool
h3_write_part(struct h3_fake *fake)
{
    struct h3_output out;
    size_t done = 0;

    h3_note_code(fake, h3_next(fake->session, &out));
    if (h3_is_over(fake) || out.id < 0)
        return false;
    struct h3_flow *flow = h3_flow(fake, out.id);
    const size_t total = h3_output_size(&out);
    if (flow->reset != 0 || flow->is_shut) {
        h3_shut(fake->session, out.id);
        return true;
    }
    size_t n = flow->window - flow->sent < total ? flow->window - flow->sent : total;
    n = n < fake->part ? n : fake->part;
    if (n == 0 && total > 0) {
        h3_blocked(fake->session, out.id);
        return true;
    }
    for (int i = 0; i < out.n && done < n; i++) {
        size_t len = out.iov[i].iov_len < n - done ? out.iov[i].iov_len : n - done;
        if (flow->sent + done + len <= sizeof flow->bytes)
            memcpy(flow->bytes + flow->sent + done, out.iov[i].iov_base, len);
        done += len;
    }
    flow->sent += n;
    flow->ended = n == total && out.last;
    h3_wrote(fake->session, &out, n, n == total);
    return true;
}

static inline void
h3_send_datagrams(struct h3_fake *fake)
{
    struct slice bytes;

    while (!h3_is_over(fake) && (bytes = h3_next_datagram(fake->session)).len > 0) {
        fake->ndatagrams++;
        fake->datagram_len = bytes.len;
        if (bytes.len <= sizeof fake->datagram)
            memcpy(fake->datagram, bytes.ptr, bytes.len);
        h3_remove_datagram(fake->session, true);
    }
}

/* STOP_SENDING is written: nothing more arrives on those streams. */
static inline void
h3_send_stops(struct h3_fake *fake)
{
    for (unsigned i = 0; i < fake->nflows && !h3_is_over(fake); i++) {
        struct h3_flow *flow = &fake->flows[i];
        if (flow->stopped == 0 || flow->is_unread)
            continue;
        flow->is_unread = true;
        h3_note_code(fake, h3_on_unread(fake->session, flow->id));
    }
}

/* The server has its turn. */
static inline void
h3_turn(struct h3_fake *fake)
{
    const struct session_ops *ops = h3_protocol.ops;
    struct slice nothing = slice_of("");

    budget_begin(&fake->wire.budget, UINT64_MAX / 2);
    if (!h3_is_over(fake))
        ops->feed(&fake->wire, fake->session, &nothing);
    if (!h3_is_over(fake))
        ops->before_flush(&fake->wire, fake->session);
    for (int i = 0; i < 1000 && !h3_is_over(fake); i++) {
        if (!h3_write_part(fake))
            break;
    }
    h3_send_datagrams(fake);
    h3_send_stops(fake);
}

/* The client has received everything that was sent. */
static inline void
h3_acknowledge(struct h3_fake *fake)
{
    for (unsigned i = 0; i < fake->nflows && !h3_is_over(fake); i++) {
        struct h3_flow *flow = &fake->flows[i];
        const size_t n = flow->sent - flow->acked;
        flow->acked = flow->sent;
        if (n > 0)
            h3_note_code(fake, h3_on_acked(fake->session, flow->id, n));
    }
}

/* The client's side of a stream */

static inline void
h3_arrives(struct h3_fake *fake, int64_t id, struct slice bytes, bool last)
{
    struct h3_flow *flow = h3_flow(fake, id);
    const uint64_t offset = flow->offset;

    if (h3_is_over(fake) || flow->stopped != 0)
        return;
    flow->offset += bytes.len;
    h3_note_code(fake, h3_on_data(fake->session, id, offset, bytes, last));
}

/* The same in steps of `step` bytes, each with a turn. */
static inline void
h3_arrive_by(struct h3_fake *fake, int64_t id, const struct h3_put *put, bool last,
             size_t step)
{
    struct slice left = slice_new(put->bytes, put->n);

    do {
        const size_t n = left.len < step ? left.len : step;
        h3_arrives(fake, id, slice_first(left, n), last && n == left.len);
        left = slice_skip(left, n);
        h3_turn(fake);
    } while (left.len > 0);
}

static inline void
h3_closes(struct h3_fake *fake, int64_t id, uint64_t code)
{
    if (!h3_is_over(fake))
        h3_note_code(fake, h3_on_closed(fake->session, id, code));
}

static inline void
h3_resets(struct h3_fake *fake, int64_t id, uint64_t code)
{
    if (!h3_is_over(fake))
        h3_note_code(fake, h3_on_reset(fake->session, id, code));
}

/* Bytes */

static inline void
h3_put(struct h3_put *put, const void *bytes, size_t n)
{
    memcpy(put->bytes + put->n, bytes, n);
    put->n += n;
}

static inline void
h3_put_number(struct h3_put *put, uint64_t value)
{
    put->n += varint_write(put->bytes + put->n, value);
}

static inline void
h3_put_frame(struct h3_put *put, uint64_t kind, const void *payload, size_t n)
{
    h3_put_number(put, kind);
    h3_put_number(put, n);
    if (n > 0)
        h3_put(put, payload, n);
}

/* A literal field line with a literal name (RFC 9204 4.5.6); both are short. */
static inline void
h3_put_field(struct h3_put *put, const char *name, const char *value)
{
    const size_t nname = strlen(name), nvalue = strlen(value);
    const char head[2] = {(char)(nname < 7 ? 0x20 | nname : 0x27), (char)(nname - 7)};
    const char length = (char)nvalue;

    h3_put(put, head, nname < 7 ? 1 : 2);
    h3_put(put, name, nname);
    h3_put(put, &length, 1);
    h3_put(put, value, nvalue);
}

/* HEADERS of a request with pairs of `more` fields, up to NULL. */
static inline void
h3_put_request(struct h3_put *put, const char *method, const char *const *more)
{
    static struct h3_put block;

    block.n = 0;
    h3_put(&block, "\0\0", 2);
    h3_put_field(&block, ":method", method);
    h3_put_field(&block, ":scheme", "https");
    h3_put_field(&block, ":authority", "a");
    h3_put_field(&block, ":path", "/");
    for (; more != NULL && *more != NULL; more += 2)
        h3_put_field(&block, more[0], more[1]);
    h3_put_frame(put, 1, block.bytes, block.n);
}

/* The client's control stream, with SETTINGS that allow datagrams. */
static inline void
h3_put_control(struct h3_put *put)
{
    h3_put_number(put, 0);
    h3_put_frame(put, 4, "\x33\x01\x08\x01", 4);
}

#endif
