/* SPDX-License-Identifier: MIT */
/* net/proxy_protocol.h — parses the PROXY header, with which a proxy reports its
 * client's address at the start of a connection (haproxy's doc/proxy-protocol.txt,
 * versions 1 and 2). */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "net/addr.h"      /* struct addr */

/* Versions, as bits: the receiver is configured with the accepted versions, and does
 * not guess. */
#define PROXY_V1 1u
#define PROXY_V2 2u

/* The longest header that is accepted; version 2 allows 16 bytes more. */
#define PROXY_HEADER_BYTES 65535u

/* The contents of a header. */
struct proxy_header {
    bool is_local;      /* the proxy itself is the client, or it does not name one: the
                      client is the connected peer */
    struct addr client; /* len 0 if is_local, or if the client has a Unix socket */
};

/* Parses the header at the front of `bytes`. The destination and the fields after
 * the addresses are skipped, except a checksum, which must be correct. Returns the
 * length of the header (> 0); ERR_AGAIN if more bytes are needed and all bytes so
 * far belong to the header; or ERR_PROXY if it is not a header of `versions`. */
MUST_USE ssize_t proxy_parse(unsigned versions, struct slice bytes,
                             struct proxy_header *out);

#endif
