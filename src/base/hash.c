/* SPDX-License-Identifier: MIT */
/* base/hash.c — see hash.h for the contract. */
#include "base/hash.h"

#include <assert.h> /* assert */

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t
rotate(uint64_t n, unsigned by)
{
    assert(by > 0 && by < 64);
    return n << by | n >> (64 - by);
}

static inline void
sip_round(struct sip *s)
{
    s->a += s->b;
    s->b = rotate(s->b, 13) ^ s->a;
    s->a = rotate(s->a, 32);
    s->c += s->d;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotate(s->b, 17) ^ s->c;
    s->c = rotate(s->c, 32);
}

static inline void
sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    sip_round(s);
    s->a ^= word;
}

uint64_t
hash_bytes(const struct hash_key *key, struct slice bytes)
{
    struct sip s = {
        .a = key->k0 ^ UINT64_C(0x736f6d6570736575),
        .b = key->k1 ^ UINT64_C(0x646f72616e646f6d),
        .c = key->k0 ^ UINT64_C(0x6c7967656e657261),
        .d = key->k1 ^ UINT64_C(0x7465646279746573),
    };
    uint64_t word, last = (uint64_t)bytes.len << 56;

    while (bytes.len >= 8) {
        memcpy(&word, bytes.ptr, 8); /* the byte order does not matter: all processes
                                        have the same */
        sip_word(&s, word);
        bytes = slice_skip(bytes, 8);
    }
    assert(bytes.len < 8);
    for (size_t i = 0; i < bytes.len; i++)
        last |= (uint64_t)(uint8_t)bytes.ptr[i] << 8 * i;
    sip_word(&s, last);
    s.c ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}
