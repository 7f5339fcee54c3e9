/* SPDX-License-Identifier: MIT */
/* http/resets.h — how many streams of a connection may be reset before their response
 * was sent: each is work that is lost, at no cost for the peer (CVE-2023-44487). */
#ifndef HTTP_RESETS_H
#define HTTP_RESETS_H

#include <assert.h>  /* assert */
#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t */

/* All zero at first. */
struct resets {
    uint64_t since_ms; /* when the previous reset was counted */
    uint64_t level;    /* in thousandths of a reset, minus the refill */
};

/* Counts a reset at `now_ms`. `most` are allowed at once, and a quarter of that is added
 * per second; 0: any number. Returns whether it was one too many. */
static inline bool
resets_count(struct resets *resets, uint32_t most, uint64_t now_ms)
{
    assert(now_ms >= resets->since_ms);
    uint64_t refill = (now_ms - resets->since_ms) * most / 4;

    resets->level -= refill < resets->level ? refill : resets->level;
    resets->since_ms = now_ms;
    resets->level += 1000;
    return most != 0 && resets->level > most * UINT64_C(1000);
}

#endif
