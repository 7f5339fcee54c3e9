/* SPDX-License-Identifier: MIT */
/* server/hello.c — see hello.h for the contract. */
#include "server/hello.h"

#include "base/err.h"

static void *
begin(struct wire *wire)
{
    struct service *service = wire->service;

    wire->wants_read = true;
    wire->read_due_ms = clock_due(&service->clock, service->limits.handshake_ms);
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
    wire->ops->abort(wire, ERR_TLS_TIMEOUT);
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

const struct protocol hello_protocol = {"hello", &ops, begin};
