/* SPDX-License-Identifier: MIT */
/* tests/c/test_peer.c — addresses of peers: from sockets, mapped, and as text. */
#include "http/peer.c"
#include "tap.h"

static struct addr
addr_of(int family, const char *host, uint16_t port)
{
    struct addr addr = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&addr.data;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr.data;

    addr.data.ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        in->sin_port = htons(port);
        addr.len = sizeof *in;
        is(inet_pton(AF_INET, host, &in->sin_addr), 1, "%s is an address", host);
    } else {
        in6->sin6_port = htons(port);
        addr.len = sizeof *in6;
        is(inet_pton(AF_INET6, host, &in6->sin6_addr), 1, "%s is an address", host);
    }
    return addr;
}

static void
test_addresses_of_sockets(void)
{
    static const struct {
        int family;
        const char *host;
        uint16_t port;
        enum peer_kind kind;
        const char *text;
    } cases[] = {
        {AF_INET, "127.0.0.1", 1, PEER_IPV4, "127.0.0.1"},
        {AF_INET, "255.255.255.255", 65535, PEER_IPV4, "255.255.255.255"},
        {AF_INET6, "::1", 80, PEER_IPV6, "::1"},
        {AF_INET6, "::ffff:10.0.0.1", 443, PEER_IPV4, "10.0.0.1"},
        {AF_INET6, "::fffe:10.0.0.1", 443, PEER_IPV6, "::fffe:a00:1"},
        {AF_INET6, "2001:db8:1:2:3:4:5:6", 0, PEER_IPV6, "2001:db8:1:2:3:4:5:6"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr addr = addr_of(cases[i].family, cases[i].host, cases[i].port);
        struct peer peer = {.addr = {.bytes = {[15] = 9}, .kind = PEER_IPV6}};
        char text[PEER_HOST_BYTES];

        peer_addr_set(&peer.addr, &addr);
        is(peer.addr.kind, cases[i].kind, "the kind of %s", cases[i].host);
        is(peer.addr.port, cases[i].port, "its port");
        is(peer_host(&peer, text), strlen(cases[i].text), "the length of its text");
        is_text(text, cases[i].text, "its text");
    }
}

static void
test_a_unix_socket_has_no_address(void)
{
    struct addr none = {0}, local = {.len = 2};
    struct peer_addr nobody = {0}, at = {.kind = PEER_IPV4, .port = 7};
    char text[PEER_HOST_BYTES] = "x";

    peer_addr_set(&at, &none);
    ok(peer_addr_equal(&at, &nobody), "an unknown address is not trusted");
    local.data.ss_family = AF_UNIX;
    at.port = 7;
    peer_addr_set(&at, &local);
    ok(peer_addr_equal(&at, &nobody), "a Unix socket has no address");
    is(peer_addr_text(&at, text), 0, "it has no text");
    is_text(text, "", "which ends with a NUL");
}

/* The unused bytes are zero, so that equal addresses have equal bytes. */
static void
test_equal_addresses_peer_addr_equal_from_any_source(void)
{
    struct addr plain = addr_of(AF_INET, "10.0.0.1", 5);
    struct addr mapped = addr_of(AF_INET6, "::ffff:10.0.0.1", 5);
    struct peer_addr a, b;

    memset(&a, 0xff, sizeof a);
    memset(&b, 0x55, sizeof b);
    peer_addr_set(&a, &plain);
    peer_addr_set(&b, &mapped);
    ok(peer_addr_equal(&a, &b), "mapped into IPv6 or not");
    b.port++;
    ok(!peer_addr_equal(&a, &b), "another port is another peer");
}

int
main(void)
{
    test_addresses_of_sockets();
    test_a_unix_socket_has_no_address();
    test_equal_addresses_peer_addr_equal_from_any_source();
    return tap_done();
}
