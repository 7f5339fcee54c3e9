/* SPDX-License-Identifier: MIT */
/* tests/c/test_io_tls_bio.c — what OpenSSL reads from and writes to the shared
 * buffers. */
#include "tls/io_tls_bio.c"

#include "tap.h"

static void
test_a_value_that_does_not_fit_is_an_error(void)
{
    static char bytes[TLS_RECORD_BYTES];
    struct clock clock;
    struct tls_shared_buffers shared;
    struct io_tls t = {.shared = &shared};

    clock_init(&clock);
    is(tls_shared_buffers_init(&shared, &clock), 0, "a set of buffers");
    shared.method = io_tls_method_new();
    ok(shared.method != NULL, "its calls");
    BIO *bio = BIO_new(shared.method);
    BIO_set_data(bio, &t);
    BIO_set_init(bio, 1);
    shared.out_len = TLS_SHARED_OUT_BYTES - 10;
    is(BIO_write(bio, bytes, 10), 10, "what fits is accepted");
    is(shared.out_len, TLS_SHARED_OUT_BYTES, "to the last byte");
    ok(BIO_write(bio, bytes, 1) < 0, "one more byte is not");
    ok(!BIO_should_retry(bio), "nor later");
    shared.in_end = 4;
    is(BIO_read(bio, bytes, 3), 3, "what was received is read");
    is(BIO_read(bio, bytes, 3), 1, "to its end");
    shared.ended = ERR_AGAIN;
    ok(BIO_read(bio, bytes, 1) < 0 && BIO_should_retry(bio),
       "then nothing is available now");
    shared.ended = ERR_EOF;
    is(BIO_read(bio, bytes, 1), 0, "or at all");
    ok(BIO_eof(bio) == 1, "which is the end");
    BIO_free(bio);
    tls_shared_buffers_fini(&shared);
}

int
main(void)
{
    test_a_value_that_does_not_fit_is_an_error();
    return tap_done();
}
