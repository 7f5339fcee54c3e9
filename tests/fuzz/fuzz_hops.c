/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_hops.c — any bytes as X-Forwarded-For, as Forwarded and as a list
 * of trusted networks. One line and its elements on separate lines have the same
 * meaning; the client is never one of our proxies unless all elements after it are;
 * nothing before what a proxy appends changes the meaning of that. */
#include <stdint.h> /* uint8_t */
#include <stdlib.h> /* malloc, free */

#include "http/field.h"
#include "http/hops.h"
#include "check.h"

typedef void walk_line(struct hops *hops, const struct trust *trust, struct slice line);

static void
check(const struct hops *hops, const struct trust *trust)
{
    CHECK(hops->has_client == (hops->n > 0));
    CHECK(!hops->has_client || hops->behind == hops->n - 1);
    CHECK(!(hops->is_known && hops->is_hidden));
    CHECK(hops->is_known == (hops->client.kind != PEER_NONE));
    if (hops->has_client && !hops->is_over)
        CHECK(hops->is_known && trust_names(trust, &hops->client));
}

/* Reads the elements of `line` one by one, from the last. */
static void
walk_elements(walk_line *walk, const struct trust *trust, struct slice line,
              struct hops *hops)
{
    struct slice rest = line, element;

    if (!field_list_next(&rest, &element))
        return;
    walk_elements(walk, trust, rest, hops);
    walk(hops, trust, element);
}

static void
read_line(walk_line *walk, const struct trust *trust, struct slice line,
          const char *appended)
{
    struct hops hops = {0}, again = {0}, behind = {0};
    struct slice own = slice_of(appended);

    walk(&hops, trust, line);
    check(&hops, trust);
    if (line.len < 2048 && memchr(line.ptr, '"', line.len) == NULL) {
        walk_elements(walk, trust, line, &again);
        CHECK(again.n == hops.n && again.behind == hops.behind);
        CHECK(again.is_hidden == hops.is_hidden);
        CHECK(peer_addr_equal(&again.client, &hops.client));
    }
    char *joined = malloc(line.len + own.len);
    CHECK(joined != NULL);
    memcpy(joined, line.ptr, line.len);
    memcpy(joined + line.len, own.ptr, own.len);
    walk(&behind, trust, slice_new(joined, line.len + own.len));
    CHECK(behind.is_known && behind.is_over && behind.n == 1);
    CHECK(behind.client.bytes[0] == 203 && behind.client.port == 7);
    free(joined);
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
        read_line(hops_walk_list, &trust, line, ", 203.0.113.9:7");
        read_line(hops_walk_forwarded, &trust, line, ", for=\"203.0.113.9:7\"");
    }
    trust_fini(&trust);
    free(copy);
    return 0;
}
