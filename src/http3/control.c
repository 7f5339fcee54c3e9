/* SPDX-License-Identifier: MIT */
/* http3/control.c — see control.h for the contract. */
#include "http3/control.h"

#include <assert.h> /* assert */

#include "base/narrow.h"

#define CONTROL_STREAM 0u
#define PRIORITY_UPDATE 0xf0700u /* of a request; that of a push is one more */

enum control_state {
    CONTROL_TYPE = 0, /* of the stream */
    CONTROL_KIND,     /* of a frame */
    CONTROL_LENGTH,
    CONTROL_ELEMENT, /* the ID in a PRIORITY_UPDATE */
    CONTROL_REST,
};

static struct h3_control *
h3_control_find(struct h3_control *controls, int64_t id)
{
    for (unsigned i = 0; i < H3_CONTROLS; i++) {
        if (controls[i].id == id)
            return &controls[i];
    }
    return NULL;
}

void
h3_control_closed(struct h3_control *controls, int64_t id)
{
    struct h3_control *c = id != 0 ? h3_control_find(controls, id) : NULL;

    if (c != NULL)
        *c = (struct h3_control){.id = 0};
}

/* Called with a complete number. Returns whether the value of a PRIORITY_UPDATE follows. */
static bool
h3_control_take_number(struct h3_control *c)
{
    switch (c->state) {
    case CONTROL_TYPE:
        if (c->number.value == CONTROL_STREAM)
            c->state = CONTROL_KIND;
        else
            *c = (struct h3_control){.id = 0};
        return false;
    case CONTROL_KIND:
        c->kind = c->number.value;
        c->state = CONTROL_LENGTH;
        return false;
    case CONTROL_LENGTH:
        c->left = c->number.value;
        c->state = c->left == 0                                  ? CONTROL_KIND
                   : (c->kind & ~UINT64_C(1)) == PRIORITY_UPDATE ? CONTROL_ELEMENT
                                                                 : CONTROL_REST;
        return false;
    default:
        assert(c->state == CONTROL_ELEMENT);
        c->state = c->left == 0 ? CONTROL_KIND : CONTROL_REST;
        return c->left > 0;
    }
}

/* Follows the frames in `bytes`. Returns whether they end before the value of a
 * PRIORITY_UPDATE. */
static bool
h3_control_follow(struct h3_control *c, struct slice bytes)
{
    bool is_edge = false;

    for (size_t i = 0; i < bytes.len && c->id != 0;) {
        is_edge = false;
        if (c->state == CONTROL_REST) {
            size_t n = bytes.len - i < c->left ? bytes.len - i : (size_t)c->left;
            c->left -= n;
            i += n;
            if (c->left == 0)
                c->state = CONTROL_KIND;
            continue;
        }
        if (c->state == CONTROL_ELEMENT && c->left-- == 0)
            return false; /* the ID is longer than the frame: nghttp3 rejects it */
        if (varint_add(&c->number, (uint8_t)bytes.ptr[i++]))
            is_edge = h3_control_take_number(c);
    }
    return is_edge;
}

/* Moves bytes of the stream's type from *bytes to `type`. Returns whether it is complete. */
static bool
h3_control_hold_type(struct h3_control *c, struct slice *bytes)
{
    while (bytes->len > 0) {
        const char byte = bytes->ptr[0];
        assert(c->ntype < sizeof c->type);
        c->type[c->ntype++] = byte;
        *bytes = slice_skip(*bytes, 1);
        if (varint_add(&c->number, (uint8_t)byte))
            return true;
    }
    return false;
}

static nghttp3_ssize
h3_control_pass(nghttp3_conn *ng, int64_t id, struct slice bytes, bool last)
{
    if (bytes.len == 0 && !last)
        return 0;
    return nghttp3_conn_read_stream(ng, id, (const uint8_t *)bytes.ptr, bytes.len,
                                    last);
}

nghttp3_ssize
h3_control_read(nghttp3_conn *ng, struct h3_control *controls, int64_t id,
                struct slice bytes, bool is_new, bool last)
{
    struct h3_control *c = h3_control_find(controls, id);
    nghttp3_ssize before = 0;

    assert(id != 0);
    if (c == NULL && is_new && (c = h3_control_find(controls, 0)) != NULL)
        c->id = id;
    else if (c == NULL && is_new)
        return NGHTTP3_ERR_H3_STREAM_CREATION_ERROR;
    if (c == NULL)
        return h3_control_pass(ng, id, bytes, last);
    if (c->state == CONTROL_TYPE) {
        const size_t all = bytes.len;
        const bool is_complete = h3_control_hold_type(c, &bytes);
        before = narrow_ssize(all - bytes.len);
        if (!is_complete)
            return before;
        nghttp3_ssize n = h3_control_pass(ng, id, slice_new(c->type, c->ntype), false);
        if (n < 0)
            return n;
        (void)h3_control_take_number(c);
    }
    if (c->is_held && bytes.len > 0) { /* with the byte that was held, no edge */
        const char both[2] = {(char)c->byte, bytes.ptr[0]};
        c->is_held = false;
        (void)h3_control_follow(c, slice_new(bytes.ptr, 1));
        before = h3_control_pass(ng, id, slice_new(both, 2), false);
        if (before < 0)
            return before;
        before--;
        bytes = slice_skip(bytes, 1);
    }
    if (h3_control_follow(c, bytes)) {
        c->byte = (uint8_t)bytes.ptr[--bytes.len];
        c->is_held = true;
        before++;
    }
    nghttp3_ssize n = h3_control_pass(ng, id, bytes, last);
    return n < 0 ? n : before + n;
}
