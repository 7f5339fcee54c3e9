/* SPDX-License-Identifier: MIT */
/* http1/finish.h — how a connection of HTTP/1 ends. */
#ifndef HTTP1_FINISH_H
#define HTTP1_FINISH_H

#include "http1/state.h" /* struct h1_session */

/* Ends the connection after queued output has been sent; `why` (enum err or 0) is
 * logged. Nothing more is read. */
void h1_finish(struct h1_session *h, int why);

/* Responds with the status of `err` if it has one, instead of a head that is held
 * back, and finishes the connection; `is_head`: the response has no body. */
void h1_refuse(struct h1_session *h, int err, bool is_head);

#endif
