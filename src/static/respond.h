/* SPDX-License-Identifier: MIT */
/* static/respond.h — responds to requests whose entry is known. */
#ifndef STATIC_RESPOND_H
#define STATIC_RESPOND_H

#include "http/stream.h"  /* struct stream_handler */
#include "static/entry.h" /* struct entry */

/* The handler of requests for an entry that is not loading. Its handler_arg is the
 * entry; the caller keeps a reference until on_request has returned. Method,
 * preconditions and ranges are evaluated in the order of RFC 9110 13.2. */
extern const struct stream_handler respond_handler;

/* The handler of requests that cannot be served now because too many are waiting for
 * the threads. Sends a 503. */
extern const struct stream_handler respond_busy_handler;

/* The handler of requests for paths that no file may have. Sends a 404. */
extern const struct stream_handler respond_missing_handler;

#endif
