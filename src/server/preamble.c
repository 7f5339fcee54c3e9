/* SPDX-License-Identifier: MIT */
/* server/preamble.c — see preamble.h for the contract. */
#include "server/preamble.h"

#include <assert.h>     /* assert */
#include <sys/socket.h> /* MSG_PEEK */

#include "base/err.h"
#include "base/narrow.h"
#include "net/io.h"
#include "net/proxy_protocol.h"
#include "server/turn.h"

bool
preamble_is_allowed(const struct wire *wire)
{
    return trust_peer(&wire->service->forwarding.trust, &wire->peer.addr);
}

/* The connection speaks for somebody else from now on. */
static void
set_client(struct wire *wire, const struct proxy_header *header)
{
    struct peer *peer = &wire->peer;

    if (header->is_local)
        return;
    peer->via = peer->addr;
    peer_addr_set(&peer->addr, &header->client);
    forwarding_judge(&wire->service->forwarding, peer);
    /* Who is trusted over Unix sockets is on our machine, not on the proxy's. */
    if (peer->addr.kind == PEER_NONE)
        peer->is_trusted = false;
}

/* Takes `n` bytes that were peeked at; they are there.  Returns 0 or an error. */
static ssize_t
take(int fd, char *scratch, size_t n)
{
    while (n > 0) {
        ssize_t got = io_receive(fd, scratch, n, 0);
        if (got < 0)
            return got == ERR_AGAIN ? ERR_IO : got;
        n -= narrow_size(got);
    }
    return 0;
}

int
preamble_read(struct wire *wire, int fd, char *scratch)
{
    struct proxy_header header;
    size_t had = wire->in.len, room = PROXY_HEADER_BYTES - had;

    assert(had < PROXY_HEADER_BYTES); /* proxy_parse refuses what is longer */
    ssize_t n = io_receive(fd, scratch, room, MSG_PEEK);
    if (n < 0)
        return narrow_int(n);
    int err = buf_append(&wire->in, slice_new(scratch, narrow_size(n)));
    if (err != 0)
        return err;
    ssize_t used =
        proxy_parse(wire->peer.endpoint->proxy, buf_bytes(&wire->in), &header);
    if (used < 0 && used != ERR_AGAIN)
        return narrow_int(used);
    /* What came before was not enough. */
    assert(used == ERR_AGAIN ||
           (narrow_size(used) > had && narrow_size(used) <= wire->in.len));
    size_t taken = used == ERR_AGAIN ? narrow_size(n) : narrow_size(used) - had;
    ssize_t left = take(fd, scratch, taken);
    if (left != 0)
        return narrow_int(left);
    if (used == ERR_AGAIN)
        return ERR_AGAIN;
    buf_release(&wire->in);
    set_client(wire, &header);
    return 0;
}

static void *
begin(struct wire *wire)
{
    struct service *service = wire->service;

    wire->wants_read = true;
    wire->read_due_ms = clock_due(&service->clock, service->limits.head_ms);
    return wire;
}

static void
take_nothing(struct wire *wire, void *session, struct slice *in)
{
    (void)wire;
    (void)session;
    (void)in;
}

static void
do_nothing(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
}

static void
on_eof(struct wire *wire, void *session)
{
    (void)session;
    wire->ops->abort(wire, ERR_RESET);
}

static void
on_deadline(struct wire *wire, void *session)
{
    (void)session;
    wire->ops->abort(wire, ERR_PROXY_TIMEOUT);
}

static void
drain(struct wire *wire, void *session)
{
    (void)session;
    wire->ops->finish(wire, 0);
}

static void
notify(struct wire *wire, void *session, bool only_streaming)
{
    (void)wire;
    (void)session;
    (void)only_streaming;
}

static void
fini(struct wire *wire, void *session, int why)
{
    (void)wire;
    (void)session;
    (void)why;
}

static const struct session_ops ops = {
    .feed = take_nothing,
    .on_eof = on_eof,
    .before_flush = do_nothing,
    .on_drained = do_nothing,
    .on_deadline = on_deadline,
    .drain = drain,
    .notify = notify,
    .fini = fini,
};

const struct protocol preamble_protocol = {"preamble", &ops, begin};
