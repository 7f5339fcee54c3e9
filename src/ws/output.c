/* SPDX-License-Identifier: MIT */
/* ws/output.c — see output.h for the contract. */
#include "ws/output.h"

#include <assert.h> /* assert */

#include "base/err.h"

/* A payload up to this size is copied after its header and sent in one call; a
 * longer one is sent without a copy. */
#define COPY_BYTES 2048u

int
ws_output(struct ws *ws, const struct chunk *chunk, bool last)
{
    assert(ws->state != WS_ENDED);
    int err = ws->ops->send(ws, chunk, last);
    assert(!last || err != ERR_AGAIN);
    if (err == ERR_AGAIN)
        ws->waits_for_writable = true;
    return err;
}

/* Sends a payload after the `n` bytes of its header in `bytes`, which has room for
 * COPY_BYTES more. */
static int
send_with(struct ws *ws, char *bytes, size_t n, const struct chunk *payload)
{
    bool fits = payload->bytes.len <= COPY_BYTES;

    if (fits && payload->bytes.len > 0) {
        memcpy(bytes + n, payload->bytes.ptr, payload->bytes.len);
        n += payload->bytes.len;
    }
    const struct chunk front = {.bytes = {bytes, n}};
    int err = ws_output(ws, &front, false);
    if (fits || (err != 0 && err != ERR_AGAIN))
        return err;
    int also = ws_output(ws, payload, false);
    return also == 0 ? err : also;
}

int
ws_output_frame(struct ws *ws, enum ws_opcode opcode, bool compressed,
                const struct chunk *payload)
{
    char bytes[WS_HEADER_OUT_BYTES + COPY_BYTES];
    size_t n = ws_frame_write(bytes, opcode, compressed, payload->bytes.len);

    return send_with(ws, bytes, n, payload);
}

int
ws_output_part(struct ws *ws, enum ws_opcode opcode, bool last, struct slice payload)
{
    char bytes[WS_HEADER_OUT_BYTES + COPY_BYTES];
    size_t n = ws_frame_write_part(bytes, opcode, last, payload.len);
    const struct chunk chunk = {.bytes = payload};

    return send_with(ws, bytes, n, &chunk);
}
