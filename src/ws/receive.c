/* SPDX-License-Identifier: MIT */
/* ws/receive.c — see receive.h for the contract. */
#include "ws/receive.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/narrow.h"
#include "ws/control.h"
#include "ws/inflation.h"

/* Each additional fragment must come with this many bytes of the message; less is a
 * flood. */
#define FRAGMENT_BYTES 16u

/* Returns the most bytes that the current message may have on the wire.
 * Incompressible data gets longer: by an eighth in fixed codes, and by block headers
 * (as in zlib's compressBound for small windows). */
static size_t
ws_receive_most_bytes(const struct ws *ws)
{
    uint64_t most = ws->shared->config.message_bytes;
    if (ws->is_compressed)
        most += most / 8 + most / 64 + 64;
    return most < UINT32_MAX ? most : UINT32_MAX;
}

/* Checks whether a frame of a message is allowed now (5.4) and within the limits.
 * Its length is checked before its payload arrives. */
static int
begin_data(struct ws *ws, const struct ws_frame *frame)
{
    const struct ws_config *config = &ws->shared->config;

    if ((frame->opcode == WS_CONTINUATION) != (ws->nframes > 0))
        return ERR_WS_ORDER;
    if (ws->nframes == 0) {
        ws->kind = frame->opcode;
        ws->is_compressed = frame->compressed;
        ws->utf8 = (struct ws_utf8){0};
    }
    if (config->frame_bytes != 0 && frame->len > config->frame_bytes)
        return ERR_WS_FRAME_TOO_BIG;
    if (frame->len > ws_receive_most_bytes(ws) - ws->message.len)
        return ERR_WS_TOO_BIG;
    if (ws->nframes < UINT32_MAX)
        ws->nframes++;
    if (config->fragments != 0 &&
        ws->nframes > config->fragments + ws->message.len / FRAGMENT_BYTES)
        return ERR_WS_FRAGMENTS;
    return 0;
}

/* Returns whether the frame ends a message, which is counted when it is passed to
 * the user. */
static bool
ends_message(const struct ws *ws, const struct ws_frame *frame)
{
    return frame->fin && !ws_is_control(frame->opcode) && ws->state == WS_OPEN;
}

static int
begin_frame(struct ws *ws, const struct ws_frame *frame)
{
    int err = 0;

    if (!ends_message(ws, frame))
        ws_spend(ws, BUDGET_FRAME);
    if (ws->state == WS_OPEN)
        err =
            ws_is_control(frame->opcode) ? ws_control_count(ws) : begin_data(ws, frame);
    ws->in_frame = true;
    ws->fin = frame->fin;
    ws->opcode = frame->opcode;
    ws->key = frame->key;
    ws->left = frame->len;
    return err;
}

/* An incomplete header is stored, at most 13 bytes, until the rest arrives. */
static void
take_header(struct ws *ws, struct slice *in)
{
    struct slice header = *in;
    struct ws_frame frame;
    size_t before = ws->npartial;

    if (before > 0) {
        size_t n = sizeof ws->partial - before;
        if (n > in->len)
            n = in->len;
        memcpy(ws->partial + before, in->ptr, n);
        header = slice_new(ws->partial, before + n);
    }
    ssize_t n = ws_frame_parse(header, ws->deflate.params.is_on, &frame);
    if (n == ERR_AGAIN) {
        if (before == 0)
            memcpy(ws->partial, in->ptr, in->len);
        ws->npartial = narrow_u8(header.len);
        *in = slice_skip(*in, in->len);
        return;
    }
    int err = n < 0 ? narrow_int(n) : begin_frame(ws, &frame);
    if (err != 0) {
        ws_fail(ws, err);
        return;
    }
    ws->npartial = 0;
    *in = slice_skip(*in, narrow_size(n) - before);
}

/* Passes a complete uncompressed message to the user. The state is ready for the
 * next one before that, because the user may call anything but ws_feed. */
static void
deliver(struct ws *ws, struct slice bytes)
{
    assert(ws->state == WS_OPEN && !ws->is_paused && !ws->is_compressed);
    assert(bytes.len <= ws_receive_most_bytes(ws));
    ws->nframes = 0;
    ws_spend(ws, BUDGET_MESSAGE + budget_of_bytes(bytes.len));
    if (ws->kind == WS_TEXT && !ws_utf8_is_whole(&ws->utf8))
        ws_fail(ws, ERR_WS_UTF8);
    else
        ws->shared->handler->on_message(ws, ws->kind, bytes);
}

static bool
ws_receive_is_text_good(struct ws *ws, struct slice piece)
{
    return ws->kind != WS_TEXT || ws->is_compressed ||
           ws_utf8_check(ws->shared->utf8, &ws->utf8, piece);
}

/* The common case: a message in one complete frame. */
static void
take_in_place(struct ws *ws, struct slice payload)
{
    ws->shared->mask->apply((char *)payload.ptr, payload.ptr, payload.len, ws->key);
    if (ws->is_compressed)
        ws_inflate_in_place(ws, payload);
    else if (ws_receive_is_text_good(ws, payload))
        deliver(ws, payload);
    else
        ws_fail(ws, ERR_WS_UTF8);
}

