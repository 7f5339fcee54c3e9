/* SPDX-License-Identifier: MIT */
/* server/preamble.c — see preamble.h for the contract. */
#include "server/preamble.h"

#include <assert.h>     /* assert */
#include <sys/socket.h> /* MSG_PEEK */

#include "base/err.h"
#include "base/timer.h"
#include "base/narrow.h"
#include "net/io.h"
#include "net/proxy_protocol.h"
#include "server/turn.h"

bool
preamble_is_allowed(const struct wire *wire)
{
    return trust_peer(&wire->service->forwarding.trust, &wire->peer.addr);
}

/* From now on the connection represents another client. */
static void
set_client(struct wire *wire, const struct proxy_header *header)
{
    struct peer *peer = &wire->peer;

    if (header->is_local)
        return;
    peer->via = peer->addr;
    peer_addr_set(&peer->addr, &header->client);
    forwarding_judge(&wire->service->forwarding, peer);
    /* A trusted peer over a Unix socket is on our machine, not on the proxy's. */
    if (peer->addr.kind == PEER_NONE)
        peer->is_trusted = false;
}

/* Consumes `n` bytes that were peeked at; they are available. Returns 0 or an error. */
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

    assert(had < PROXY_HEADER_BYTES); /* proxy_parse() rejects a longer one */
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
    /* The earlier bytes were not enough. */
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
preamble_begin(struct wire *wire)
{
    struct service *service = wire->service;

    wire->wants_read = true;
    wire->read_due_ms = clock_due(&service->clock, service->limits.head_ms);
    return wire;
}

static void
preamble_take_nothing(struct wire *wire, void *session, struct slice *in)
{
    (void)wire;
    (void)session;
    (void)in;
}

static void
preamble_do_nothing(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
}

static void
preamble_on_eof(struct wire *wire, void *session)
{
    (void)session;
    wire->ops->abort(wire, ERR_RESET);
}

static void
preamble_on_deadline(struct wire *wire, void *session)
{
    (void)session;
    wire->read_due_ms = TIMER_NEVER;
    if (wire->service->is_draining)
        wire->ops->finish(wire, 0);
    else
        wire->ops->abort(wire, ERR_PROXY_TIMEOUT);
}

static enum session_idle
preamble_idle(const struct wire *wire, const void *session)
{
    (void)wire;
    (void)session;
    return SESSION_UNUSED;
}

/* A request may be on its way after the header. */
static void
preamble_drain(struct wire *wire, void *session)
{
    (void)session;
    wire_hurry(wire);
    wire->ops->touch(wire);
}

static void
preamble_notify(struct wire *wire, void *session, bool only_streaming)
{
    (void)wire;
    (void)session;
    (void)only_streaming;
}

static void
preamble_fini(struct wire *wire, void *session, int why)
{
    (void)wire;
    (void)session;
    (void)why;
}

static const struct session_ops ops = {
    .feed = preamble_take_nothing,
    .on_eof = preamble_on_eof,
    .before_flush = preamble_do_nothing,
    .on_drained = preamble_do_nothing,
    .on_deadline = preamble_on_deadline,
    .idle = preamble_idle,
    .drain = preamble_drain,
    .notify = preamble_notify,
    .fini = preamble_fini,
};

const struct protocol preamble_protocol = {"preamble", &ops, preamble_begin};
