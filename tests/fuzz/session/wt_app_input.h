/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_app_input.h — what the application of session/wt_app.h receives,
 * compared with what the client has sent. */
#ifndef FUZZ_SESSION_WT_APP_INPUT_H
#define FUZZ_SESSION_WT_APP_INPUT_H

#include "http/webtransport.h" /* enum webtransport_kind */
#include "session/wt_app.h"

/* Takes the next event and checks it. Returns its kind. */
enum webtransport_kind wt_app_take(struct wt_call *call);

/* Returns what was taken, which must not have changed. */
void wt_app_done(struct wt_call *call);

/* Checks how the session has ended, if it has. */
void wt_app_check_end(const struct wt_call *call);

/* Checks that no callback is missing. Called between two turns. */
void wt_app_check_owed_to(struct wt_call *call);

/* Checks that a stream of the client was received as far as it was sent, after its session
 * has received everything. */
void wt_app_check_complete(int64_t id);

#endif
