/* SPDX-License-Identifier: MIT */
/* ws/extension.h — permessage-deflate as it is offered and agreed in a handshake (RFC 7692
 * 7.1).  What is agreed is done by ws/deflate.h. */
#ifndef WS_EXTENSION_H
#define WS_EXTENSION_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t */

#include "base/slice.h" /* struct slice */
#include "http/head.h"  /* struct http_head */

#define WS_BITS_MIN 9          /* zlib has no raw stream with a window of 8 bits */
#define WS_BITS_MAX 15         /* 32 KiB */
#define WS_EXTENSION_BYTES 160 /* the longest extension text of an answer */
#define WS_EXTENSION_OFFERS_MAX                                                        \
    16 /* offers looked at in one request; more are ignored */

/* What the user wants.  Bits are the base 2 logarithm of an LZ77 window in bytes. */
struct ws_deflate_config {
    bool is_on;
    uint8_t server_bits;  /* 12; WS_BITS_MIN to WS_BITS_MAX, for what is sent */
    uint8_t client_bits;  /* 12; likewise, for what comes, where the client lets us */
    bool server_takeover; /* false; keep a window per WebSocket for what is sent */
    bool client_takeover; /* false; keep one for what comes */
    uint8_t level;        /* 1; 1 to 9, zlib's compression level */
    uint8_t mem_level;    /* 5; 1 to 9, zlib's memLevel: 2^(level+9) bytes */
    uint32_t threshold_bytes; /* 256; shorter messages are sent as they are */
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

/* What was agreed for one WebSocket. */
struct ws_deflate_params {
    bool is_on;           /* false: nothing was, the rest is 0 */
    bool server_takeover; /* what we send may refer to earlier messages */
    bool client_takeover; /* what comes may refer to earlier messages */
    uint8_t server_bits;  /* WS_BITS_MIN to WS_BITS_MAX */
    uint8_t client_bits;  /* 8 to WS_BITS_MAX */
};

/* Looks through the offers in `head`, in order, for the first that `config` can meet.  An
 * offer that is malformed, or has a parameter that is unknown, repeated or out of range,
 * is passed over (7.1).  Returns the value of the answer's Sec-WebSocket-Extensions field,
 * written to out[0, WS_EXTENSION_BYTES), with *params filled; empty when nothing is
 * agreed, and params->is_on is false then. */
struct slice ws_extension_agree(const struct http_head *head,
                                const struct ws_deflate_config *config,
                                struct ws_deflate_params *params, char *out);

#endif
