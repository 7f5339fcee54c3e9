/* SPDX-License-Identifier: MIT */
/* tests/c/test_encoder_gzip.c — gzip: what zlib inflates. */
#include "coding/encoder_gzip.c"

#include "encoders.h"

static size_t
decode(const char *in, size_t n, char *out, size_t room, bool *ended)
{
    z_stream z = {.next_in = (const Bytef *)in,
                  .avail_in = (uInt)n,
                  .next_out = (Bytef *)out,
                  .avail_out = (uInt)room};

    ok(inflateInit2(&z, GZIP_BITS) == Z_OK, "a decoder");
    *ended = inflate(&z, Z_SYNC_FLUSH) == Z_STREAM_END;
    (void)inflateEnd(&z);
    return room - z.avail_out;
}

int
main(void)
{
    test_an_encoder(CODING_GZIP);
    test_a_library_that_fails(CODING_GZIP, "deflate");
    test_a_library_that_cannot_begin(CODING_GZIP, "deflateInit2_");
    test_a_library_that_cannot_begin(CODING_GZIP, "deflateReset");
    return tap_done();
}
