/* SPDX-License-Identifier: MIT */
/* tests/c/test_quic_token.c — tokens that show a client's address. */
#include "quic/token.c"

#include <arpa/inet.h> /* inet_pton */

#include "tap.h"

#define NOW_S 1000000u

static const uint8_t key[QUIC_TOKEN_KEY_BYTES] = {9};
static const ngtcp2_cid original = {8, {1, 2, 3, 4, 5, 6, 7, 8}};

static struct addr
addr_v4(const char *host, uint16_t port)
{
    struct addr addr = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)&addr.data;

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    (void)inet_pton(AF_INET, host, &in->sin_addr);
    return addr;
}

static struct addr
addr_v6(const char *host, uint16_t port)
{
    struct addr addr = {.len = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&addr.data;

    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    (void)inet_pton(AF_INET6, host, &in->sin6_addr);
    return addr;
}

static struct slice
make(uint8_t out[QUIC_TOKEN_BYTES], const struct addr *peer, const ngtcp2_cid *id)
{
    int n = quic_token_make(out, key, peer, id, NOW_S);

    ok(n > 0 && n <= (int)QUIC_TOKEN_BYTES, "a token of %d bytes", n);
    return slice_new((char *)out, (size_t)n);
}

static void
test_a_retry_token_returns_the_first_id(void)
{
    const struct addr peer = addr_v4("10.1.2.3", 4000),
                      port = addr_v4("10.1.2.3", 4001);
    const struct addr host = addr_v4("10.1.2.4", 4000);
    uint8_t bytes[QUIC_TOKEN_BYTES];
    struct slice token = make(bytes, &peer, &original);
    ngtcp2_cid id;

    is(quic_token_read(token, key, &peer, NOW_S + 10, &id), QUIC_TOKEN_RETRY, "it is");
    ok(ngtcp2_cid_eq(&id, &original), "the ID comes back");
    is(quic_token_read(token, key, &port, NOW_S, &id), QUIC_TOKEN_NONE, "another port");
    is(quic_token_read(token, key, &host, NOW_S, &id), QUIC_TOKEN_NONE, "another host");
    is(quic_token_read(token, key, &peer, NOW_S + 11, &id), QUIC_TOKEN_EXPIRED,
       "after 10 s");
    is(quic_token_read(token, key, &peer, NOW_S - 1, &id), QUIC_TOKEN_EXPIRED,
       "from the future");
}

static void
test_a_token_for_later_allows_another_port(void)
{
    const struct addr peer = addr_v6("2001:db8::1", 4000);
    const struct addr port = addr_v6("2001:db8::1", 5000);
    const struct addr host = addr_v6("2001:db8::2", 4000);
    uint8_t bytes[QUIC_TOKEN_BYTES];
    struct slice token = make(bytes, &peer, NULL);
    ngtcp2_cid id;

    is(quic_token_read(token, key, &port, NOW_S + 3600, &id), QUIC_TOKEN_NEW,
       "another port, within the hour");
    is(quic_token_read(token, key, &host, NOW_S, &id), QUIC_TOKEN_NONE, "another host");
    is(quic_token_read(token, key, &port, NOW_S + 3601, &id), QUIC_TOKEN_NONE,
       "after the hour it is ignored");
}

static void
test_a_changed_token_is_not_ours(void)
{
    const struct addr peer = addr_v4("10.1.2.3", 4000);
    uint8_t bytes[QUIC_TOKEN_BYTES], other[QUIC_TOKEN_KEY_BYTES] = {8};
    struct slice token = make(bytes, &peer, &original);
    ngtcp2_cid id;

    for (size_t i = 0; i < token.len; i++) {
        bytes[i] ^= 3;
        ok(quic_token_read(token, key, &peer, NOW_S, &id) == QUIC_TOKEN_NONE,
           "byte %zu is changed", i);
        bytes[i] ^= 3;
        ok(quic_token_read(slice_first(token, i), key, &peer, NOW_S, &id) ==
               QUIC_TOKEN_NONE,
           "cut after %zu bytes", i);
    }
    is(quic_token_read(token, other, &peer, NOW_S, &id), QUIC_TOKEN_NONE,
       "another key");
    is(quic_token_read(slice_of(""), key, &peer, NOW_S, &id), QUIC_TOKEN_NONE, "none");
}

int
main(void)
{
    test_a_retry_token_returns_the_first_id();
    test_a_token_for_later_allows_another_port();
    test_a_changed_token_is_not_ours();
    return tap_done();
}
