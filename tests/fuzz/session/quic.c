/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/quic.c — the server's side of a scripted connection; see quic.h. */
#include "session/quic.h"

#include <string.h> /* memset */

#include "base/err.h"
#include "base/timer.h"
#include "http3/session.h"
#include "http3/state.h"
#include "session/quic_check.h"
#include "session/quic_flow.h"
#include "session/world.h"

#define SETTLE_TURNS 5000u
#define IDLE_TURNS 4u

struct quic quic;

struct clock *
world_clock(void)
{
    return &quic.service.clock;
}

bool
world_is_reading(void)
{
    return !quic_is_over();
}

void
quic_note_result(int code)
{
    CHECK(code >= 0);
    if (code != 0)
        quic.has_failed = true;
}

bool
quic_is_over(void)
{
    return quic.has_failed || quic.has_finished || quic.wire.is_dead;
}

/* struct carrier_ops */

/* Opens a stream of the server, if the client allows it. */
static int
open_flow(unsigned *n, unsigned most, unsigned kind, int64_t *id)
{
    if (*n >= most)
        return ERR_CLOSED;
    *id = (int64_t)(*n)++ * 4 + kind;
    flow_of(*id)->has_begun = true;
    return 0;
}

static int
open_uni(struct carrier *carrier, int64_t *id)
{
    const unsigned room = QUIC_SERVER_UNIS + QUIC_OPENED;

    (void)carrier;
    return open_flow(&quic.nunis, quic.unis_most < room ? quic.unis_most : room, 3, id);
}

static int
open_bidi(struct carrier *carrier, int64_t *id)
{
    (void)carrier;
    CHECK(quic.on_datagram != NULL);
    return open_flow(&quic.nbidis,
                     quic.bidis_most < QUIC_OPENED ? quic.bidis_most : QUIC_OPENED, 1,
                     id);
}

static uint64_t
give_stream(struct carrier *carrier, int64_t id)
{
    (void)carrier;
    CHECK(quic.on_datagram != NULL);
    return flow_give(id);
}

static void
keep_alive(struct carrier *carrier)
{
    CHECK(carrier == &quic.carrier && quic.on_datagram != NULL);
}

static void
extend(struct carrier *carrier, int64_t id, size_t n)
{
    struct flow *flow = flow_of(id);

    (void)carrier;
    flow->given += n;
    quic.given += n;
    CHECK(flow->given <= flow->arrived && quic.given <= quic.arrived);
}

static void
reset(struct carrier *carrier, int64_t id, uint64_t code)
{
    struct flow *flow = flow_of(id);

    CHECK(carrier == &quic.carrier && code != 0);
    if (flow->is_closed || (flow->end_sent && flow->acked == flow->sent))
        return;
    flow_note_code(flow, code);
    flow->is_shut = flow->has_begun = true;
    flow->end_sent = false;
}

static void
stop(struct carrier *carrier, int64_t id, uint64_t code)
{
    struct flow *flow = flow_of(id);

    CHECK(carrier == &quic.carrier && code != 0);
    flow_note_code(flow, code);
    flow->is_dropped = true;
}

static void
carrier_close(struct carrier *carrier, uint64_t code, int why)
{
    (void)carrier;
    CHECK(code != 0 && why < 0);
    quic.has_failed = true;
}

static const struct carrier_ops carrier_ops = {
    .open_uni = open_uni,
    .open_bidi = open_bidi,
    .give_stream = give_stream,
    .keep_alive = keep_alive,
    .extend = extend,
    .reset = reset,
    .stop = stop,
    .close = carrier_close,
};

/* struct wire_ops */

static void
touch(struct wire *wire)
{
    (void)wire;
    quic.is_touched = true;
}

static void
wire_finish(struct wire *wire, int why)
{
    CHECK(wire == &quic.wire && why <= 0 && !quic.has_finished);
    quic.has_finished = true;
}

static void
wire_abort(struct wire *wire, int why)
{
    (void)why;
    wire->is_dead = true;
}

static void
wire_complain(struct wire *wire, int why)
{
    CHECK(wire == &quic.wire && why < 0);
}

static const struct wire_ops wire_ops = {
    .touch = touch,
    .touch_later = touch,
    .yield = touch,
    .flush = touch,
    .owe_drained = touch,
    .finish = wire_finish,
    .abort = wire_abort,
    .complain = wire_complain,
};

/* The server's side */

/* Sends the first `n` bytes of `out`; `ends`: and the end of the stream. */
static void
send_bytes(const struct h3_output *out, size_t n, bool ends)
{
    size_t done = 0;

    for (int i = 0; i < out->n && done < n; i++) {
        size_t len = out->iov[i].iov_len < n - done ? out->iov[i].iov_len : n - done;
        done += len;
        quic.on_bytes(out->id, slice_new(out->iov[i].iov_base, len), ends && done == n);
    }
    if (n == 0 && ends)
        quic.on_bytes(out->id, slice_new("", 0), true);
}

