/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/quic_world.c — what session/app.c and session/socket.c need of
 * session/world.h, for an HTTP/3 session (session/quic.h). */
#include "http3/state.h"
#include "session/quic.h"
#include "session/secure.h"
#include "session/world.h"

#define STEPS_MAX 200000u

void
world_step(void)
{
    CHECK(++world.nsteps <= STEPS_MAX);
}

size_t
world_unsent(const struct stream *s)
{
    const struct h3_exchange *x = container_of(s, struct h3_exchange, mux.core.stream);

    return x->mux.out.bytes + x->sent.bytes;
}

bool
secure_is_intact(void)
{
    return true;
}
