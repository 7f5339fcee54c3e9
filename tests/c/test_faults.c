/* SPDX-License-Identifier: MIT */
/* tests/c/test_faults.c — calls through the wrappers of tests/faults/faults.c. */
#include <pthread.h>   /* pthread_create */
#include <stdatomic.h> /* atomic_fetch_add */
#include <stdint.h>    /* uint64_t */
#include <stdlib.h>    /* malloc */

#include "tap.h"

#define INCREMENTS 5000000u

static atomic_bool is_done;

static void *
increment(void *arg)
{
    _Atomic uint64_t *count = arg;

    for (uint32_t i = 0; i < INCREMENTS; i++)
        (void)atomic_fetch_add(count, 1);
    is_done = true;
    return NULL;
}

/* A wrapper once wrote back what it had read from the caller's stack. */
static void
test_a_wrapper_writes_nothing_to_its_callers_stack(void)
{
    _Atomic uint64_t count = 0;
    pthread_t thread;

    (void)pthread_create(&thread, NULL, increment, &count);
    while (!is_done) {
        void *volatile block = malloc(1);
        free(block);
    }
    (void)pthread_join(thread, NULL);
    is(count, INCREMENTS, "no increment of another thread is lost");
}

int
main(void)
{
    test_a_wrapper_writes_nothing_to_its_callers_stack();
    return tap_done();
}
