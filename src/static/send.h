/* SPDX-License-Identifier: MIT */
/* static/send.h — sends ranges of a file as the body of a response. Contents in memory
 * are lent. Parts of a file whose pages are in memory are sent from the file. Other
 * parts are read by a thread first, so that the event loop does not wait for a disk. */
#ifndef STATIC_SEND_H
#define STATIC_SEND_H

#include "base/compiler.h" /* MUST_USE */
#include "http/range.h"    /* struct range */
#include "http/stream.h"   /* struct stream */
#include "static/entry.h"  /* struct entry */

/* The most bytes of a file that are queued at a time, and that a thread reads at a
 * time. */
#define SEND_PART_BYTES (1u << 20)
#define SEND_READ_BYTES (256u * 1024)

/* Room for the boundary of multipart/byteranges, with a NUL. */
#define SEND_BOUNDARY_BYTES 40

/* What is sent. */
struct send_plan {
    struct entry *entry;     /* borrowed; retained while it is sent */
    struct variant *variant; /* of the entry */
    struct range ranges[RANGES_MAX];
    unsigned nranges;                   /* 0: the whole file */
    char boundary[SEND_BOUNDARY_BYTES]; /* with more than one range */
};

/* Returns the length of the body of a plan with ranges. If there is more than one, this
 * includes the heads of the parts (RFC 9110 14.6), and the boundary is set. */
uint64_t send_prepare(struct send_plan *plan);

/* Sends the body after the head has been sent, and completes the response, possibly
 * later. Until then s->app is used by this module. Returns 0 or an error, as
 * stream_handler.on_request does. */
MUST_USE int send_body(struct stream *s, const struct send_plan *plan);

/* The callbacks of the handler. */
void send_on_writable(struct stream *s);
void send_on_close(struct stream *s, int why);

#endif
