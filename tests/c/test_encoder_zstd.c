/* SPDX-License-Identifier: MIT */
/* tests/c/test_encoder_zstd.c — zstd: what libzstd decodes. */
#ifdef HAVE_ZSTD
#include "coding/encoder_zstd.c"

#include "encoders.h"

static size_t
decode(const char *in, size_t n, char *out, size_t room, bool *ended)
{
    ZSTD_DCtx *dctx = ZSTD_createDCtx();
    ZSTD_inBuffer from = {.src = in, .size = n};
    ZSTD_outBuffer to = {.dst = out, .size = room};
    size_t left;

    do {
        left = ZSTD_decompressStream(dctx, &to, &from);
    } while (left != 0 && !ZSTD_isError(left) && from.pos < from.size);
    *ended = left == 0;
    ZSTD_freeDCtx(dctx);
    return to.pos;
}

int
main(void)
{
    test_an_encoder(CODING_ZSTD);
    test_a_library_that_fails(CODING_ZSTD, "ZSTD_compressStream2");
    test_a_library_that_cannot_begin(CODING_ZSTD, "ZSTD_createCCtx");
    test_a_library_that_cannot_begin(CODING_ZSTD, "ZSTD_CCtx_reset");
    return tap_done();
}
#else
#include "tap.h"

int
main(void)
{
    return tap_done(); /* it is not built in */
}
#endif
