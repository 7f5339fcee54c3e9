/* SPDX-License-Identifier: MIT */
/* ws/send.c — see send.h for the contract. */
#include "ws/send.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"

/* A payload up to this is copied behind its header and sent in one call; a longer one
 * goes as it is. */
#define COPY_BYTES 2048u

static int
send_bytes(struct ws *ws, const struct chunk *chunk, bool last)
{
    assert(ws->state != WS_ENDED);
    int err = ws->ops->send(ws, chunk, last);
    assert(!last || err != ERR_AGAIN);
    if (err == ERR_AGAIN)
        ws->waits_for_writable = true;
    return err;
}

static int
send_frame(struct ws *ws, enum ws_opcode opcode, bool compressed,
           const struct chunk *payload)
{
    char bytes[WS_HEADER_OUT_BYTES + COPY_BYTES];
    size_t n = ws_frame_write(bytes, opcode, compressed, payload->bytes.len);
    bool fits = payload->bytes.len <= COPY_BYTES;

    if (fits && payload->bytes.len > 0) {
        memcpy(bytes + n, payload->bytes.ptr, payload->bytes.len);
        n += payload->bytes.len;
    }
    const struct chunk front = {.bytes = {bytes, n}};
    int err = send_bytes(ws, &front, false);
    if (fits || (err != 0 && err != ERR_AGAIN))
        return err;
    int also = send_bytes(ws, payload, false);
    return also == 0 ? err : also;
}

static bool
is_worth_packing(const struct ws_shared *shared, const struct ws_deflate_params *params,
                 size_t len)
{
    return params->is_on && len >= shared->config.deflate.threshold_bytes && len > 0 &&
           len <= WS_DEFLATE_IN_BYTES;
}

/* A payload that did not get shorter, or could not be packed, goes as it was, unless the
 * peer has to keep its window in step with ours. */
static int
send_packed(struct ws *ws, enum ws_opcode kind, const struct chunk *message)
{
    struct ws_shared *shared = ws->shared;
    struct ws_bytes packed = {0};

    int err = ws_deflate_pack(&ws->deflate, &shared->deflate, message->bytes, &packed);
    bool must = ws->deflate.params.server_takeover;
    if (err != 0 && must) {
        ws_fail(ws, err);
        return err;
    }
    if (must || (err == 0 && packed.len < message->bytes.len)) {
        const struct chunk payload = {.bytes = ws_bytes_slice(&packed)};
        err = send_frame(ws, kind, true, &payload);
    } else {
        err = send_frame(ws, kind, false, message);
    }
    ws_bytes_give(&packed, &shared->spares);
    return err;
}

int
ws_send(struct ws *ws, enum ws_opcode kind, const struct chunk *message)
{
    assert(kind == WS_TEXT || kind == WS_BINARY);
    if (ws->state != WS_OPEN)
        return ERR_CLOSED;
    if (is_worth_packing(ws->shared, &ws->deflate.params, message->bytes.len))
        return send_packed(ws, kind, message);
    return send_frame(ws, kind, false, message);
}

int
ws_send_control(struct ws *ws, enum ws_opcode opcode, struct slice payload, bool last)
{
    char bytes[WS_HEADER_OUT_BYTES + WS_CONTROL_BYTES];
    size_t n = ws_frame_write(bytes, opcode, false, payload.len);

    assert(payload.len <= WS_CONTROL_BYTES);
    if (payload.len > 0)
        memcpy(bytes + n, payload.ptr, payload.len);
    const struct chunk frame = {.bytes = {bytes, n + payload.len}};
    int err = send_bytes(ws, &frame, last);
    return err == ERR_AGAIN ? 0 : err;
}

static struct ws_packet *
packet_of(enum ws_opcode kind, bool compressed, struct slice payload)
{
    char header[WS_HEADER_OUT_BYTES];
    size_t n = ws_frame_write(header, kind, compressed, payload.len);
    struct ws_packet *packet = mem_alloc(sizeof *packet + n + payload.len);

    if (packet == NULL)
        return NULL;
    *packet = (struct ws_packet){
        .nrefs = 1,
        .is_compressed = compressed,
        .len = n + payload.len,
    };
    memcpy(packet->bytes, header, n);
    if (payload.len > 0)
        memcpy(packet->bytes + n, payload.ptr, payload.len);
    return packet;
}

int
ws_packet_new(struct ws_shared *shared, const struct ws_deflate_params *params,
              enum ws_opcode kind, struct slice message, struct ws_packet **out)
{
    struct ws_bytes packed = {0};

    if (params != NULL && !params->server_takeover &&
        is_worth_packing(shared, params, message.len)) {
        struct ws_deflate nobody = {.params = *params};
        int err = ws_deflate_pack(&nobody, &shared->deflate, message, &packed);
        if (err != 0)
            return err;
    }
    bool is_shorter = packed.len > 0 && packed.len < message.len;
    *out = packet_of(kind, is_shorter, is_shorter ? ws_bytes_slice(&packed) : message);
    ws_bytes_give(&packed, &shared->spares);
    if (*out == NULL)
        return ERR_NOMEM;
    if (is_shorter)
        (*out)->bits = params->server_bits;
    return 0;
}

void
ws_packet_ref(struct ws_packet *packet)
{
    packet->nrefs++;
}

void
ws_packet_unref(struct ws_packet *packet)
{
    if (packet != NULL && --packet->nrefs == 0)
        mem_free(packet);
}

bool
ws_packet_suits(const struct ws_packet *packet, const struct ws_deflate_params *params)
{
    if (!packet->is_compressed)
        return true;
    return params->is_on && !params->server_takeover &&
           packet->bits <= params->server_bits;
}

static void
retain_packet(void *owner)
{
    ws_packet_ref(owner);
}

static void
release_packet(void *owner)
{
    ws_packet_unref(owner);
}

int
ws_send_packet(struct ws *ws, struct ws_packet *packet)
{
    /* A thousand copies of a short message would take a block each. */
    static const struct lender lender = {retain_packet, release_packet, 0};
    const struct chunk chunk = {
        .bytes = {packet->bytes, packet->len},
        .lender = &lender,
        .owner = packet,
    };

    if (ws->state != WS_OPEN)
        return ERR_CLOSED;
    assert(ws_packet_suits(packet, &ws->deflate.params));
    return send_bytes(ws, &chunk, false);
}
