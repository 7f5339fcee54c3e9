/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_proxy.c — any bytes as a header of the PROXY protocol. However
 * they are split, the verdict and the client are the same, and no byte after the header
 * is read. */
#include <stdint.h> /* uint8_t */
#include <stdlib.h> /* malloc, free */

#include "base/err.h"
#include "net/proxy_protocol.h"
#include "check.h"

/* Parses data[0, n) in its own memory. */
static ssize_t
parse(unsigned versions, const uint8_t *data, size_t n, struct proxy_header *out)
{
    char *copy = malloc(n > 0 ? n : 1);
    CHECK(copy != NULL);
    memcpy(copy, data, n);
    ssize_t used = proxy_parse(versions, slice_new(copy, n), out);
    free(copy);
    CHECK(used == ERR_AGAIN || used == ERR_PROXY || (used > 0 && (size_t)used <= n));
    return used;
}

static void
compare(unsigned versions, const uint8_t *data, size_t size)
{
    struct proxy_header whole, part;
    ssize_t verdict = parse(versions, data, size, &whole), first = ERR_AGAIN;
    size_t n = 0;

    while (n < size && first == ERR_AGAIN)
        first = parse(versions, data, ++n, &part);
    CHECK(first == verdict);
    if (verdict <= 0)
        return;
    CHECK((size_t)verdict == n);
    CHECK(whole.is_local == part.is_local);
    CHECK(whole.client.len == part.client.len);
    CHECK(memcmp(&whole.client.data, &part.client.data, whole.client.len) == 0);
    CHECK(!whole.is_local || whole.client.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size = size < 2000 ? size : 2000;
    compare(PROXY_V1, data, size);
    compare(PROXY_V2, data, size);
    compare(PROXY_V1 | PROXY_V2, data, size);
    return 0;
}