/* Writes at most one part of at most `most` bytes. Returns whether there was one. */
static bool
write_part(size_t most)
{
    struct h3_output out;

    quic_note_result(h3_next(quic.session, &out));
    if (quic_is_over() || out.id < 0)
        return false;
    struct flow *flow = flow_of(out.id);
    CHECK(flow->id == out.id && !flow->end_sent);
    if (flow->is_shut || flow->is_closed) {
        h3_shut(quic.session, out.id);
        return true;
    }
    const size_t total = h3_output_size(&out);
    size_t n = flow->window - flow->sent < most ? flow->window - flow->sent : most;
    if (n == 0 && total > 0) {
        h3_blocked(quic.session, out.id);
        return true;
    }
    n = n < total ? n : total;
    const bool ends = n == total && out.last;
    send_bytes(&out, n, ends);
    flow->sent += n;
    flow->has_begun = true;
    h3_wrote(quic.session, &out, n, n == total);
    if (ends)
        flow->is_shut = flow->end_sent = true;
    return true;
}

static void
write_parts(size_t most)
{
    for (unsigned i = 0; i < 200 && !quic_is_over(); i++) {
        world_step();
        if (!write_part(most))
            return;
    }
    quic.is_touched = true;
}

/* Sends datagrams, which may be lost; unless `all`, there may be no room for them, and
 * they may be too long. */
static void
write_datagrams(bool all)
{
    struct slice bytes;

    if (quic.on_datagram == NULL)
        return;
    while (!quic_is_over() && (bytes = h3_next_datagram(quic.session)).len > 0) {
        const unsigned choice = all ? 0 : script_choice(&world.script, 8);
        world_step();
        if (choice == 7)
            return;
        const bool fits = bytes.len < 1400;
        if (fits && choice < 5)
            quic.on_datagram(bytes);
        h3_remove_datagram(quic.session, fits);
    }
}

static void
serve(size_t most, bool all)
{
    struct slice nothing = slice_of("");
    const struct session_ops *ops = h3_protocol.ops;

    quic.is_touched = false;
    clock_begin(&quic.service.clock);
    budget_begin(&quic.wire.budget, UINT64_MAX / 2);
    if (!quic_is_over() && quic.wire.read_due_ms <= world_now_ms())
        ops->on_deadline(&quic.wire, quic.session);
    if (!quic_is_over())
        ops->feed(&quic.wire, quic.session, &nothing);
    if (!quic_is_over())
        ops->before_flush(&quic.wire, quic.session);
    write_datagrams(all);
    write_parts(most);
    flow_sweep();
    clock_end(&quic.service.clock);
}

void
quic_turn(void)
{
    static const size_t parts[] = {SIZE_MAX, 1, 100, 1200};

    if (quic_is_over())
        return;
    serve(parts[script_choice(&world.script, COUNT(parts))], false);
    quic_check();
    world.nturns++;
}

/* Whatever can arrive does. */
static void
arrive_all(void)
{
    for (size_t i = 0; i < quic.nflows; i++) {
        flow_arrive(&quic.flows[i], SIZE_MAX);
        flow_open_window(&quic.flows[i], 1 << 20);
        flow_acknowledge(&quic.flows[i], UINT64_MAX);
    }
    for (int bidi = 0; quic.on_datagram != NULL && bidi < 2; bidi++)
        flow_allow_streams(1, bidi != 0);
}

static uint64_t
sent_by_all(void)
{
    uint64_t sent = 0;

    for (size_t i = 0; i < quic.nflows; i++)
        sent += quic.flows[i].sent;
    return sent;
}

void
quic_establish(void)
{
    if (!quic.carrier.is_early || quic_is_over())
        return;
    quic.carrier.is_early = false;
    quic_note_result(h3_on_established(quic.session));
}

void
quic_settle(void)
{
    quic_establish();
    for (unsigned i = 0, idle = 0; idle < IDLE_TURNS && !quic_is_over(); i++) {
        const uint64_t arrived = quic.arrived, sent = sent_by_all();
        CHECK(i < SETTLE_TURNS);
        arrive_all();
        serve(SIZE_MAX, true);
        if (!quic_is_over())
            quic_check();
        bool moves =
            arrived != quic.arrived || sent != sent_by_all() || quic.is_touched;
        idle = moves ? 0 : idle + 1;
    }
}

void
quic_drain(void)
{
    if (!quic_is_over())
        h3_protocol.ops->drain(&quic.wire, quic.session);
}

/* Beginning and end */

void
quic_notify(void)
{
    if (!quic_is_over())
        h3_protocol.ops->notify(&quic.wire, quic.session, false);
}

static void
init_service(const struct stream_handler *handler)
{
    struct service *service = &quic.service;

    service->handler = handler;
    service->fields = quic.fields;
    service->tally = &quic.tally;
    clock_init(&service->clock);
    log_init(&service->log, NULL, NULL, LOG_ERROR);
    pool_init(&service->h3_streams, sizeof(struct h3_exchange), 4);
}

