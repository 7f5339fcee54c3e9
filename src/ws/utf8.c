/* SPDX-License-Identifier: MIT */
/* ws/utf8.c — the scalar way, and the choice; see utf8.h for the contract. */
#include "ws/utf8.h"

#include <assert.h> /* assert */
#include <string.h> /* memcpy */

#include "base/word.h"
#include "ws/utf8_ways.h"

/* Words of ASCII. */
static size_t
scalar_span(const char *p, size_t n)
{
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        if (((word_at(p + i) | word_at(p + i + 8)) & WORD_HIGHS) != 0)
            break;
    }
    return i;
}

static const struct ws_utf8_way scalar = {"scalar", scalar_span};

const struct ws_utf8_way *
ws_utf8_nth(int i)
{
    switch (i) {
    case 0:
        return &scalar;
#if defined(__x86_64__)
    case 1:
        return __builtin_cpu_supports("avx2") ? &ws_utf8_avx2 : NULL;
#elif defined(__aarch64__)
    case 1:
        return &ws_utf8_neon;
#endif
    default:
        return NULL;
    }
}

const struct ws_utf8_way *
ws_utf8_best(void)
{
    int i = 0;
    while (ws_utf8_nth(i + 1) != NULL)
        i++;
    return ws_utf8_nth(i);
}

/* Handles a first byte that is not ASCII: sets what must follow (RFC 3629 4). */
static bool
utf8_begin(struct ws_utf8 *state, uint8_t byte)
{
    state->low = 0x80;
    state->high = 0xBF;
    if (byte < 0xC2 || byte > 0xF4)
        return false;
    if (byte < 0xE0) {
        state->missing = 1;
    } else if (byte < 0xF0) {
        state->missing = 2;
        if (byte == 0xE0)
            state->low = 0xA0;
        else if (byte == 0xED)
            state->high = 0x9F;
    } else {
        state->missing = 3;
        if (byte == 0xF0)
            state->low = 0x90;
        else if (byte == 0xF4)
            state->high = 0x8F;
    }
    return true;
}

static inline bool
next(struct ws_utf8 *state, uint8_t byte)
{
    if (state->missing == 0)
        return byte < 0x80 || utf8_begin(state, byte);
    if (byte < state->low || byte > state->high)
        return false;
    state->missing--;
    state->low = 0x80;
    state->high = 0xBF;
    return true;
}

bool
ws_utf8_check(const struct ws_utf8_way *way, struct ws_utf8 *state, struct slice bytes)
{
    size_t i = 0;

    assert(state->missing <= 3);
    while (state->missing > 0 && i < bytes.len) {
        if (!next(state, (uint8_t)bytes.ptr[i++]))
            return false;
    }
    if (bytes.len - i >= 16)
        i += way->span(bytes.ptr + i, bytes.len - i);
    assert(i <= bytes.len);
    while (i < bytes.len) {
        if (state->missing == 0 && bytes.len - i >= sizeof(uint64_t) &&
            (word_at(bytes.ptr + i) & WORD_HIGHS) == 0) {
            i += sizeof(uint64_t);
            continue;
        }
        if (!next(state, (uint8_t)bytes.ptr[i++]))
            return false;
    }
    return true;
}
