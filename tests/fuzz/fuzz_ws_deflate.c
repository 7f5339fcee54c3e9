/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_ws_deflate.c — any bytes as the compressed messages of a
 * WebSocket. A message that inflates is not longer than the limit, is the same with a
 * window that is kept for its first message and with a shared one, in slices of any
 * size, and is unchanged after compressing it again; one that does not inflate leaves
 * nothing allocated.
 *
 * The first byte has the options, the second the limit; then come messages, each
 * preceded by a byte with its length. */
#include <stdint.h> /* uint8_t */
#include <string.h> /* memcmp */

#include "../c/ws_unpack.h"
#include "check.h"

#define MESSAGES_MAX 8

struct end {
    struct ws_spares spares;
    struct ws_deflate_config config;
    struct ws_deflate_pool pool;
    struct ws_deflate deflate;
};

static void
end_init(struct end *end, const struct ws_deflate_params *params)
{
    *end = (struct end){.config = WS_DEFLATE_CONFIG_DEFAULT, .deflate.params = *params};
    ws_deflate_pool_init(&end->pool, &end->config, &end->spares);
}

static void
end_fini(struct end *end)
{
    ws_deflate_fini(&end->deflate, &end->pool);
    ws_deflate_pool_fini(&end->pool);
    ws_spares_fini(&end->spares);
}

static int
unpack(struct end *end, struct slice in, size_t limit, size_t room,
       struct ws_bytes *out)
{
    int err = unpack_message(&end->deflate, &end->pool, in, limit, room, out);
    CHECK(end->pool.nlent == 0 && end->deflate.unpacking == NULL);
    CHECK(err == 0 || err == ERR_WS_TOO_BIG || err == ERR_WS_DEFLATE);
    CHECK(out->len <= limit && out->len <= out->cap);
    CHECK(err == 0 || (out->ptr == NULL && out->cap == 0));
    return err;
}

/* What `sender` compresses, `receiver` inflates to the same. */
static void
check_again(struct end *sender, struct end *receiver, struct slice message)
{
    struct ws_bytes packed = {0}, again;

    CHECK(ws_deflate_pack(&sender->deflate, &sender->pool, message, &packed) == 0);
    CHECK(packed.len > 0);
    CHECK(unpack(receiver, ws_bytes_slice(&packed), 1u << 20, 100, &again) == 0);
    CHECK(slice_equal(ws_bytes_slice(&again), message));
    ws_bytes_give(&again, &receiver->spares);
    ws_bytes_give(&packed, &sender->spares);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint8_t bits = (uint8_t)(WS_BITS_MIN + (data[0] >> 4) % 7);
    bool keeps = (data[0] & 1) != 0;
    size_t limit = (size_t)data[1] * data[1];
    const struct ws_deflate_params kept = {
        .is_on = true,
        .server_takeover = keeps,
        .client_takeover = keeps,
        .server_bits = bits,
        .client_bits = bits,
    };
    /* As wide as the shared window, so that the same references are too far. */
    struct ws_deflate_params alone = {
        .is_on = true, .server_bits = bits, .client_bits = WS_BITS_MAX};
    struct ws_deflate_params first = alone;
    struct end peer, other, once, sender;

    first.client_takeover = true;
    end_init(&peer, &kept);
    end_init(&other, &alone);
    end_init(&once, &first);
    end_init(&sender, &kept);
    struct end receiver;
    end_init(&receiver, &kept);
    data += 2;
    size -= 2;
    for (int i = 0; i < MESSAGES_MAX && size > 0; i++) {
        size_t n = data[0] < size - 1 ? data[0] : size - 1;
        struct slice in = slice_new((const char *)data + 1, n);
        struct ws_bytes a, b, c;

        int shared = unpack(&other, in, limit, WS_UNPACK_OUT_BYTES, &b);
        if (i == 0) {
            CHECK(unpack(&once, in, limit, 1 + limit % 7, &c) == shared);
            CHECK(slice_equal(ws_bytes_slice(&b), ws_bytes_slice(&c)));
            ws_bytes_give(&c, &once.spares);
        }
        int err = unpack(&peer, in, limit, 300, &a);
        if (err == 0)
            check_again(&sender, &receiver, ws_bytes_slice(&a));
        ws_bytes_give(&a, &peer.spares);
        ws_bytes_give(&b, &other.spares);
        if (err != 0)
            break; /* a kept window is of no use any more */
        data += 1 + n;
        size -= 1 + n;
    }
    end_fini(&peer);
    end_fini(&other);
    end_fini(&once);
    end_fini(&sender);
    end_fini(&receiver);
    return 0;
}
