/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/quic_flow.c — see quic_flow.h, and quic.h for the client's side. */
#include "session/quic_flow.h"

#include <string.h> /* memset */

#include "http3/session.h"
#include "session/world.h"

/* Streams */

/* Returns where the streams of the kind `id % 4` begin: the first ones, and those of
 * WebTransport. */
struct flow *
flow_of(int64_t id)
{
    static const size_t firsts[] = {0, QUIC_FLOWS, QUIC_REQUESTS,
                                    QUIC_REQUESTS + QUIC_UNIS};
    static const size_t counts[] = {QUIC_REQUESTS, 0, QUIC_UNIS, QUIC_SERVER_UNIS};
    static const size_t mores[] = {QUIC_FLOWS,
                                   QUIC_PLAIN_FLOWS + QUIC_MORE_UNIS + QUIC_OPENED,
                                   QUIC_PLAIN_FLOWS, QUIC_PLAIN_FLOWS + QUIC_MORE_UNIS};
    const size_t kind = (size_t)id % 4, n = (size_t)id / 4;
    const size_t at =
        n < counts[kind] ? firsts[kind] + n : mores[kind] + n - counts[kind];

    CHECK(at < quic.nflows && quic.flows[at].id == id);
    return &quic.flows[at];
}

static int64_t
id_at(size_t i)
{
    if (i < QUIC_REQUESTS)
        return (int64_t)i * 4;
    i -= QUIC_REQUESTS;
    if (i < QUIC_UNIS)
        return (int64_t)i * 4 + 2;
    i -= QUIC_UNIS;
    if (i < QUIC_SERVER_UNIS)
        return (int64_t)i * 4 + 3;
    i -= QUIC_SERVER_UNIS;
    if (i < QUIC_MORE_UNIS)
        return (int64_t)(i + QUIC_UNIS) * 4 + 2;
    i -= QUIC_MORE_UNIS;
    if (i < QUIC_OPENED)
        return (int64_t)(i + QUIC_SERVER_UNIS) * 4 + 3;
    return (int64_t)(i - QUIC_OPENED) * 4 + 1;
}

void
flow_begin_all(void)
{
    for (size_t i = 0; i < QUIC_FLOWS; i++) {
        struct flow *flow = &quic.flows[i];
        memset(flow, 0, sizeof *flow);
        buf_init(&flow->to_server);
        flow->id = id_at(i);
        flow->window = 100;
        flow->is_shut = flow->id % 4 == 2;
        flow->ended = flow->end_arrived = flow->id % 4 == 3;
    }
}

void
flow_note_code(struct flow *flow, uint64_t code)
{
    if (flow->code == 0)
        flow->code = code;
}

uint64_t
flow_give(int64_t id)
{
    struct flow *flow = flow_of(id);
    uint64_t n;

    CHECK(id % 2 == 0 && flow->is_closed && !flow->is_given);
    flow->is_given = true;
    if (id % 4 == 2) {
        quic.client_unis_most++;
        return 0;
    }
    if (++quic.nclosed < QUIC_REQUESTS / 4)
        return 0;
    n = quic.nclosed;
    quic.nclosed = 0;
    return n;
}

void
flow_close(struct flow *flow)
{
    if (flow->is_closed || !flow->has_begun || !flow->end_arrived || !flow->is_shut ||
        (flow->end_sent && flow->acked < flow->sent) || quic_is_over())
        return;
    flow->is_closed = true;
    if (flow->id % 2 == 0 && !h3_keeps(quic.session, flow->id)) {
        uint64_t n = flow_give(flow->id);
        if (n > 0)
            h3_on_streams(quic.session, n);
    }
    quic_note_result(h3_on_closed(quic.session, flow->id,
                                  flow->code != 0 ? flow->code : QUIC_NO_ERROR));
}

void
flow_sweep(void)
{
    for (size_t i = 0; i < quic.nflows && !quic_is_over(); i++) {
        struct flow *flow = &quic.flows[i];
        if (flow->is_dropped && !flow->is_unread && !flow->is_closed) {
            flow->is_unread = true;
            quic_note_result(h3_on_unread(quic.session, flow->id));
        }
        flow_close(flow);
    }
}

/* The client's side */

bool
quic_may_send(int64_t id)
{
    return !flow_of(id)->ended;
}

bool
quic_may_open_uni(unsigned n)
{
    return n < QUIC_UNIS + QUIC_MORE_UNIS && n < quic.client_unis_most;
}

uint64_t
quic_arrived(int64_t id)
{
    return flow_of(id)->offset;
}

bool
quic_is_dropped(int64_t id)
{
    return flow_of(id)->is_dropped;
}

void
quic_send(int64_t id, const void *bytes, size_t n)
{
    struct flow *flow = flow_of(id);

    CHECK(!flow->ended && id % 4 != 3);
    flow->has_begun = true;
    CHECK(buf_append(&flow->to_server, slice_new(bytes, n)) == 0);
}

