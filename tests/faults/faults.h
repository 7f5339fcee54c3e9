/* SPDX-License-Identifier: MIT */
/* tests/faults/faults.h — makes one call of a library or of the system fail, in a
 * build with the meson option failing_calls: the linker replaces the calls listed in
 * system.def, python.def and quic.def by functions that count them. Only calls of the thread that
 * has called fault_at are counted, and none that is made inside a library. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h> /* bool */

/* Starts to count. The n-th call from now on fails, n >= 1, and no other; 0: none
 * fails. A failing system call sets errno to `error`. */
void fault_at(unsigned long n, int error);

/* As fault_at, but counts only calls of the function `name`, which outlives the test. */
void fault_of(const char *name, unsigned long n, int error);

/* As fault_at, but counts only calls of functions whose names begin with `prefix`, which
 * outlives the test. */
void fault_like(const char *prefix, unsigned long n, int error);

/* Calls between the two are not counted, and do not fail. */
void fault_pause(void);
void fault_resume(void);

/* Stops counting; returns the number of calls. */
unsigned long fault_stop(void);

/* Returns the name of the call that has failed since fault_at, or "". */
const char *fault_name(void);

#endif
