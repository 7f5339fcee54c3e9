/* SPDX-License-Identifier: MIT */
/* http/trust.c — see trust.h for the contract. */
#include "http/trust.h"

#include <arpa/inet.h> /* inet_pton */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "http/field.h"

#define MAPPED_BITS 96u /* of the network into which IPv4 is mapped */

static void
set_mapped(uint8_t out[16], const uint8_t bytes[4])
{
    static const uint8_t network[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(out, network, sizeof network);
    memcpy(out + sizeof network, bytes, 4);
}

/* Reads an address; *most becomes the number of bits of an address of its kind. */
static bool
trust_read_address(struct slice text, struct trust_net *net, unsigned *most)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[4];

    if (text.len == 0 || text.len >= sizeof copy ||
        memchr(text.ptr, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *most = 128;
    if (inet_pton(AF_INET6, copy, net->bytes) == 1)
        return true;
    *most = 32;
    if (inet_pton(AF_INET, copy, bytes) != 1)
        return false;
    set_mapped(net->bytes, bytes);
    return true;
}

static bool
read_net(struct slice text, struct trust_net *net)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    size_t n = slash != NULL ? (size_t)(slash - text.ptr) : text.len;
    unsigned most;
    uint64_t bits;

    if (!trust_read_address(slice_first(text, n), net, &most))
        return false;
    bits = most;
    if (slash != NULL &&
        (!field_to_number(slice_skip(text, n + 1), &bits) || bits > most))
        return false;
    net->bits = narrow_u8(most == 32 ? MAPPED_BITS + bits : bits);
    return true;
}

static int
trust_add(struct trust *trust, struct slice element)
{
    if (slice_equal(element, slice_of("*"))) {
        trust->everyone = true;
        return 0;
    }
    if (slice_equal_folded(element, slice_of("unix"))) {
        trust->sockets = true;
        return 0;
    }
    if (trust->nnets == TRUST_NETS_MAX ||
        !read_net(element, &trust->nets[trust->nnets]))
        return ERR_ADDRESS;
    trust->nnets++;
    return 0;
}

int
trust_init(struct trust *trust, struct slice text, struct slice *wrong)
{
    struct slice element;
    size_t n = 1;

    *trust = (struct trust){0};
    for (size_t i = 0; i < text.len && n < TRUST_NETS_MAX; i++)
        n += text.ptr[i] == ',';
    trust->nets = mem_calloc(n, sizeof *trust->nets);
    if (trust->nets == NULL)
        return ERR_NOMEM;
    while (field_list_next(&text, &element)) {
        int err = trust_add(trust, element);
        if (err == 0)
            continue;
        if (wrong != NULL)
            *wrong = element;
        return err;
    }
    return 0;
}

void
trust_fini(struct trust *trust)
{
    mem_free(trust->nets);
    *trust = (struct trust){0};
}

static bool
agree(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool
trust_names(const struct trust *trust, const struct peer_addr *addr)
{
    uint8_t bytes[16];

    if (addr->kind == PEER_NONE)
        return false;
    if (addr->kind == PEER_IPV4)
        set_mapped(bytes, addr->bytes);
    else
        memcpy(bytes, addr->bytes, sizeof bytes);
    /* "::/0" is all of IPv6, and no IPv4. */
    unsigned least = addr->kind == PEER_IPV4 ? MAPPED_BITS : 0;
    for (uint32_t i = 0; i < trust->nnets; i++) {
        const struct trust_net *net = &trust->nets[i];
        if (net->bits >= least && agree(net->bytes, bytes, net->bits))
            return true;
    }
    return false;
}

bool
trust_peer(const struct trust *trust, const struct peer_addr *addr)
{
    if (trust->everyone)
        return true;
    return addr->kind == PEER_NONE ? trust->sockets : trust_names(trust, addr);
}
