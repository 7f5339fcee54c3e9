/* SPDX-License-Identifier: MIT */
/* net/poller.c — see poller.h for the contract. What the implementations share. */
#include "net/poller.h"

#include <assert.h> /* assert */

/* The system reports first what was ready in the last poll, too. A client whose request
 * arrives just after a poll would wait for two rounds of all others. The reports are
 * almost sorted, so that an insertion sort takes few steps. */
void
poller_order(struct poller_ready *ready, int n, uint64_t *reports)
{
    for (int i = 1; i < n; i++) {
        struct poller_ready found = ready[i];
        int at = i;
        for (; at > 0 && ready[at - 1].watch->last > found.watch->last; at--)
            ready[at] = ready[at - 1];
        ready[at] = found;
    }
    for (int i = 0; i < n; i++) {
        assert(ready[i].watch->last <= *reports);
        ready[i].watch->last = ++*reports;
    }
}
