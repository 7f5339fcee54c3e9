/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/time.c — what every world has: its state, and its scripted clock,
 * which replaces the engine's; see world.h. */
#include <string.h> /* memset */
#include <time.h>   /* struct timespec */

static int world_gettime(clockid_t id, struct timespec *out);
#define clock_gettime world_gettime
#include "base/clock.c"
#undef clock_gettime

#include "session/world.h"

struct world world;

static uint64_t now_ns;

void
world_reset(const uint8_t *data, size_t size)
{
    memset(&world, 0, sizeof world);
    world.script = (struct script){data, 0, size};
    now_ns = (uint64_t)1000 * 1000000;
}

static int
world_gettime(clockid_t id, struct timespec *out)
{
    (void)id;
    out->tv_sec = (time_t)(now_ns / 1000000000);
    out->tv_nsec = (long)(now_ns % 1000000000);
    return 0;
}

uint64_t
world_now_ns(void)
{
    return now_ns;
}

uint64_t
world_now_ms(void)
{
    return now_ns / 1000000;
}

void
world_wait(uint64_t ms)
{
    now_ns += ms * 1000000;
}

void
world_wait_until(uint64_t ns)
{
    if (now_ns < ns)
        now_ns = ns;
}