static bool
is_long(const struct ws *ws)
{
    return ws->kind == WS_BINARY && !ws->is_compressed && ws->message.cap == 0 &&
           ws->left > WS_SPARE_BYTES && ws->shared->handler->resize != NULL;
}

static int
ws_receive_make_room(struct ws *ws, size_t need)
{
    struct ws_bytes *message = &ws->message;
    size_t wish = message->len + ws->left, most = ws_receive_most_bytes(ws);

    ws->is_lent = ws->is_lent || is_long(ws);
    return ws->is_lent
               ? ws_bytes_reserve_lent(message, ws->shared->handler->resize, need, wish,
                                       most)
               : ws_bytes_reserve(message, &ws->shared->spares, need, wish, most);
}

void
ws_drop_message(struct ws *ws)
{
    if (ws->is_lent)
        (void)ws->shared->handler->resize(ws->message.ptr, 0);
    else
        ws_bytes_give(&ws->message, &ws->shared->spares);
    ws->message = (struct ws_bytes){0};
    ws->is_lent = false;
}

/* Appends a part of a message, unmasking it. */
static int
ws_receive_gather(struct ws *ws, struct slice piece)
{
    struct ws_bytes *message = &ws->message;
    size_t need = message->len + piece.len;

    if (piece.len == 0)
        return 0;
    int err = ws_receive_make_room(ws, need);
    if (err != 0)
        return err;
    assert(message->cap >= need && need <= ws_receive_most_bytes(ws));
    char *at = message->ptr + message->len;
    ws->shared->mask->apply(at, piece.ptr, piece.len, ws->key);
    message->len = need;
    return ws_receive_is_text_good(ws, slice_new(at, piece.len)) ? 0 : ERR_WS_UTF8;
}

static void
deliver_gathered(struct ws *ws)
{
    struct ws_bytes message = ws->message;
    bool is_lent = ws->is_lent;

    assert(message.len <= ws_receive_most_bytes(ws));
    if (ws->is_compressed) {
        ws_inflate_gathered(ws);
        return;
    }
    assert(!is_lent || (ws->kind == WS_BINARY));
    ws->message = (struct ws_bytes){0};
    ws->is_lent = false;
    if (is_lent) {
        ws->nframes = 0;
        ws_spend(ws, BUDGET_MESSAGE + budget_of_bytes(message.len));
        ws->shared->handler->on_long_message(ws, message.ptr, message.len);
        return;
    }
    deliver(ws, ws_bytes_slice(&message));
    ws_bytes_give(&message, &ws->shared->spares);
}

static void
ws_receive_take_data(struct ws *ws, struct slice piece)
{
    bool is_whole = piece.len == ws->left && ws->fin;

    if (is_whole && ws->nframes == 1 && ws->message.len == 0) {
        ws->in_frame = false;
        take_in_place(ws, piece);
        return;
    }
    int err = ws_receive_gather(ws, piece);
    if (err != 0) {
        ws_fail(ws, err);
        return;
    }
    ws->key = ws_mask_turn(ws->key, piece.len);
    ws->left -= piece.len;
    ws->in_frame = ws->left > 0;
    if (is_whole)
        deliver_gathered(ws);
}

static void
take_control(struct ws *ws, struct slice piece)
{
    bool is_whole = piece.len == ws->left;
    bool is_first = ws->frames == NULL || ws->frames->nin == 0;

    ws->in_frame = !is_whole;
    if (is_whole && is_first) {
        ws->shared->mask->apply((char *)piece.ptr, piece.ptr, piece.len, ws->key);
        ws_control_take(ws, ws->opcode, piece);
        return;
    }
    int err = ws_control_keep(ws, piece);
    if (err != 0) {
        ws_fail(ws, err);
        return;
    }
    ws->key = ws_mask_turn(ws->key, piece.len);
    ws->left -= piece.len;
    if (is_whole)
        ws_control_take_kept(ws, ws->opcode);
}

static void
take_payload(struct ws *ws, struct slice *in)
{
    size_t n = ws->left < in->len ? (size_t)ws->left : in->len;
    struct slice piece = slice_first(*in, n);

    *in = slice_skip(*in, n);
    if (ws_is_control(ws->opcode)) {
        take_control(ws, piece);
    } else if (ws->state == WS_CLOSING) {
        ws->left -= n;
        ws->in_frame = ws->left > 0;
    } else {
        ws_receive_take_data(ws, piece);
    }
}

void
ws_feed(struct ws *ws, struct slice *in)
{
    if (in->len > 0)
        ws_hear(ws);
    while (ws_wants_input(ws) &&
           (ws_is_inflating(ws) || in->len > 0 || (ws->in_frame && ws->left == 0))) {
        if (ws_is_inflating(ws))
            ws_inflate_more(ws);
        else if (ws->in_frame)
            take_payload(ws, in);
        else
            take_header(ws, in);
    }
    if (ws->state == WS_ENDED)
        *in = slice_skip(*in, in->len);
    assert(in->len == 0 || ws->is_paused || ws->is_spent);
}
