/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_client_input.h — what the client of session/wt_client.h receives,
 * compared with what the application has sent. */
#ifndef FUZZ_SESSION_WT_CLIENT_INPUT_H
#define FUZZ_SESSION_WT_CLIENT_INPUT_H

#include <stdint.h> /* int64_t */

#include "base/slice.h" /* struct slice */

void wt_client_input_begin(void);
void wt_client_input_end(void);

/* A request was sent on a stream: its response follows. */
void wt_client_expect(int64_t id);

/* quic_on_bytes and quic_on_datagram. */
void wt_client_on_bytes(int64_t id, struct slice bytes, bool last);
void wt_client_on_datagram(struct slice bytes);

#endif
