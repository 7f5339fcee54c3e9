/* SPDX-License-Identifier: MIT */
/* tests/c/test_encoder.c — encoders are reused for the next bodies, and not more are lent than allowed. */
#include "coding/encoder.c"

#include "aborts.h"
#include "base/mem.h"
#include "tap.h"

static void
test_encoders_are_kept(void)
{
    struct encoders encoders = {.nlent_max = 6, .levels[CODING_GZIP] = 1};
    struct encoder *e[7];

    for (int i = 0; i < 6; i++)
        ok((e[i] = encoders_take(&encoders, CODING_GZIP, 10)) != NULL, "encoder %d", i);
    ok(encoders_take(&encoders, CODING_GZIP, 10) == NULL, "not more are lent");
    for (int i = 0; i < 6; i++)
        encoders_give(&encoders, e[i]);
    is(encoders.nkept[CODING_GZIP], ENCODERS_KEPT, "some are kept");
    mem_fail_at(1);
    ok((e[0] = encoders_take(&encoders, CODING_GZIP, 10)) == e[3], "and used again");
    mem_fail_at(0);
    is(encoders.nkept[CODING_GZIP], ENCODERS_KEPT - 1, "one fewer is kept");
    encoders_give(&encoders, e[0]);
    encoders_give(&encoders, NULL);
    encoders_fini(&encoders);
    encoders_fini(&encoders);
    is(encoders.nkept[CODING_GZIP], 0, "none is left");
}

static void
test_no_memory(void)
{
    struct encoders encoders = {.nlent_max = 6, .levels[CODING_GZIP] = 1};

    mem_fail_at(1);
    ok(encoders_take(&encoders, CODING_GZIP, 10) == NULL, "no encoder");
    mem_fail_at(0);
    is(encoders.nlent, 0, "none is lent");
    encoders_fini(&encoders);
}

static void
take_identity(void *arg)
{
    (void)!encoders_take(arg, CODING_IDENTITY, 1);
}

static void
end_early(void *arg)
{
    encoders_fini(arg);
}

static void
test_contracts(void)
{
    struct encoders encoders = {.nlent_max = 6, .levels[CODING_GZIP] = 1};

    ok(encoder_find(CODING_IDENTITY) == NULL && encoder_find(CODING_END) == NULL,
       "no coding has no encoder");
    ok(aborts(take_identity, &encoders), "and none is taken");
    struct encoder *e = encoders_take(&encoders, CODING_GZIP, 1);
    ok(aborts(end_early, &encoders), "all are returned first");
    encoders_give(&encoders, e);
    encoders_fini(&encoders);
}

int
main(void)
{
    test_encoders_are_kept();
    test_no_memory();
    test_contracts();
    return tap_done();
}
