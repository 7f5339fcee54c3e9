/* SPDX-License-Identifier: MIT */
/* http/hops.h — the route of a request, as reported by X-Forwarded-For and Forwarded
 * (RFC 7239): one element per hop, the client first, the last proxy's peer last. The
 * list is read from the end to find out what can be believed: the client is the last
 * hop that is not a trusted proxy. Anyone can have written what comes before it, so
 * it is not read. A malformed element ends the walk: the hop after it is then the
 * client. */
#ifndef HTTP_HOPS_H
#define HTTP_HOPS_H

#include "base/slice.h" /* struct slice */
#include "http/trust.h" /* struct trust */

/* All zero at first. Lines are read from the last one to the first. */
struct hops {
    uint32_t n;      /* elements walked over */
    uint32_t behind; /* elements after the client's; if has_client */
    bool has_client; /* an element has been taken as the client */
    bool is_over;    /* nothing before it is read */
    bool is_known;   /* the address of the client is known: `client` */
    bool is_hidden;  /* there is a client, but its address is hidden: "unknown", or a
                        name in its place */
    struct peer_addr client; /* port 0 if none is given */
    struct slice proto;      /* of the chosen element of Forwarded; empty: not given */
    struct slice host;       /* of the same element; neither is checked */
};

/* Reads the elements of one X-Forwarded-For line from the end: addresses, with or
 * without a port, IPv6 with or without brackets, and optionally with a zone, which is
 * dropped; "unknown" (and "unix:", which nginx uses for it). A malformed port is
 * ignored. */
void hops_walk_list(struct hops *hops, const struct trust *trust, struct slice line);

/* Reads the elements of one Forwarded line (RFC 7239 4) in the same way. Of parameters
 * other than for, proto and host only the form is checked. Slices are borrowed from
 * `line`. */
void hops_walk_forwarded(struct hops *hops, const struct trust *trust,
                         struct slice line);

#endif
