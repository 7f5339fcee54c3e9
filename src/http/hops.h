/* SPDX-License-Identifier: MIT */
/* http/hops.h — the way that a request has come, as X-Forwarded-For and Forwarded (RFC
 * 7239) tell it: one element a hop, the client first, the last proxy's peer last.  Who can
 * be believed is found from the end: the client is the last hop that is not a proxy of
 * ours, whatever stands in front of it. */
#ifndef HTTP_HOPS_H
#define HTTP_HOPS_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/trust.h"    /* struct trust */

/* All zero at first; lines are added in their order. */
struct hops {
    uint32_t n;      /* elements so far */
    uint32_t chosen; /* the number of the client's, when n > 0 */
    bool is_known;   /* the client has an address: `client` */
    bool is_hidden;  /* there is a client, and its address is not told: "unknown",
                                or a name that stands for it */
    struct peer_addr client; /* port 0 where none is told */
    struct slice proto;      /* of the chosen element of Forwarded; empty: not told */
    struct slice host;       /* likewise; not checked */
};

/* Adds the elements of one X-Forwarded-For line: addresses, with a port or without, IPv6
 * with brackets or without; "unknown" (and "unix:", nginx's word for it).  Slices are
 * borrowed from `value`.  Returns 0 or ERR_FORWARDED. */
MUST_USE int hops_add_list(struct hops *hops, const struct trust *trust,
                           struct slice value);

/* Adds those of one Forwarded line (RFC 7239 4), likewise.  Parameters other than for,
 * proto and host are checked for their form alone. */
MUST_USE int hops_add_forwarded(struct hops *hops, const struct trust *trust,
                                struct slice value);

#endif
