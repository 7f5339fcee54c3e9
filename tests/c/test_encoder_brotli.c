/* SPDX-License-Identifier: MIT */
/* tests/c/test_encoder_brotli.c — brotli: what libbrotlidec decodes; blocks are kept. */
#ifdef HAVE_BROTLI
#include "coding/encoder_brotli.c"

#include <brotli/decode.h>

#include "encoders.h"

static size_t
decode(const char *in, size_t n, char *out, size_t room, bool *ended)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    const uint8_t *next_in = (const uint8_t *)in;
    uint8_t *next_out = (uint8_t *)out;
    size_t left = room;

    *ended = BrotliDecoderDecompressStream(state, &n, &next_in, &left, &next_out,
                                           NULL) == BROTLI_DECODER_RESULT_SUCCESS;
    BrotliDecoderDestroyInstance(state);
    return room - left;
}

static void
test_blocks_are_kept(void)
{
    struct encoders encoders = {.nlent_max = 1, .levels[CODING_BROTLI] = 4};

    for (int i = 0; i < 5; i++) {
        struct encoder *e = encoders_take(&encoders, CODING_BROTLI, 20000);
        mem_fail_at(0);
        long n = encoders_write(e, 20000, 20000, 50000, false);
        ok(encoders_decodes((size_t)n, 20000), "body %d", i);
        if (i > 0)
            is(mem_count(), 0, "needs no memory");
        encoders_give(&encoders, e);
    }
    encoders_fini(&encoders);
}

int
main(void)
{
    test_an_encoder(CODING_BROTLI);
    test_a_library_that_fails(CODING_BROTLI, "BrotliEncoderCompressStream");
    test_blocks_are_kept();
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
