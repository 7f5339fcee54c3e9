/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_app_output.h — what the application of session/wt_app.h sends, and
 * what it does with streams. */
#ifndef FUZZ_SESSION_WT_APP_OUTPUT_H
#define FUZZ_SESSION_WT_APP_OUTPUT_H

#include "session/wt_app.h"

void wt_app_output_begin(void);

/* Checks that no memory is lent out. */
void wt_app_output_end(void);

/* The functions below take a call whose session was accepted. */

/* Sends bytes on a stream, perhaps with its end. */
void wt_app_send(struct wt_call *call);

void wt_app_send_datagram(struct wt_call *call);

/* Asks for a stream. */
void wt_app_open(struct wt_call *call);

/* Resets, stops, pauses or resumes a stream. */
void wt_app_change(struct wt_call *call);

#endif
