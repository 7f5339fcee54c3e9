/* SPDX-License-Identifier: MIT */
/* net/proxy_protocol.h — what a proxy sends in front of a connection's bytes: whom it
 * speaks for (haproxy's doc/proxy-protocol.txt, versions 1 and 2). */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "net/addr.h"      /* struct addr */

/* Versions, as bits: a receiver is told which of them come, and guesses nothing. */
#define PROXY_V1 1u
#define PROXY_V2 2u

/* The longest header that is taken; version 2 could say 16 bytes more. */
#define PROXY_HEADER_BYTES 65535u

/* What a header says. */
struct proxy_header {
    bool is_local; /* the proxy speaks for itself, or does not say for whom: the client
                           is who has connected */
    struct addr client; /* len 0 when is_local, and when the client has a Unix socket */
};

/* Reads the header at the front of `bytes`.  Its destination and the fields behind the
 * addresses are skipped, but for a checksum, which has to be right.  Returns the header's
 * bytes (> 0), ERR_AGAIN when more are needed, all of which belong to the header so far, or
 * ERR_PROXY: it is no header of `versions`. */
MUST_USE ssize_t proxy_parse(unsigned versions, struct slice bytes,
                             struct proxy_header *out);

#endif
