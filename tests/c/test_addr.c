/* SPDX-License-Identifier: MIT */
/* tests/c/test_addr.c — addresses of sockets: the host as text, and the port. */
#include "net/addr.c"

#include <unistd.h> /* close */

#include "base/compiler.h"
#include "tap.h"

static struct addr
make_ipv4(const char *host, int port)
{
    struct addr addr = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)&addr.data;

    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    inet_pton(AF_INET, host, &in->sin_addr);
    return addr;
}

static struct addr
make_ipv6(const char *host, int port)
{
    struct addr addr = {.len = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&addr.data;

    in->sin6_family = AF_INET6;
    in->sin6_port = htons((uint16_t)port);
    inet_pton(AF_INET6, host, &in->sin6_addr);
    return addr;
}

static struct addr
make_unix(struct slice path)
{
    struct addr addr = {.len = 0};
    struct sockaddr_un *un = (struct sockaddr_un *)&addr.data;

    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.ptr, path.len);
    addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len);
    return addr;
}

static void
test_a_host_is_written_without_brackets_and_port(void)
{
    static const struct {
        const char *in, *out;
        bool v6;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", false},
        {"0.0.0.0", "0.0.0.0", false},
        {"255.255.255.255", "255.255.255.255", false},
        {"::1", "::1", true},
        {"::", "::", true},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", true},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
        {"::ffff:192.0.2.7", "192.0.2.7", true}, /* mapped */
        {"64:ff9b::192.0.2.7", "64:ff9b::c000:207", true},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr addr =
            rows[i].v6 ? make_ipv6(rows[i].in, 8000) : make_ipv4(rows[i].in, 8000);
        char host[ADDR_HOST_BYTES];
        is(addr_host(&addr, host), strlen(rows[i].out), "%s has a length", rows[i].in);
        is_text(host, rows[i].out, "and a text");
        is(addr_port(&addr), 8000, "and a port");
    }
}

static void
test_ports_are_in_host_order(void)
{
    static const int ports[] = {0, 1, 80, 255, 256, 8000, 65535};

    for (size_t i = 0; i < COUNT(ports); i++) {
        struct addr v4 = make_ipv4("127.0.0.1", ports[i]);
        struct addr v6 = make_ipv6("::1", ports[i]);
        is(addr_port(&v4), ports[i], "IPv4, %d", ports[i]);
        is(addr_port(&v6), ports[i], "IPv6, %d", ports[i]);
    }
}

static void
test_the_host_of_a_unix_socket_is_its_path(void)
{
    char longest[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    struct {
        struct slice path;
        const char *host;
    } rows[] = {
        {slice_of("/run/a.sock"), "/run/a.sock"},
        {slice_new("/run/a.sock", 12), "/run/a.sock"}, /* with its NUL */
        {slice_new("\0name", 5), "@name"},             /* abstract */
        {slice_of(""), ""},
        {slice_new(longest, sizeof longest - 1), longest}, /* without a NUL */
    };

    memset(longest, 'p', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr addr = make_unix(rows[i].path);
        char host[ADDR_HOST_BYTES];
        is(addr_host(&addr, host), strlen(rows[i].host), "row %zu has a length", i);
        is_text(host, rows[i].host, "and a text");
        is(addr_port(&addr), -1, "and no port");
    }
}

static void
test_an_unknown_address_is_empty(void)
{
    struct addr none = {.len = 0};
    struct addr other = {.len = sizeof(struct sockaddr)};
    char host[ADDR_HOST_BYTES] = "what was there";

    is(addr_host(&none, host), 0, "no host");
    is_text(host, "", "an empty text");
    is(addr_port(&none), -1, "no port");
    other.data.ss_family = AF_PACKET;
    is(addr_host(&other, host), 0, "an unknown family has no address");
    is(addr_port(&other), -1, "a port");
}

static void
test_a_socket_knows_what_it_is_bound_to(void)
{
    struct addr want = make_ipv4("127.0.0.1", 0), got;
    char host[ADDR_HOST_BYTES];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    is(bind(fd, (struct sockaddr *)&want.data, want.len), 0, "a socket is bound");
    addr_of_socket(fd, &got);
    addr_host(&got, host);
    is_text(host, "127.0.0.1", "to the host that was asked for");
    ok(addr_port(&got) > 0, "and to some port");
    close(fd);
    addr_of_socket(fd, &got);
    is(got.len, 0, "a closed descriptor has no address");
    addr_of_socket(-1, &got);
    is(got.len, 0, "an invalid descriptor has no address");
}

int
main(void)
{
    test_a_host_is_written_without_brackets_and_port();
    test_ports_are_in_host_order();
    test_the_host_of_a_unix_socket_is_its_path();
    test_an_unknown_address_is_empty();
    test_a_socket_knows_what_it_is_bound_to();
    return tap_done();
}
