/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_hops.c — any bytes as X-Forwarded-For, as Forwarded and as a list of
 * trusted networks.  What one line says, its elements say on lines of their own; who is
 * named is never a proxy of ours unless all are. */
#include <stdint.h> /* uint8_t */
#include <stdlib.h> /* abort, malloc, free */

#include "base/err.h"
#include "http/field.h"
#include "http/hops.h"

#define CHECK(holds)                                                                   \
    do {                                                                               \
        if (!(holds))                                                                  \
            abort();                                                                   \
    } while (0)

typedef int add_line(struct hops *hops, const struct trust *trust, struct slice value);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct hops *hops, const struct trust *trust)
{
    CHECK(hops->n == 0 || hops->chosen < hops->n);
    CHECK(!(hops->is_known && hops->is_hidden));
    CHECK(!hops->is_known || hops->client.kind != PEER_NONE);
    if (hops->is_known && trust_names(trust, &hops->client))
        CHECK(hops->chosen == 0);
}

static void
read_line(add_line *add, const struct trust *trust, struct slice line)
{
    struct hops hops = {0}, again = {0};

    int err = add(&hops, trust, line);
    CHECK(err == 0 || err == ERR_FORWARDED);
    check(&hops, trust);
    if (err != 0 || memchr(line.ptr, '"', line.len) != NULL)
        return;
    struct slice element;
    while (field_list_next(&line, &element))
        CHECK(add(&again, trust, element) == 0);
    CHECK(again.n == hops.n && again.chosen == hops.chosen);
    CHECK(peer_addr_equal(&again.client, &hops.client));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trust trust;
    char *copy = malloc(size > 0 ? size : 1);

    CHECK(copy != NULL);
    memcpy(copy, data, size);
    struct slice line = slice_new(copy, size);
    if (trust_init(&trust, line, NULL) == 0)
        CHECK(trust.nnets <= TRUST_NETS_MAX);
    trust_fini(&trust);
    CHECK(trust_init(&trust, slice_of("10.0.0.0/8,::1"), NULL) == 0);
    if (memchr(copy, '\0', size) == NULL) {
        read_line(hops_add_list, &trust, line);
        read_line(hops_add_forwarded, &trust, line);
    }
    trust_fini(&trust);
    free(copy);
    return 0;
}