static void
choose_limits(uint8_t choice)
{
    struct http_limits *limits = &quic.service.limits;

    if (choice % 4 != 0)
        return;
    limits->body_bytes = 5000;
    limits->h3_send_bytes = 20000;
    limits->head_bytes = 600;
    limits->fields = 8;
    limits->h3_resets = 5;
}

static void
choose_webtransport_limits(void)
{
    static const uint32_t datagrams[] = {1, 4, 64};
    const uint8_t choice = script_byte(&world.script);
    struct http_limits *limits = &quic.service.limits;

    limits->webtransport = true;
    limits->wt_sessions = choice % 2 == 0 ? 2 : 16;
    limits->wt_streams = choice / 2 % 2 == 0 ? 4 : 16;
    limits->wt_datagrams = datagrams[choice / 4 % COUNT(datagrams)];
    quic.client_unis_most = QUIC_SERVER_UNIS + limits->wt_streams;
    quic.unis_most = QUIC_SERVER_UNIS + choice / 16 % 4;
    quic.bidis_most = choice / 64;
    quic.carrier.is_early = choice / 8 % 4 == 3;
    quic.nflows = QUIC_FLOWS;
}

static void
begin(const struct stream_handler *handler, quic_on_bytes *on_bytes,
      quic_on_datagram *on_datagram)
{
    memset(&quic, 0, sizeof quic);
    quic.on_bytes = on_bytes;
    quic.on_datagram = on_datagram;
    quic.service.limits = HTTP_LIMITS_DEFAULT;
    const uint8_t choice = script_byte(&world.script);
    quic.unis_most = QUIC_SERVER_UNIS;
    quic.client_unis_most = QUIC_UNIS;
    quic.nflows = QUIC_PLAIN_FLOWS;
    choose_limits(choice);
    if (on_datagram != NULL)
        choose_webtransport_limits();
    init_service(handler);
    outq_pools_init(&quic.pools, 4);
    quic.wire.ops = &wire_ops;
    quic.wire.service = &quic.service;
    buf_init(&quic.wire.in);
    outq_init(&quic.wire.out, &quic.pools);
    quic.carrier.ops = &carrier_ops;
    quic.carrier.quota.most = (size_t)4 << 20;
    flow_begin_all();
    quic.session = h3_begin(&quic.wire, &quic.carrier, QUIC_REQUESTS);
    CHECK(quic.session != NULL);
    if (choice >= 0xf0) /* the server stops during the handshake */
        quic_drain();
    quic_note_result(h3_on_ready(quic.session));
}

void
quic_begin(const struct stream_handler *handler, quic_on_bytes *on_bytes)
{
    begin(handler, on_bytes, NULL);
}

void
quic_begin_webtransport(const struct stream_handler *handler, quic_on_bytes *on_bytes,
                        quic_on_datagram *on_datagram)
{
    CHECK(on_datagram != NULL);
    begin(handler, on_bytes, on_datagram);
}

/* Returns whether the end of the stream ends the connection. */
static bool
is_critical(const struct flow *flow)
{
    return flow->id % 4 >= 2 && flow->id / 4 < QUIC_SERVER_UNIS;
}

/* When every stream has ended, no exchange is left, and the client may send as much as
 * at first. */
static void
check_ended(void)
{
    const struct mux *m = quic.session;

    for (size_t i = 0; i < quic.nflows; i++) {
        struct flow *flow = &quic.flows[i];
        if (!flow->has_begun || is_critical(flow))
            continue;
        if (!flow->ended)
            quic_reset(flow->id);
        quic_stop(flow->id);
    }
    quic_settle();
    if (quic_is_over())
        return;
    for (size_t i = 0; i < quic.nflows; i++) {
        const struct flow *flow = &quic.flows[i];
        CHECK(flow->is_closed || !flow->has_begun || is_critical(flow));
    }
    CHECK(m->nexchanges == 0 && list_is_empty(&m->news));
    CHECK(quic.given + quic_check_orphans() == quic.arrived);
}

void
quic_finish(void)
{
    check_ended();
    h3_protocol.ops->fini(&quic.wire, quic.session, ERR_CLOSED);
    CHECK(quic.carrier.quota.used == 0);
    CHECK(quic.service.h3_streams.ntaken == 0);
    CHECK(tally_get(&quic.tally, TALLY_RUNNING) == 0);
    CHECK(tally_get(&quic.tally, TALLY_WT_SESSIONS) == 0);
    for (size_t i = 0; i < quic.nflows; i++)
        buf_release(&quic.flows[i].to_server);
    outq_clear(&quic.wire.out);
    CHECK(quic.pools.blocks.ntaken == 0 && quic.pools.lent.ntaken == 0);
    pool_fini(&quic.service.h3_streams);
    outq_pools_fini(&quic.pools);
}
