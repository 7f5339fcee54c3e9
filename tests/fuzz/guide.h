/* SPDX-License-Identifier: MIT */
/* tests/fuzz/guide.h — which paths of the engine an input takes that no input has
 * taken before. The compiler inserts a call into each basic block of the engine (meson
 * option guided_fuzzers); in other builds no path is ever new. */
#ifndef FUZZ_GUIDE_H
#define FUZZ_GUIDE_H

/* Discards the paths of the last input. */
void guide_begin(void);

/* Records the paths since guide_begin; returns how many of them are new. A path is a
 * step from one basic block to another, together with about how often it was taken: 1,
 * 2, 3, 4, 8, 16, 32, 128 times or more. */
unsigned guide_note(void);

/* From now on a path is the same however often it was taken. */
void guide_ignore_counts(void);

/* Returns how many paths all inputs have taken. */
unsigned guide_total(void);

#endif
