/* SPDX-License-Identifier: MIT */
/* http1/scan_ways.h — the ways of scanning that processors offer, for scan.c to choose
 * from; everybody else asks scan.h. */
#ifndef HTTP1_SCAN_WAYS_H
#define HTTP1_SCAN_WAYS_H

#include "http1/scan.h" /* struct h1_scan */

/* The scalar way to scan a target, for the last bytes of the others. */
size_t h1_scan_target(const char *p, size_t n);

#if defined(__x86_64__)
extern const struct h1_scan h1_scan_sse42; /* needs SSE4.2 */
extern const struct h1_scan h1_scan_avx2;  /* needs AVX2 */
#elif defined(__aarch64__)
extern const struct h1_scan h1_scan_neon; /* every 64-bit ARM has it */
#endif

#endif
