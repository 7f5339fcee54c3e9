/* SPDX-License-Identifier: MIT */
/* http1/scan_ways.h — the implementations for different processors, from which scan.c
 * chooses; all other code uses scan.h. */
#ifndef HTTP1_SCAN_WAYS_H
#define HTTP1_SCAN_WAYS_H

#include "http1/scan.h" /* struct h1_scan */

/* The scalar function to scan a target, for the last bytes of the others. */
size_t h1_scan_target(const char *p, size_t n);

#if defined(__x86_64__)
extern const struct h1_scan h1_scan_sse42; /* needs SSE4.2 */
extern const struct h1_scan h1_scan_avx2;  /* needs AVX2 */
#elif defined(__aarch64__)
extern const struct h1_scan h1_scan_neon; /* all 64-bit ARM processors have NEON */
#endif

#endif
