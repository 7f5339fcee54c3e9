/* SPDX-License-Identifier: MIT */
/* tests/c/failing.h — the failing calls of tests/faults/faults.h for a C test; in a build
 * without the option failing_calls none fails. */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#ifdef HAS_FAILING_CALLS
#include "../faults/faults.h"
#else
static inline void
fault_at(unsigned long n, int error)
{
    (void)n;
    (void)error;
}

static inline void
fault_of(const char *name, unsigned long n, int error)
{
    (void)name;
    fault_at(n, error);
}

static inline unsigned long
fault_stop(void)
{
    return 0;
}

static inline const char *
fault_name(void)
{
    return "";
}
#endif

#endif
