/* SPDX-License-Identifier: MIT */
/* tests/fuzz/check.h — what every fuzz target has: its entry, and checks that end the
 * process, so that the fuzzer keeps the input. */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint8_t */
#include <stdio.h>  /* fprintf */
#include <stdlib.h> /* abort */

_Noreturn static inline void
check_failed(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, text);
    abort();
}

/* Ends the process unless `holds`. */
#define CHECK(holds)                                                                   \
    do {                                                                               \
        if (!(holds))                                                                  \
            check_failed(__FILE__, __LINE__, #holds);                                  \
    } while (0)

/* Runs one input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
