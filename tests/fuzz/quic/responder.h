/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/responder.h — an application that reads the body of a request and
 * answers "/N" with N bytes. Both bodies have known bytes, which it and the client
 * compare. */
#ifndef FUZZ_QUIC_RESPONDER_H
#define FUZZ_QUIC_RESPONDER_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/slice.h"  /* struct slice */
#include "http/stream.h" /* struct stream_handler */

/* The longest response; more is asked in vain: 404. */
#define RESPONDER_BYTES ((uint64_t)4 << 20)

extern const struct stream_handler responder;

/* Bodies are compared only if clients send the right ones. */
void responder_begin(bool compares);

/* Returns how many bytes of requests have arrived. */
uint64_t responder_received(void);

/* Checks that every call has ended, and that nothing is lent. */
void responder_end(void);

/* Returns the bytes of a body of "/N" from `offset` on: as many as are in one place, at
 * most `most`. */
struct slice responder_body(uint64_t n, uint64_t offset, uint64_t most);

/* Returns whether `bytes` are those at `offset` of a body of "/N". */
bool responder_is_body(uint64_t n, uint64_t offset, struct slice bytes);

#endif
