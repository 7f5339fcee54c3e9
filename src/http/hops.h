/* SPDX-License-Identifier: MIT */
/* http/hops.h — the way that a request has come, as X-Forwarded-For and Forwarded (RFC
 * 7239) tell it: one element a hop, the client first, the last proxy's peer last.  Who can
 * be believed is found from the end: the client is the last hop that is not a proxy of
 * ours, whatever stands in front of it.  Anybody can have written that, so it is not even
 * read, and a malformed element ends the walk: the hop behind it is the client then. */
#ifndef HTTP_HOPS_H
#define HTTP_HOPS_H

#include "base/slice.h" /* struct slice */
#include "http/trust.h" /* struct trust */

/* All zero at first.  Lines are walked from the last one to the first. */
struct hops {
    uint32_t n;      /* elements walked over */
    uint32_t behind; /* elements behind the client's; has_client */
    bool has_client; /* an element has been taken for the client's */
    bool is_over;    /* nothing before it is looked at */
    bool is_known;   /* the client has an address: `client` */
    bool is_hidden;  /* there is a client, and its address is not told: "unknown",
                                or a name that stands for it */
    struct peer_addr client; /* port 0 where none is told */
    struct slice proto;      /* of the chosen element of Forwarded; empty: not told */
    struct slice host;       /* likewise; neither is checked */
};

/* Walks over the elements of one X-Forwarded-For line: addresses, with a port or without,
 * IPv6 with brackets or without and maybe a zone, which is dropped; "unknown" (and "unix:",
 * nginx's word for it).  A port that is none is not told. */
void hops_walk_list(struct hops *hops, const struct trust *trust, struct slice line);

/* Walks over those of one Forwarded line (RFC 7239 4), likewise.  Parameters other than
 * for, proto and host are looked at for their form alone.  Slices are borrowed from
 * `line`. */
void hops_walk_forwarded(struct hops *hops, const struct trust *trust,
                         struct slice line);

#endif
