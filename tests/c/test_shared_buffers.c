/* SPDX-License-Identifier: MIT */
/* tests/c/test_shared_buffers.c — the memory that TLS connections share: created
 * completely or not at all. */
#include "tls/shared_buffers.c"

#include "tap.h"

static void
test_each_allocation_may_fail(void)
{
    struct clock clock;
    struct tls_shared_buffers shared;
    unsigned long n = 1;

    clock_init(&clock);
    for (bool failed = true; failed; n++) {
        mem_fail_at(n);
        int err = tls_shared_buffers_init(&shared, &clock);
        failed = mem_count() >= n;
        mem_fail_at(0);
        is(err, failed ? ERR_NOMEM : 0, "allocation %lu", n);
        is(shared.in != NULL, !failed,
           "nothing is left of a set of buffers that failed");
    }
    ok(tls_shared_has_room(&shared), "an empty set of buffers has room for a record");
    shared.out_len = TLS_SHARED_OUT_BYTES - TLS_RECORD_BYTES - TLS_RECORD_EXTRA_BYTES;
    ok(tls_shared_has_room(&shared), "and for the last one");
    shared.out_len++;
    ok(!tls_shared_has_room(&shared), "and for none after it");
    tls_shared_buffers_fini(&shared);
    tls_shared_buffers_fini(&shared);
    ok(shared.in == NULL && shared.out == NULL && shared.piece == NULL, "it is freed");
}

int
main(void)
{
    test_each_allocation_may_fail();
    return tap_done();
}
