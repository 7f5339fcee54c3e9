/* SPDX-License-Identifier: MIT */
/* http/notice.h — a short response of the server itself: to a request that is rejected,
 * or instead of the response of a handler that has failed. */
#ifndef HTTP_NOTICE_H
#define HTTP_NOTICE_H

#include "http/status.h" /* STATUS_REFUSAL_BYTES */
#include "http/stream.h" /* struct http_response */

struct notice {
    struct http_response res; /* points into this notice, as `text` does */
    struct slice text;        /* the body: plain text, one line */
    struct http_field fields[2];
    char room[STATUS_REFUSAL_BYTES];
};

/* Creates the response `status`, 400 or above; its text names `why` (enum err) unless
 * it is 0. A 405 lists the allowed methods (RFC 9110 15.5.6), a 503 says when to retry
 * (10.2.3). The notice must not be moved or copied. */
void notice_init(struct notice *notice, int status, int why);

#endif
