/* SPDX-License-Identifier: MIT */
/* ws/deflation.c — see deflation.h for the contract. */
#include "ws/deflation.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "ws/output.h"

/* A first slice that becomes shorter by less than this part of it is not worth it. */
#define GAIN_PART 16u

struct ws_deflation {
    struct z_stream_s *z; /* lent by ws->deflate or its pool */
    struct slice left;    /* what is not compressed yet, retained by `lender` */
    const struct lender *lender;
    void *owner;
    enum ws_opcode kind;
    bool has_begun; /* its first frame was sent */
};

void
ws_deflation_drop(struct ws *ws)
{
    struct ws_deflation *deflation = ws->deflation;

    if (deflation == NULL)
        return;
    ws->deflation = NULL;
    ws_deflate_pack_end(&ws->deflate, &ws->shared->deflate, deflation->z);
    deflation->lender->release(deflation->owner);
    mem_free(deflation);
}

/* Sends a frame with `packed`, the compressed form of the next `n` bytes. */
static int
send_slice(struct ws *ws, struct slice packed, size_t n)
{
    struct ws_deflation *deflation = ws->deflation;
    enum ws_opcode opcode = deflation->has_begun ? WS_CONTINUATION : deflation->kind;

    deflation->left = slice_skip(deflation->left, n);
    deflation->has_begun = true;
    return ws_output_part(ws, opcode, deflation->left.len == 0, packed);
}

/* Without memory, nothing can follow the frames that were sent. */
static int
deflation_fail(struct ws *ws)
{
    ws_deflation_drop(ws);
    ws_fail(ws, ERR_NOMEM);
    return ERR_NOMEM;
}

/* Compresses and sends the next `n` bytes; if `fast`, which are all that are left, as
 * they are. */
static int
deflation_step(struct ws *ws, size_t n, bool fast)
{
    struct ws_deflation *deflation = ws->deflation;
    struct ws_shared *shared = ws->shared;
    struct ws_bytes packed = {0};
    struct slice in = slice_first(deflation->left, n);
    bool last = n == deflation->left.len;

    if (ws_deflate_pack_slice(deflation->z, &shared->deflate, in, last, fast,
                              &packed) != 0)
        return deflation_fail(ws);
    int err = 0;
    if (last || packed.len > 0)
        err = send_slice(ws, ws_bytes_slice(&packed), n);
    else
        deflation->left = slice_skip(deflation->left, n);
    ws_bytes_give(&packed, &shared->spares);
    if (last || (err != 0 && err != ERR_AGAIN))
        ws_deflation_drop(ws);
    return err;
}

/* Sends the next slice, and pauses unless it was the last one. */
static int
take_slice(struct ws *ws)
{
    size_t left = ws->deflation->left.len;
    int err = deflation_step(
        ws, left < WS_DEFLATION_SLICE_BYTES ? left : WS_DEFLATION_SLICE_BYTES, false);

    if (err != 0 || ws->deflation == NULL)
        return err;
    ws->waits_for_writable = true;
    ws->ops->rest(ws);
    return ERR_AGAIN;
}

/* Returns whether the first slice becomes shorter; it is not sent. */
static bool
is_worth_it(struct ws *ws, struct slice message)
{
    struct ws_bytes packed = {0};
    struct slice first = slice_first(message, WS_DEFLATION_SLICE_BYTES);

    if (ws_deflate_pack(&ws->deflate, &ws->shared->deflate, first, &packed) != 0)
        return false;
    size_t n = packed.len;
    ws_bytes_give(&packed, &ws->shared->spares);
    return n < first.len - first.len / GAIN_PART;
}

int
ws_deflation_begin(struct ws *ws, enum ws_opcode kind, const struct chunk *message)
{
    bool must = ws->deflate.params.server_takeover;
    struct ws_deflation *deflation = NULL;

    assert(ws->state == WS_OPEN && ws->deflation == NULL && ws->ops->rest != NULL);
    assert(message->lender != NULL && message->bytes.len >= WS_DEFLATION_BYTES);
    if (must || is_worth_it(ws, message->bytes))
        deflation = mem_alloc(sizeof *deflation);
    if (deflation == NULL)
        return ws_output_frame(ws, kind, false, message);
    *deflation = (struct ws_deflation){
        .z = ws_deflate_pack_begin(&ws->deflate, &ws->shared->deflate),
        .left = message->bytes,
        .lender = message->lender,
        .owner = message->owner,
        .kind = kind,
    };
    if (deflation->z == NULL) {
        mem_free(deflation);
        return ws_output_frame(ws, kind, false, message);
    }
    message->lender->retain(message->owner);
    ws->deflation = deflation;
    return take_slice(ws);
}

void
ws_deflation_go_on(struct ws *ws)
{
    if (ws->deflation != NULL)
        (void)take_slice(ws); /* after an error, ws_lost follows */
}

int
ws_deflation_finish(struct ws *ws)
{
    if (ws->deflation == NULL)
        return 0;
    int err = deflation_step(ws, ws->deflation->left.len, true);
    return err == ERR_AGAIN ? 0 : err;
}
