/* SPDX-License-Identifier: MIT */
/* http1/session.h — HTTP/1.0 and 1.1 on one connection: one request after the other,
 * each answered before the next one begins. */
#ifndef HTTP1_SESSION_H
#define HTTP1_SESSION_H

#include "http/session.h" /* struct protocol */

/* The protocol for server/conn.c. */
extern const struct protocol h1_protocol;

#endif
