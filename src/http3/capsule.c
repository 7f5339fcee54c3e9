/* SPDX-License-Identifier: MIT */
/* http3/capsule.c — see capsule.h for the contract. */
#include "http3/capsule.h"

#include <assert.h> /* assert */

#define CODE_BYTES 4u /* of the error code in a close */

enum capsule_state {
    CAPSULE_TYPE = 0,
    CAPSULE_LENGTH,
    CAPSULE_VALUE,
    CAPSULE_FAILED,
};

/* Called when the length of a capsule is known. */
static bool
capsule_has_good_length(const struct capsule_reader *r)
{
    if (r->type == CAPSULE_CLOSE)
        return r->left >= CODE_BYTES && r->left <= sizeof r->kept;
    return r->type != CAPSULE_DRAIN || r->left == 0;
}

/* Called when a capsule is complete. */
static enum capsule_event
capsule_conclude(struct capsule_reader *r)
{
    assert(r->left == 0 && r->state == CAPSULE_VALUE);
    r->state = CAPSULE_TYPE;
    if (r->type == CAPSULE_DRAIN)
        return CAPSULE_IS_DRAIN;
    if (r->type != CAPSULE_CLOSE)
        return CAPSULE_NEEDS_MORE;
    assert(r->n >= CODE_BYTES);
    r->code = 0;
    for (unsigned i = 0; i < CODE_BYTES; i++)
        r->code = r->code << 8 | (uint8_t)r->kept[i];
    return CAPSULE_IS_CLOSE;
}

/* Reads a part of the value, and keeps that of a close. */
static void
capsule_read_value(struct capsule_reader *r, struct slice *in)
{
    const size_t n = in->len < r->left ? in->len : (size_t)r->left;

    if (r->type == CAPSULE_CLOSE) {
        assert(r->n + n <= sizeof r->kept);
        memcpy(r->kept + r->n, in->ptr, n);
        r->n = (uint16_t)(r->n + n);
    }
    r->left -= n;
    *in = slice_skip(*in, n);
}

/* Reads a byte of the type or of the length. Returns false if the capsule is malformed. */
static bool
capsule_read_head(struct capsule_reader *r, struct slice *in)
{
    const uint8_t byte = (uint8_t)in->ptr[0];

    *in = slice_skip(*in, 1);
    if (!varint_add(&r->number, byte))
        return true;
    if (r->state == CAPSULE_TYPE) {
        r->type = r->number.value;
        r->state = CAPSULE_LENGTH;
        return true;
    }
    r->left = r->number.value;
    r->n = 0;
    r->state = CAPSULE_VALUE;
    return capsule_has_good_length(r);
}

enum capsule_event
capsule_read(struct capsule_reader *r, struct slice *in)
{
    while (r->state != CAPSULE_FAILED) {
        if (r->state == CAPSULE_VALUE && r->left == 0) {
            enum capsule_event event = capsule_conclude(r);
            if (event != CAPSULE_NEEDS_MORE)
                return event;
        } else if (in->len == 0) {
            return CAPSULE_NEEDS_MORE;
        } else if (r->state == CAPSULE_VALUE) {
            capsule_read_value(r, in);
        } else if (!capsule_read_head(r, in)) {
            r->state = CAPSULE_FAILED;
        }
    }
    return CAPSULE_IS_BAD;
}

bool
capsule_may_end(const struct capsule_reader *r)
{
    return r->state == CAPSULE_TYPE && r->number.needs == 0;
}

struct slice
capsule_reason(const struct capsule_reader *r)
{
    assert(r->n >= CODE_BYTES);
    return slice_new(r->kept + CODE_BYTES, r->n - CODE_BYTES);
}

size_t
capsule_write_close(char *out, uint32_t code, struct slice reason)
{
    assert(reason.len <= CAPSULE_REASON_BYTES);
    size_t n = varint_write(out, CAPSULE_CLOSE);

    n += varint_write(out + n, CODE_BYTES + reason.len);
    for (unsigned i = 0; i < CODE_BYTES; i++)
        out[n++] = (char)(code >> 8 * (CODE_BYTES - 1 - i));
    if (reason.len > 0)
        memcpy(out + n, reason.ptr, reason.len);
    n += reason.len;
    assert(n <= CAPSULE_BYTES);
    return n;
}

size_t
capsule_write_drain(char *out)
{
    size_t n = varint_write(out, CAPSULE_DRAIN);

    return n + varint_write(out + n, 0);
}
