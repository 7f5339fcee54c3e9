/* SPDX-License-Identifier: MIT */
/* tests/c/test_hops.c — who the client is according to proxies: each line is read
 * from its end, and malformed elements end the search. */
#include "http/hops.c"

#include "tap.h"

static struct trust trust;

static const char *
client_of(const struct hops *hops, char out[PEER_HOST_BYTES + 16])
{
    char host[PEER_HOST_BYTES];

    if (!hops->has_client)
        return "none";
    if (!hops->is_known)
        return hops->is_hidden ? "hidden" : "untold";
    (void)peer_addr_text(&hops->client, host);
    snprintf(out, PEER_HOST_BYTES + 16, "%s %u", host, hops->client.port);
    return out;
}

static void
test_x_forwarded_for(void)
{
    static const struct {
        const char *line, *client;
    } cases[] = {
        {"", "none"},
        {" , ,", "none"},
        {"1.2.3.4", "1.2.3.4 0"},
        {"1.2.3.4:56", "1.2.3.4 56"},
        {"1.2.3.4:99999", "1.2.3.4 0"},
        {"2001:db8::1", "2001:db8::1 0"},
        {"[2001:db8::1]", "2001:db8::1 0"},
        {"[2001:db8::1]:8", "2001:db8::1 8"},
        {"::ffff:1.2.3.4", "1.2.3.4 0"},
        {"fe80::1%eth0", "fe80::1 0"},
        {"unknown", "hidden"},
        {"6.6.6.6, 1.2.3.4", "1.2.3.4 0"},
        {"1.2.3.4, 10.0.0.1", "1.2.3.4 0"},
        {"1.2.3.4, 10.0.0.1, 10.0.0.2", "1.2.3.4 0"},
        {"10.0.0.3, 10.0.0.1", "10.0.0.3 0"},
        {"6.6.6.6, unknown, 10.0.0.1", "hidden"},
        {"6.6.6.6, ..., 10.0.0.1", "10.0.0.1 0"},
        {"1.2.3.4,", "1.2.3.4 0"},
        {"1.2.3.4 5.6.7.8", "none"},
        {"1.2.3", "none"},
        {"[1.2.3.4", "none"},
        {"300.1.1.1", "none"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hops hops = {0};
        char text[PEER_HOST_BYTES + 16];
        hops_walk_list(&hops, &trust, slice_of(cases[i].line));
        is_text(client_of(&hops, text), cases[i].client, "\"%s\"", cases[i].line);
    }
}

static void
test_forwarded(void)
{
    static const struct {
        const char *line, *client, *proto, *host;
    } cases[] = {
        {"for=1.2.3.4", "1.2.3.4 0", "", ""},
        {"For=\"1.2.3.4:5\";proto=https;host=a", "1.2.3.4 5", "https", "a"},
        {"for=\"[2001:db8::1]:9\"", "2001:db8::1 9", "", ""},
        {"for=_hidden;proto=http", "hidden", "http", ""},
        {"for=unknown", "hidden", "", ""},
        {"for=6.6.6.6;proto=x, for=1.2.3.4;host=b", "1.2.3.4 0", "", "b"},
        {"for=1.2.3.4;proto=https, for=10.0.0.1;proto=http", "1.2.3.4 0", "https", ""},
        {"for=1.2.3.4;by=_x;secret=\"a;b,c\"", "1.2.3.4 0", "", ""},
        {"for=1.2.3.4;;", "1.2.3.4 0", "", ""},
        {"for=\"1.2.3.4", "none", "", ""},
        {"for=1.2.3.4, for=\"\"", "none", "", ""},
        {"for", "none", "", ""},
        {"", "none", "", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hops hops = {0};
        char text[PEER_HOST_BYTES + 16];
        hops_walk_forwarded(&hops, &trust, slice_of(cases[i].line));
        is_text(client_of(&hops, text), cases[i].client, "%s", cases[i].line);
        ok(slice_equal(hops.proto, slice_of(cases[i].proto)), "its scheme");
        ok(slice_equal(hops.host, slice_of(cases[i].host)), "its host");
    }
}

static void
test_lines_are_walked_from_the_last(void)
{
    struct hops hops = {0};
    char text[PEER_HOST_BYTES + 16];

    hops_walk_list(&hops, &trust, slice_of("10.0.0.1, 10.0.0.2"));
    ok(!hops.is_over, "proxies alone do not end the walk");
    hops_walk_list(&hops, &trust, slice_of("6.6.6.6, 1.2.3.4"));
    is_text(client_of(&hops, text), "1.2.3.4 0", "the line before is read");
    is(hops.behind, 2, "two elements follow the client's");
    hops_walk_list(&hops, &trust, slice_of("9.9.9.9"));
    is_text(client_of(&hops, text), "1.2.3.4 0", "earlier elements are not read");
    is(hops.n, 3, "nor counted");
}

int
main(void)
{
    is(trust_init(&trust, slice_of("10.0.0.0/8"), NULL), 0, "our proxies");
    test_x_forwarded_for();
    test_forwarded();
    test_lines_are_walked_from_the_last();
    trust_fini(&trust);
    return tap_done();
}
