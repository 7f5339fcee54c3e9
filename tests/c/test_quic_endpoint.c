/* SPDX-License-Identifier: MIT */
/* tests/c/test_quic_endpoint.c — an endpoint of QUIC without connections. */
#include "quic/endpoint.c"

#include <sys/socket.h> /* socket */
#include <unistd.h>     /* close */

#include "failing.h"
#include "tap.h"

static unsigned nexpired;

static void
on_expired(struct quic_owner *owner, struct expiry *expiry)
{
    (void)owner;
    (void)expiry;
    nexpired++;
}

static struct quic_owner owner = {.expired = on_expired};

/* Opens an endpoint on any port. Returns the result. */
static int
open_endpoint(struct quic_endpoint *endpoint, int *fd)
{
    struct sockaddr_in any = {.sin_family = AF_INET};

    *endpoint = (struct quic_endpoint){.limits.streams = 1};
    is(udp_buffers_new(&endpoint->buffers), 0, "buffers");
    *fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ok(bind(*fd, (struct sockaddr *)&any, sizeof any) == 0, "a socket");
    return quic_endpoint_init(endpoint, *fd, &owner, slice_of("a secret"));
}

static void
close_endpoint(struct quic_endpoint *endpoint, int fd)
{
    quic_endpoint_fini(endpoint);
    udp_buffers_free(endpoint->buffers);
    close(fd);
}

static void
test_keys_follow_from_the_secret(void)
{
    struct quic_endpoint one, two;
    int fds[2];

    is(open_endpoint(&one, &fds[0]), 0, "an endpoint");
    is(open_endpoint(&two, &fds[1]), 0, "one of another worker");
    ok(one.mask == two.mask, "they have one mask");
    ok(memcmp(one.token_key, two.token_key, sizeof one.token_key) == 0,
       "one key of tokens");
    ok(memcmp(one.reset_key, two.reset_key, sizeof one.reset_key) == 0,
       "and one of resets");
    ok(memcmp(one.token_key, one.reset_key, 16) != 0, "which is another one");
    close_endpoint(&one, fds[0]);
    close_endpoint(&two, fds[1]);
}

static void
test_a_key_may_not_be_derived(void)
{
    for (unsigned n = 1, more = 1; more; n++) {
        struct quic_endpoint endpoint;
        int fd;
        fault_of("HMAC", n, 0);
        const int err = open_endpoint(&endpoint, &fd);
        more = fault_name()[0] != '\0';
        (void)fault_stop();
        is(err, more ? ERR_NOMEM : 0, "call %u of HMAC", n);
        close_endpoint(&endpoint, fd);
    }
}

static void
test_a_limited_number_of_connections_expires_at_once(void)
{
    struct quic_endpoint endpoint;
    struct expiry expiries[3];
    int fd;

    is(open_endpoint(&endpoint, &fd), 0, "an endpoint");
    is(quic_endpoint_expire(&endpoint, 100, 2), EXPIRY_NEVER, "without connections");
    for (unsigned i = 0; i < 3; i++) {
        is(expiry_add(&endpoint.expiries, &expiries[i]), 0, "a connection");
        expiry_set(&endpoint.expiries, &expiries[i], 10 * i);
    }
    is(quic_endpoint_expire(&endpoint, 100, 2), 20, "the third one is due");
    is(nexpired, 2, "after two");
    is(quic_endpoint_expire(&endpoint, 19, 2), 20, "at that time");
    is(nexpired, 2, "not before");
    for (unsigned i = 0; i < 3; i++)
        expiry_remove(&endpoint.expiries, &expiries[i]);
    close_endpoint(&endpoint, fd);
}

int
main(void)
{
    test_keys_follow_from_the_secret();
    test_a_key_may_not_be_derived();
    test_a_limited_number_of_connections_expires_at_once();
    return tap_done();
}
