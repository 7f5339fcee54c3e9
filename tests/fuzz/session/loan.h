/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/loan.h — bytes that an application lends to the engine, in separate
 * memory, so that a use after the release is detected. Header only. */
#ifndef FUZZ_SESSION_LOAN_H
#define FUZZ_SESSION_LOAN_H

#include <stdlib.h> /* malloc */

#include "base/outq.h" /* struct lender */
#include "check.h"

struct loan {
    long *nlent; /* borrowed; the sum of the references of all loans */
    unsigned nrefs;
    char bytes[];
};

static inline void
loan_retain(void *owner)
{
    struct loan *loan = owner;

    loan->nrefs++;
    ++*loan->nlent;
}

static inline void
loan_release(void *owner)
{
    struct loan *loan = owner;

    CHECK(loan->nrefs > 0);
    --*loan->nlent;
    if (--loan->nrefs == 0)
        free(loan);
}

static const struct lender loan_lender = {loan_retain, loan_release, .bytes_min = 2048};

/* Returns a loan of `n` bytes, which the caller writes, and releases with
 * loan_release(). */
static inline struct loan *
loan_new(size_t n, long *nlent)
{
    struct loan *loan = malloc(sizeof *loan + n);

    CHECK(loan != NULL);
    loan->nlent = nlent;
    loan->nrefs = 0;
    loan_retain(loan);
    return loan;
}

#endif
