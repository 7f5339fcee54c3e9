/* SPDX-License-Identifier: MIT */
/* ws/send.c — see send.h for the contract. */
#include "ws/send.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "ws/deflation.h"
#include "ws/output.h"

/* Completes a message that is being compressed, which the next one follows. Returns 0 or
 * ERR_CLOSED. */
static int
make_way(struct ws *ws)
{
    if (ws->state != WS_OPEN || ws_deflation_finish(ws) != 0 || ws->state != WS_OPEN)
        return ERR_CLOSED;
    return 0;
}

static bool
is_worth_packing(const struct ws_shared *shared, const struct ws_deflate_params *params,
                 size_t len)
{
    return params->is_on && len >= shared->config.deflate.threshold_bytes && len > 0 &&
           len <= WS_DEFLATE_IN_BYTES;
}

/* A payload that did not become shorter, or could not be compressed, is sent
 * uncompressed, unless the peer's window must stay in step with ours. */
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
        err = ws_output_frame(ws, kind, true, &payload);
    } else {
        err = ws_output_frame(ws, kind, false, message);
    }
    ws_bytes_give(&packed, &shared->spares);
    return err;
}

int
ws_send(struct ws *ws, enum ws_opcode kind, const struct chunk *message)
{
    assert(kind == WS_TEXT || kind == WS_BINARY);
    if (make_way(ws) != 0)
        return ERR_CLOSED;
    if (is_worth_packing(ws->shared, &ws->deflate.params, message->bytes.len)) {
        bool is_long = message->bytes.len > WS_DEFLATION_BYTES &&
                       message->lender != NULL && ws->ops->rest != NULL;
        return is_long ? ws_deflation_begin(ws, kind, message)
                       : send_packed(ws, kind, message);
    }
    return ws_output_frame(ws, kind, false, message);
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
    int err = ws_output(ws, &frame, last);
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
        is_worth_packing(shared, params, message.len) &&
        message.len <= WS_PACKET_PACKED_BYTES) {
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
    /* A thousand copies of a short message would each take a block. */
    static const struct lender lender = {retain_packet, release_packet, 0};
    const struct chunk chunk = {
        .bytes = {packet->bytes, packet->len},
        .lender = &lender,
        .owner = packet,
    };

    if (make_way(ws) != 0)
        return ERR_CLOSED;
    assert(ws_packet_suits(packet, &ws->deflate.params));
    return ws_output(ws, &chunk, false);
}
