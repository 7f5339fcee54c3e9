/* SPDX-License-Identifier: MIT */
/* http1/scan.c — the scalar implementation, and the choice; see scan.h for the
 * contract. */
#include "http1/scan.h"

#include <stdint.h> /* uint8_t */

#include "base/compiler.h" /* COUNT */
#include "http/field.h"    /* token_span, field_value_span */
#include "http1/scan_ways.h"

size_t
h1_scan_target(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (uint8_t)(p[i] - 0x21) < 0x7F - 0x21)
        i++;
    return i;
}

static const struct h1_scan scalar = {"scalar", token_span, h1_scan_target,
                                      field_value_span};

/* From the slowest to the fastest; NULL if the processor does not support it. */
static const struct h1_scan *
scan_way(int i)
{
    switch (i) {
    case 0:
        return &scalar;
#if defined(__x86_64__)
    case 1:
        return __builtin_cpu_supports("sse4.2") ? &h1_scan_sse42 : NULL;
    case 2:
        return __builtin_cpu_supports("avx2") ? &h1_scan_avx2 : NULL;
#elif defined(__aarch64__)
    case 1:
        return &h1_scan_neon;
#endif
    default:
        return NULL;
    }
}

const struct h1_scan *
h1_scan_nth(int i)
{
    return scan_way(i);
}

const struct h1_scan *
h1_scan_best(void)
{
    int i = 0;
    while (scan_way(i + 1) != NULL)
        i++;
    return scan_way(i);
}
