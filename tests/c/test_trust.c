/* SPDX-License-Identifier: MIT */
/* tests/c/test_trust.c — which peers a list of addresses and networks contains. */
#include "http/trust.c"

#include "tap.h"

static struct peer_addr
addr_of(const char *text)
{
    struct peer_addr addr = {.kind = PEER_IPV4};
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, addr.bytes) == 1)
        return addr;
    addr = (struct peer_addr){0};
    if (inet_pton(AF_INET6, text, bytes) == 1)
        peer_addr_set_ipv6(&addr, bytes, 0);
    return addr;
}

static void
test_addresses_and_networks(void)
{
    static const struct {
        const char *list, *addr;
        bool named;
    } cases[] = {
        {"127.0.0.1,::1", "127.0.0.1", true},
        {"127.0.0.1,::1", "::1", true},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"::ffff:127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.1.2.3/8", "10.9.9.9", true},
        {"192.168.4.0/22", "192.168.7.255", true},
        {"192.168.4.0/22", "192.168.8.0", false},
        {"203.0.113.7/32", "203.0.113.7", true},
        {"0.0.0.0/0", "203.0.113.7", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "203.0.113.7", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {" , 10.0.0.1 ,, 10.0.0.2,", "10.0.0.2", true},
        {"", "127.0.0.1", false},
        {"*", "127.0.0.1", false},
        {"unix", "127.0.0.1", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trust trust;
        struct peer_addr addr = addr_of(cases[i].addr);
        is(trust_init(&trust, slice_of(cases[i].list), NULL), 0, "%s is a list",
           cases[i].list);
        is(trust_names(&trust, &addr), cases[i].named, "%s: %s", cases[i].list,
           cases[i].addr);
        trust_fini(&trust);
    }
}

static void
test_peers(void)
{
    struct peer_addr nobody = {0}, other = addr_of("203.0.113.7");
    struct trust trust;

    is(trust_init(&trust, slice_of("10.0.0.1,unix"), NULL), 0, "unix is a valid entry");
    ok(trust_peer(&trust, &nobody), "peers over Unix sockets are trusted if listed");
    ok(!trust_peer(&trust, &other), "... and others not with them");
    ok(!trust_names(&trust, &nobody), "... but no hop of a field is one");
    trust_fini(&trust);
    is(trust_init(&trust, slice_of("127.0.0.1"), NULL), 0, "without the entry");
    ok(!trust_peer(&trust, &nobody), "... they are not");
    trust_fini(&trust);
    is(trust_init(&trust, slice_of("*"), NULL), 0, "a star is a list");
    ok(trust_peer(&trust, &nobody) && trust_peer(&trust, &other), "... of all peers");
    trust_fini(&trust);
    trust = (struct trust){0};
    ok(!trust_peer(&trust, &other) && !trust_peer(&trust, &nobody),
       "zeroed memory trusts no peer");
}

static void
test_invalid_lists(void)
{
    static const char *const wrong[] = {
        "localhost", "127.0.0.1/33", "127.0.0.1/", "::1/129", "127.0.0.1/-1",
        "1.2.3",     "127.0.0.1:80", "[::1]",      "**",      "fe80::1%eth0",
        "10.0.0.01", "10.0.0.0/8/8", "/8",         "::1/0x8", "10.0.0.0/ 8",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct trust trust;
        struct slice found = {NULL, 0};
        char text[64];
        snprintf(text, sizeof text, "10.0.0.1,%s,::1", wrong[i]);
        is(trust_init(&trust, slice_of(text), &found), ERR_ADDRESS, "%s", wrong[i]);
        ok(slice_equal(found, slice_of(wrong[i])), "... is named");
        trust_fini(&trust);
    }
}

static void
test_a_list_is_limited(void)
{
    char text[(TRUST_NETS_MAX + 1) * 8 + 1];
    struct trust trust;

    for (unsigned i = 0; i <= TRUST_NETS_MAX; i++)
        memcpy(text + (size_t)i * 8, "1.2.3.4,", 9);
    is(trust_init(&trust, slice_new(text, TRUST_NETS_MAX * 8), NULL), 0, "256 fit");
    trust_fini(&trust);
    is(trust_init(&trust, slice_of(text), NULL), ERR_ADDRESS, "one more does not");
    trust_fini(&trust);
}

int
main(void)
{
    test_addresses_and_networks();
    test_peers();
    test_invalid_lists();
    test_a_list_is_limited();
    return tap_done();
}
