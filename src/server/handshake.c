/* SPDX-License-Identifier: MIT */
/* server/handshake.c — see handshake.h for the contract. */
#include "server/handshake.h"

#include "base/err.h"
#include "base/timer.h"

static void *
handshake_begin(struct wire *wire)
{
    struct service *service = wire->service;

    wire->wants_read = true;
    wire->read_due_ms = clock_due(&service->clock, service->limits.handshake_ms);
    return wire;
}

static void
handshake_take_nothing(struct wire *wire, void *session, struct slice *in)
{
    (void)wire;
    (void)session;
    (void)in;
}

static void
handshake_do_nothing(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
}

static void
handshake_on_eof(struct wire *wire, void *session)
{
    (void)session;
    wire->ops->abort(wire, ERR_RESET);
}

static void
handshake_on_deadline(struct wire *wire, void *session)
{
    (void)session;
    wire->read_due_ms = TIMER_NEVER;
    if (wire->service->is_draining)
        wire->ops->finish(wire, 0);
    else
        wire->ops->abort(wire, ERR_TLS_TIMEOUT);
}

static enum session_idle
handshake_idle(const struct wire *wire, const void *session)
{
    (void)wire;
    (void)session;
    return SESSION_UNUSED;
}

/* A request may be on its way after what has come. */
static void
handshake_drain(struct wire *wire, void *session)
{
    (void)session;
    wire_hurry(wire);
    wire->ops->touch(wire);
}

static void
handshake_notify(struct wire *wire, void *session, bool only_streaming)
{
    (void)wire;
    (void)session;
    (void)only_streaming;
}

static void
handshake_fini(struct wire *wire, void *session, int why)
{
    (void)wire;
    (void)session;
    (void)why;
}

static const struct session_ops ops = {
    .feed = handshake_take_nothing,
    .on_eof = handshake_on_eof,
    .before_flush = handshake_do_nothing,
    .on_drained = handshake_do_nothing,
    .on_deadline = handshake_on_deadline,
    .idle = handshake_idle,
    .drain = handshake_drain,
    .notify = handshake_notify,
    .fini = handshake_fini,
};

const struct protocol handshake_protocol = {"hello", &ops, handshake_begin};
