/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_ws_handshake.c — any field lines as the handshake of a WebSocket.
 * The negotiated parameters lie within the configuration and are a valid field value;
 * each offered subprotocol may be accepted, and no other.
 *
 * The first byte has the configuration; then come lines "name: value\n". */
#include <stdint.h> /* uint8_t */
#include <stdlib.h> /* malloc, free */
#include <string.h> /* memcpy */

#include "../c/ws_head.h"
#include "base/err.h"
#include "ws/extension.h"
#include "ws/handshake.h"
#include "check.h"

/* The lines of the input that the head parser would accept: "name: value". */
static char *
lines_of(const uint8_t *data, size_t size)
{
    char *lines = malloc(size + 1), *at = lines;

    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t n = end != NULL ? (size_t)(end - data) : size;
        const uint8_t *colon = memchr(data, ':', n);
        bool is_good = end != NULL && colon != NULL && colon > data;
        for (size_t i = 0; is_good && i < n; i++)
            is_good = data[i] >= 0x20 || data[i] == '\t';
        if (is_good) {
            memcpy(at, data, n + 1);
            at += n + 1;
        }
        size_t used = end != NULL ? n + 1 : n;
        data += used;
        size -= used;
    }
    *at = '\0';
    return lines;
}

static void
check_extension(const struct http_head *head, unsigned byte)
{
    struct ws_deflate_config config = WS_DEFLATE_CONFIG_DEFAULT;
    struct ws_deflate_params params, again;
    char out[WS_EXTENSION_BYTES], out2[WS_EXTENSION_BYTES];

    config.is_on = (byte & 1) == 0;
    config.server_takeover = (byte & 2) != 0;
    config.client_takeover = (byte & 4) != 0;
    config.server_bits = (uint8_t)(WS_BITS_MIN + (byte >> 3) % 7);
    config.client_bits = (uint8_t)(WS_BITS_MIN + (byte >> 5) % 7);
    struct slice text = ws_extension_agree(head, &config, &params, out);
    CHECK(text.len <= WS_EXTENSION_BYTES && params.is_on == (text.len > 0));
    struct slice text2 = ws_extension_agree(head, &config, &again, out2);
    CHECK(slice_equal(text, text2));
    if (!params.is_on)
        return;
    CHECK(config.is_on);
    CHECK(params.server_bits >= WS_BITS_MIN &&
          params.server_bits <= config.server_bits);
    CHECK(params.client_bits >= 8 && params.client_bits <= WS_BITS_MAX);
    CHECK(config.server_takeover || !params.server_takeover);
    CHECK(config.client_takeover || !params.client_takeover);
    for (size_t i = 0; i < text.len; i++)
        CHECK(text.ptr[i] >= 0x20 && text.ptr[i] < 0x7F);
}

static void
check_subprotocols(const struct http_head *head)
{
    size_t n = ws_subprotocols_copy(head, NULL, 0), sum = 0;
    char *copy = malloc(n + 1);
    struct ws_subprotocols at = {0};
    struct slice name;

    CHECK(ws_subprotocols_copy(head, copy, n) == n);
    struct slice offers = slice_new(copy, n);
    while (ws_subprotocol_next(head, &at, &name)) {
        CHECK(name.len > 0 && ws_subprotocol_is_offered(offers, name));
        sum += name.len + 1;
    }
    CHECK(sum == n);
    CHECK(!ws_subprotocol_is_offered(offers, slice_of("")));
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *lines = lines_of(data + 1, size - 1);
    struct written_head written;
    struct http_head *head = write_head(&written, lines);
    char accept[WS_ACCEPT_BYTES + 1] = {0};

    enum ws_opening opening = ws_handshake_check(head, accept);
    CHECK(opening == WS_OPENING_GOOD ? strlen(accept) == WS_ACCEPT_BYTES
                                     : accept[0] == '\0');
    head->version = HTTP_1_0;
    CHECK(ws_handshake_check(head, accept) == WS_OPENING_NONE);
    head->version = HTTP_2;
    CHECK(ws_handshake_check(head, accept) <= WS_OPENING_BAD_VERSION);
    check_extension(head, data[0]);
    check_subprotocols(head);
    free(lines);
    return 0;
}
