/* SPDX-License-Identifier: MIT */
/* ws/extension.h — the negotiation of permessage-deflate in a handshake (RFC 7692
 * 7.1). ws/deflate.h implements the result. */
#ifndef WS_EXTENSION_H
#define WS_EXTENSION_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t */

#include "base/slice.h" /* struct slice */
#include "http/head.h"  /* struct http_head */

#define WS_BITS_MIN 9          /* zlib has no raw stream with a window of 8 bits */
#define WS_BITS_MAX 15         /* 32 KiB */
#define WS_EXTENSION_BYTES 160 /* the longest extension text of a response */
#define WS_EXTENSION_OFFERS_MAX                                                        \
    16 /* offers examined in one request; further ones are ignored */

/* The configuration. Bits are the base 2 logarithm of an LZ77 window in bytes. */
struct ws_deflate_config {
    bool is_on;
    uint8_t server_bits;  /* 12; WS_BITS_MIN to WS_BITS_MAX, for messages sent */
    uint8_t client_bits;  /* 12; the same range, for messages received, if the client
                             allows it */
    bool server_takeover; /* false; keep a window per WebSocket for sending */
    bool client_takeover; /* false; keep a window per WebSocket for receiving */
    uint8_t level;        /* 1; 1 to 9, zlib's compression level */
    uint8_t mem_level;    /* 5; 1 to 9, zlib's memLevel: 2^(level+9) bytes */
    uint32_t threshold_bytes; /* 256; shorter messages are sent uncompressed */
};

/* The defaults above. */
#define WS_DEFLATE_CONFIG_DEFAULT                                                      \
    ((struct ws_deflate_config){                                                       \
        .is_on = true,                                                                 \
        .server_bits = 12,                                                             \
        .client_bits = 12,                                                             \
        .level = 1,                                                                    \
        .mem_level = 5,                                                                \
        .threshold_bytes = 256,                                                        \
    })

/* The negotiated parameters of one WebSocket. */
struct ws_deflate_params {
    bool is_on;           /* false: no compression, the rest is 0 */
    bool server_takeover; /* sent messages may refer to earlier ones */
    bool client_takeover; /* received messages may refer to earlier ones */
    uint8_t server_bits;  /* WS_BITS_MIN to WS_BITS_MAX */
    uint8_t client_bits;  /* 8 to WS_BITS_MAX */
};

/* Accepts the first offer in `head`, in order, that `config` can meet. Skips an
 * offer that is malformed or has a parameter that is unknown, repeated or out of
 * range (7.1). Returns the value of the response's Sec-WebSocket-Extensions field,
 * written to out[0, WS_EXTENSION_BYTES), and fills *params. If no offer is accepted,
 * returns an empty slice, and params->is_on is false. */
struct slice ws_extension_agree(const struct http_head *head,
                                const struct ws_deflate_config *config,
                                struct ws_deflate_params *params, char *out);

#endif
