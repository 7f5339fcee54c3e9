/* SPDX-License-Identifier: MIT */
/* tests/c/test_desk.c — the memory that TLS connections share: made whole or not at all. */
#include "tls/desk.c"

#include "tap.h"

static void
test_each_allocation_may_fail(void)
{
    struct clock clock;
    struct tls_desk desk;
    unsigned long n = 1;

    clock_init(&clock);
    for (bool failed = true; failed; n++) {
        mem_fail_at(n);
        int err = tls_desk_init(&desk, &clock);
        failed = mem_count() >= n;
        mem_fail_at(0);
        is(err, failed ? ERR_NOMEM : 0, "allocation %lu", n);
        is(desk.method != NULL, !failed, "nothing is left of a desk that failed");
    }
    ok(tls_desk_has_room(&desk), "an empty desk has room for a record");
    desk.out_len = TLS_DESK_OUT_BYTES - TLS_RECORD_BYTES - TLS_RECORD_EXTRA_BYTES;
    ok(tls_desk_has_room(&desk), "and for the last one");
    desk.out_len++;
    ok(!tls_desk_has_room(&desk), "and for no more");
    tls_desk_fini(&desk);
    tls_desk_fini(&desk);
    ok(desk.in == NULL && desk.out == NULL && desk.piece == NULL, "it is gone");
}

static void
test_what_does_not_fit_is_an_error(void)
{
    static char bytes[TLS_RECORD_BYTES];
    struct clock clock;
    struct tls_desk desk;
    struct io_tls t = {.desk = &desk};

    clock_init(&clock);
    is(tls_desk_init(&desk, &clock), 0, "a desk");
    BIO *bio = BIO_new(desk.method);
    BIO_set_data(bio, &t);
    BIO_set_init(bio, 1);
    desk.out_len = TLS_DESK_OUT_BYTES - 10;
    is(BIO_write(bio, bytes, 10), 10, "what fits is taken");
    is(desk.out_len, TLS_DESK_OUT_BYTES, "to the last byte");
    ok(BIO_write(bio, bytes, 1) < 0, "one more is not");
    ok(!BIO_should_retry(bio), "nor later");
    desk.in_end = 4;
    is(BIO_read(bio, bytes, 3), 3, "what was received is read");
    is(BIO_read(bio, bytes, 3), 1, "to its end");
    desk.ended = ERR_AGAIN;
    ok(BIO_read(bio, bytes, 1) < 0 && BIO_should_retry(bio), "then there is none now");
    desk.ended = ERR_EOF;
    is(BIO_read(bio, bytes, 1), 0, "or no more at all");
    ok(BIO_eof(bio) == 1, "which is the end");
    BIO_free(bio);
    tls_desk_fini(&desk);
}

int
main(void)
{
    test_each_allocation_may_fail();
    test_what_does_not_fit_is_an_error();
    return tap_done();
}
