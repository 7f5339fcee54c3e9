/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/frame.c — see frame.h. */
#include "session/frame.h"

#include <string.h> /* memcpy */

#include "session/quic.h"

size_t
frame_put_long_number(uint8_t *at, uint64_t n, unsigned order)
{
    while (order < 3 && n >= UINT64_C(1) << ((8u << order) - 2))
        order++;
    for (unsigned i = 0; i < 1u << order; i++)
        at[i] = (uint8_t)(n >> 8 * ((1u << order) - 1 - i));
    at[0] = (uint8_t)((at[0] & 0x3f) | order << 6);
    return (size_t)1 << order;
}

size_t
frame_put_number(uint8_t *at, uint64_t n)
{
    return frame_put_long_number(at, n, n < 64 ? 0 : 2);
}

size_t
frame_put_field(uint8_t *at, const char *name, const char *value)
{
    size_t nname = strlen(name), nvalue = strlen(value), n = 0;

    at[n++] = (uint8_t)(nname < 7 ? 0x20 | nname : 0x27);
    if (nname >= 7)
        at[n++] = (uint8_t)(nname - 7);
    memcpy(at + n, name, nname);
    n += nname;
    at[n++] = (uint8_t)nvalue;
    memcpy(at + n, value, nvalue);
    return n + nvalue;
}

void
frame_send(int64_t id, uint64_t kind, const void *payload, size_t n)
{
    uint8_t head[2 * FRAME_NUMBER_BYTES];
    size_t len = frame_put_number(head, kind);

    len += frame_put_number(head + len, n);
    quic_send(id, head, len);
    if (n > 0)
        quic_send(id, payload, n);
}
