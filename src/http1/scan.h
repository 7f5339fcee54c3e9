/* SPDX-License-Identifier: MIT */
/* http1/scan.h — finds the first byte of a kind, many bytes at a time. All
 * implementations return the same results; tests compare them. */
#ifndef HTTP1_SCAN_H
#define HTTP1_SCAN_H

#include <stddef.h> /* size_t */

/* Each function returns the index of the first byte in p[0, n) that is not of its kind,
 * or n if all are. None reads outside [p, p + n). */
struct h1_scan {
    const char *name;                          /* "scalar", "sse4.2", "avx2", "neon" */
    size_t (*token)(const char *p, size_t n);  /* token bytes (RFC 9110 5.6.2) */
    size_t (*target)(const char *p, size_t n); /* 0x21-0x7E, the bytes of a URI */
    size_t (*value)(const char *p, size_t n);  /* tab, 0x20-0x7E and 0x80-0xFF */
};

/* Returns the fastest implementation for this processor; static. */
const struct h1_scan *h1_scan_best(void);

/* Returns the i-th implementation for this processor, scalar at 0; NULL after the last
 * one. */
const struct h1_scan *h1_scan_nth(int i);

#endif
