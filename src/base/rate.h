/* SPDX-License-Identifier: MIT */
/* base/rate.h — a limit of events per second. */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include <stdint.h> /* uint32_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/narrow.h"   /* narrow_u32 */

/* Initially all zero. */
struct rate {
    uint64_t until_ms; /* end of the second that is counted */
    uint32_t taken;    /* events in that second */
};

/* Takes one of `most` events per second at `now_ms`. Returns 0, or the number of
 * milliseconds until one can be taken again. */
MUST_USE static inline uint32_t
rate_take(struct rate *rate, uint32_t most, uint64_t now_ms)
{
    if (now_ms >= rate->until_ms)
        *rate = (struct rate){.until_ms = now_ms + 1000};
    if (rate->taken == most)
        return narrow_u32(rate->until_ms - now_ms);
    rate->taken++;
    return 0;
}

/* Returns the event that was taken last, within the same second. */
static inline void
rate_give_back(struct rate *rate)
{
    if (rate->taken > 0)
        rate->taken--;
}

#endif
