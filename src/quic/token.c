/* SPDX-License-Identifier: MIT */
/* quic/token.c — see token.h for the contract.
 *
 * A token is its kind, a nonce of 12 bytes and an encrypted part: the kind, the time
 * in seconds (8 bytes) and the original ID. The client's address is authenticated
 * but not included. In a NEW_TOKEN its port is omitted, since later connections use
 * other ports. */
#include "quic/token.h"

#include <assert.h> /* assert */
#include <string.h> /* memcpy */

#include <netinet/in.h> /* struct sockaddr_in6 */
#include <openssl/rand.h>

#include "base/err.h"
#include "base/narrow.h"
#include "quic/protection.h"

#define PLAIN_BYTES_MIN 9u /* kind and time */
#define PLAIN_BYTES_MAX (PLAIN_BYTES_MIN + NGTCP2_MAX_CIDLEN)

/* The bytes before the encrypted part: the kind, which determines the authenticated
 * data, and the nonce. */
#define HEAD_BYTES (1u + QUIC_NONCE_BYTES)

_Static_assert(HEAD_BYTES + PLAIN_BYTES_MAX + QUIC_TAG_BYTES <= QUIC_TOKEN_BYTES,
               "a token fits");

/* Writes the authenticated data of a token of `kind`: the address. Returns its
 * length. */
static size_t
bind_to(uint8_t out[1 + 16 + 2], uint8_t kind, const struct addr *peer)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&peer->data;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&peer->data;
    const bool is_v4 = peer->data.ss_family == AF_INET;
    size_t n = 1;

    out[0] = kind;
    if (is_v4)
        memcpy(out + n, &v4->sin_addr, 4);
    else
        memcpy(out + n, &v6->sin6_addr, 16);
    n += is_v4 ? 4 : 16;
    if (kind == QUIC_TOKEN_RETRY) {
        memcpy(out + n, is_v4 ? &v4->sin_port : &v6->sin6_port, 2);
        n += 2;
    }
    return n;
}

int
quic_token_make(uint8_t out[QUIC_TOKEN_BYTES], const uint8_t key[QUIC_TOKEN_KEY_BYTES],
                const struct addr *peer, const ngtcp2_cid *original, uint64_t now_s)
{
    const uint8_t kind = original != NULL ? QUIC_TOKEN_RETRY : QUIC_TOKEN_NEW;
    uint8_t plain[PLAIN_BYTES_MAX], bound[1 + 16 + 2];
    size_t n = PLAIN_BYTES_MIN;

    out[0] = plain[0] = kind;
    for (unsigned i = 0; i < 8; i++)
        plain[1 + i] = (uint8_t)(now_s >> (56 - 8 * i));
    if (original != NULL) {
        memcpy(plain + n, original->data, original->datalen);
        n += original->datalen;
    }
    struct slice associated = slice_new((char *)bound, bind_to(bound, kind, peer));
    if (RAND_bytes(out + 1, QUIC_NONCE_BYTES) != 1 ||
        quic_seal(out + HEAD_BYTES, key, out + 1, slice_new((char *)plain, n),
                  associated) != 0)
        return ERR_NOMEM;
    return narrow_len(HEAD_BYTES + n + QUIC_TAG_BYTES);
}

static bool
is_fresh(uint64_t made_s, uint64_t now_s, uint64_t most_s)
{
    return made_s <= now_s && now_s - made_s <= most_s;
}

enum quic_token_kind
quic_token_read(struct slice token, const uint8_t key[QUIC_TOKEN_KEY_BYTES],
                const struct addr *peer, uint64_t now_s, ngtcp2_cid *original)
{
    uint8_t plain[PLAIN_BYTES_MAX], bound[1 + 16 + 2];
    const size_t overhead = HEAD_BYTES + QUIC_TAG_BYTES;

    if (token.len < overhead + PLAIN_BYTES_MIN ||
        token.len > overhead + PLAIN_BYTES_MAX)
        return QUIC_TOKEN_NONE;
    const uint8_t kind = (uint8_t)token.ptr[0];
    struct slice associated = slice_new((char *)bound, bind_to(bound, kind, peer));
    if ((kind != QUIC_TOKEN_RETRY && kind != QUIC_TOKEN_NEW) ||
        quic_open(plain, key, (const uint8_t *)token.ptr + 1,
                  slice_skip(token, HEAD_BYTES), associated) != 0 ||
        plain[0] != kind)
        return QUIC_TOKEN_NONE;
    uint64_t made_s = 0;
    for (unsigned i = 0; i < 8; i++)
        made_s = made_s << 8 | plain[1 + i];
    if (kind == QUIC_TOKEN_NEW)
        return is_fresh(made_s, now_s, QUIC_NEW_TOKEN_S) ? QUIC_TOKEN_NEW
                                                         : QUIC_TOKEN_NONE;
    if (!is_fresh(made_s, now_s, QUIC_RETRY_TOKEN_S))
        return QUIC_TOKEN_EXPIRED;
    ngtcp2_cid_init(original, plain + PLAIN_BYTES_MIN,
                    token.len - overhead - PLAIN_BYTES_MIN);
    return QUIC_TOKEN_RETRY;
}
