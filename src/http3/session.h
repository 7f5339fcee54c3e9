/* SPDX-License-Identifier: MIT */
/* http3/session.h — HTTP/3 (RFC 9114) on one QUIC connection, implemented with
 * nghttp3. */
#ifndef HTTP3_SESSION_H
#define HTTP3_SESSION_H

#include "http/session.h" /* struct protocol */

/* The protocol of sessions that h3_begin() (http3/carrier.h) creates. `begin` is
 * NULL, and `feed` is always called without bytes: streams arrive through
 * http3/carrier.h. */
extern const struct protocol h3_protocol;

#endif
