/* SPDX-License-Identifier: MIT */
/* http3/capsule.h — the Capsule Protocol (RFC 9297 3), in which the bytes of the stream
 * that has opened a session of WebTransport are framed, and the two capsules that end a
 * session (draft-ietf-webtrans-http3 5 and 4.6). Others are skipped. */
#ifndef HTTP3_CAPSULE_H
#define HTTP3_CAPSULE_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http3/varint.h"  /* struct varint */

#define CAPSULE_CLOSE 0x2843u /* the session ends, with code and reason */
#define CAPSULE_DRAIN 0x78aeu /* the session is to be ended soon */

#define CAPSULE_REASON_BYTES 1024u /* the longest reason of a close */

/* The longest capsule that is written. */
#define CAPSULE_BYTES (2 * VARINT_BYTES + 4 + CAPSULE_REASON_BYTES)

enum capsule_event {
    CAPSULE_NEEDS_MORE = 0, /* all bytes were read */
    CAPSULE_IS_CLOSE,       /* reader->code and capsule_reason() are set */
    CAPSULE_IS_DRAIN,
    CAPSULE_IS_BAD, /* malformed; nothing more may be read */
};

/* All zero at first. */
struct capsule_reader {
    struct varint number;                /* that has begun */
    uint64_t type;                       /* of the capsule */
    uint64_t left;                       /* bytes of its value that are missing */
    uint32_t code;                       /* of a close */
    uint16_t n;                          /* bytes in `kept` */
    uint8_t state;                       /* enum capsule_state of capsule.c */
    char kept[4 + CAPSULE_REASON_BYTES]; /* the value of a close */
};

/* Reads capsules from the front of *in, until one means something or all bytes are read.
 * The result does not depend on how the bytes are divided into calls. */
enum capsule_event capsule_read(struct capsule_reader *reader, struct slice *in);

/* Returns whether the stream may end here: no capsule is incomplete. */
bool capsule_may_end(const struct capsule_reader *reader);

/* Returns the reason of the close that was read last, any bytes; borrowed from the
 * reader. */
struct slice capsule_reason(const struct capsule_reader *reader);

/* Write a capsule to `out`, which has room for CAPSULE_BYTES. Return its length. A
 * reason has at most CAPSULE_REASON_BYTES. */
size_t capsule_write_close(char *out, uint32_t code, struct slice reason);
size_t capsule_write_drain(char *out);

#endif
