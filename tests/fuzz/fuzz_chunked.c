/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_chunked.c — any bytes as a chunked body. However they are split,
 * the verdict, the data and the bytes left after the body are the same, and the
 * counters add up. */
#include <stdint.h> /* uint8_t */
#include <stdlib.h> /* malloc, free */

#include "base/err.h"
#include "http1/chunked.h"
#include "check.h"

/* Small, so that a short input can exceed each one. */
static const struct http_limits limits = {
    .trailer_bytes = 60,
    .trailer_fields = 4,
    .chunk_overhead_bytes = 60,
};

struct decoding {
    struct h1_chunked c;
    int err;
    char *body; /* owned; room for every byte of the input */
    size_t nbody;
    size_t ntaken; /* bytes of the input */
};

/* Decodes data[0, size) in steps of `step` bytes, each in its own memory. */
static void
decode(const uint8_t *bytes, size_t size, size_t step, struct decoding *d)
{
    *d = (struct decoding){.err = ERR_AGAIN, .body = malloc(size + 1)};
    CHECK(d->body != NULL);
    while (d->err == ERR_AGAIN && d->ntaken < size) {
        size_t n = size - d->ntaken < step ? size - d->ntaken : step;
        char *piece = malloc(n);
        CHECK(piece != NULL);
        memcpy(piece, bytes + d->ntaken, n);
        struct slice in = slice_new(piece, n), data;
        do {
            d->err = h1_chunked_decode(&d->c, &limits, &in, &data);
            CHECK(d->nbody + data.len <= size);
            memcpy(d->body + d->nbody, data.ptr, data.len);
            d->nbody += data.len;
            CHECK(d->err != 0 || d->c.ended == (data.len == 0));
        } while (d->err == 0 && !d->c.ended);
        CHECK(d->err != ERR_AGAIN || in.len == 0);
        d->ntaken += n - in.len;
        free(piece);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 5, 17};
    struct decoding whole, other;
    decode(data, size, size, &whole);
    CHECK(whole.c.body_bytes == whole.nbody);
    CHECK(whole.c.body_bytes + whole.c.framing_bytes + whole.c.trailer_bytes ==
              whole.ntaken ||
          whole.err == ERR_TRAILER_TOO_LARGE || whole.err == ERR_TOO_MANY_TRAILERS);
    CHECK(whole.c.trailer_bytes <= limits.trailer_bytes);
    CHECK(whole.c.trailer_fields <= limits.trailer_fields);
    for (size_t i = 0; i < COUNT(steps); i++) {
        decode(data, size, steps[i], &other);
        CHECK(other.err == whole.err && other.c.ended == whole.c.ended);
        CHECK(other.ntaken == whole.ntaken && other.nbody == whole.nbody);
        CHECK(memcmp(other.body, whole.body, whole.nbody) == 0);
        free(other.body);
    }
    free(whole.body);
    return 0;
}
