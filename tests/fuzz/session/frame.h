/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/frame.h — frames of HTTP/3 that a scripted client sends. */
#ifndef FUZZ_SESSION_FRAME_H
#define FUZZ_SESSION_FRAME_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint64_t */

/* The longest number. */
#define FRAME_NUMBER_BYTES 8u

/* Writes a number (RFC 9000 16) of 1 or 4 bytes. Returns its length. */
size_t frame_put_number(uint8_t *at, uint64_t n);

/* Writes a number in at least 1 << `order` bytes, 0 <= order <= 3. */
size_t frame_put_long_number(uint8_t *at, uint64_t n, unsigned order);

/* Writes a literal field line with a literal name (RFC 9204 4.5.6). Returns its length. */
size_t frame_put_field(uint8_t *at, const char *name, const char *value);

/* Sends a frame of type `kind` on a stream. */
void frame_send(int64_t id, uint64_t kind, const void *payload, size_t n);

#endif
