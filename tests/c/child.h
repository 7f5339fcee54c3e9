/* SPDX-License-Identifier: MIT */
/* tests/c/child.h — the end of a process that a C test has forked. Header only. */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

#include <unistd.h> /* _exit */

#ifdef HAS_COVERAGE
void __gcov_dump(void); /* of libgcov */
#endif

/* Ends the process without running what its parent has registered; in a build with
 * -Db_coverage=true, its counts are added to those of the parent. */
static inline void __attribute__((noreturn))
child_exit(int status)
{
#ifdef HAS_COVERAGE
    __gcov_dump();
#endif
    _exit(status);
}

#endif
