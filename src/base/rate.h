/* SPDX-License-Identifier: MIT */
/* base/rate.h — so many a second. */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include <stdint.h> /* uint32_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/narrow.h"   /* narrow_u32 */

/* All zero at first. */
struct rate {
    uint64_t until_ms; /* when the second is over that is counted */
    uint32_t taken;    /* in it */
};

/* Takes one of `most` a second at `now_ms`.  Returns 0, or in how many milliseconds there
 * is one to be taken again. */
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

/* Gives back what was taken last, within the same second. */
static inline void
rate_give_back(struct rate *rate)
{
    if (rate->taken > 0)
        rate->taken--;
}

#endif