void
quic_end(int64_t id)
{
    flow_of(id)->has_begun = flow_of(id)->ended = true;
}

bool
quic_reset_with(int64_t id, uint64_t code)
{
    struct flow *flow = flow_of(id);

    if (flow->end_arrived || flow->was_reset)
        return false;
    flow->has_begun = flow->ended = flow->was_reset = true;
    flow->reset_code = code;
    buf_release(&flow->to_server);
    return true;
}

void
quic_reset(int64_t id)
{
    (void)quic_reset_with(id, QUIC_CANCELLED);
}

/* As ngtcp2 does: our side is reset, and HTTP/3 finds out when it writes. */
bool
quic_stop_with(int64_t id, uint64_t code)
{
    struct flow *flow = flow_of(id);

    if (!flow->has_begun || flow->is_closed || id % 4 == 2 ||
        (flow->end_sent && flow->acked == flow->sent))
        return false;
    flow_note_code(flow, code);
    flow->is_shut = true;
    flow->end_sent = false;
    flow_sweep();
    return true;
}

void
quic_stop(int64_t id)
{
    (void)quic_stop_with(id, QUIC_CANCELLED);
}

void
flow_arrive(struct flow *flow, size_t n)
{
    struct slice bytes = buf_bytes(&flow->to_server);

    if (quic_is_over() || flow->is_closed || flow->end_arrived || !flow->has_begun)
        return;
    if (flow->was_reset) {
        flow->end_arrived = true;
        flow_note_code(flow, flow->reset_code);
        quic_note_result(h3_on_reset(quic.session, flow->id, flow->reset_code));
        flow_close(flow);
        return;
    }
    bytes.len = bytes.len < n ? bytes.len : n;
    bool last = flow->ended && bytes.len == flow->to_server.len;
    if (bytes.len == 0 && !last)
        return;
    flow->end_arrived = last;
    if (!flow->is_dropped) {
        flow->arrived += bytes.len;
        quic.arrived += bytes.len;
        char *copy = malloc(bytes.len + 1);
        CHECK(copy != NULL);
        if (bytes.len > 0)
            memcpy(copy, bytes.ptr, bytes.len);
        quic_note_result(h3_on_data(quic.session, flow->id, flow->offset,
                                    slice_new(copy, bytes.len), last));
        free(copy);
    }
    flow->offset += bytes.len;
    buf_consume(&flow->to_server, bytes.len);
    flow_close(flow);
}

void
flow_acknowledge(struct flow *flow, uint64_t n)
{
    if (n > flow->sent - flow->acked)
        n = flow->sent - flow->acked;
    if (n == 0 || flow->is_closed || quic_is_over())
        return;
    flow->acked += n;
    quic_note_result(h3_on_acked(quic.session, flow->id, n));
    flow_close(flow);
}

void
flow_open_window(struct flow *flow, uint64_t n)
{
    if (quic_is_over() || !flow->has_begun || flow->is_closed)
        return;
    flow->window += n;
    quic_note_result(h3_on_window(quic.session, flow->id));
}

void
flow_allow_streams(unsigned n, bool is_bidi)
{
    unsigned *most = is_bidi ? &quic.bidis_most : &quic.unis_most;

    if (quic_is_over())
        return;
    *most += n;
    h3_on_room(quic.session);
}

void
quic_datagram(const void *bytes, size_t n)
{
    if (quic_is_over())
        return;
    char *copy = malloc(n + 1);
    CHECK(copy != NULL);
    if (n > 0)
        memcpy(copy, bytes, n);
    quic_note_result(h3_on_datagram(quic.session, slice_new(copy, n)));
    free(copy);
}

static struct flow *
choose_flow(void)
{
    unsigned first = script_byte(&world.script);

    for (size_t i = 0; i < quic.nflows; i++) {
        struct flow *flow = &quic.flows[(first + i) % quic.nflows];
        if (flow->has_begun && !flow->is_closed)
            return flow;
    }
    return &quic.flows[0];
}

void
quic_act(void)
{
    static const size_t sizes[] = {1, 2, 7, 100, 1200, SIZE_MAX / 2};
    struct flow *flow = choose_flow();
    size_t n = sizes[script_choice(&world.script, COUNT(sizes))];

    world_step();
    switch (script_choice(&world.script, quic.on_datagram != NULL ? 9 : 8)) {
    case 4:
    case 5:
        flow_acknowledge(flow, n);
        break;
    case 6:
        flow_open_window(flow, n > 100000 ? 100000 : n);
        break;
    case 7:
        for (size_t i = 0; i < quic.nflows; i++)
            flow_arrive(&quic.flows[i], n);
        break;
    case 8:
        flow_allow_streams(1 + (unsigned)n % 3, n % 2 == 0);
        break;
    default:
        flow_arrive(flow, n);
    }
}
