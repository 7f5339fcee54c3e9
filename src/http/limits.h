/* SPDX-License-Identifier: MIT */
/* http/limits.h — every number that a peer can reach, with its unit and default.
 * docs/LIMITS.md tells what a peer sees when it passes one. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stdint.h> /* uint32_t, uint64_t */

/* Water marks and pieces that are not configurable. */
#define HTTP_OUT_HIGH_BYTES (64u * 1024) /* unsent output above this: send() waits */
#define HTTP_OUT_LOW_BYTES (16u * 1024)  /* ... and goes on below this much */
#define HTTP_OUT_HELD_BYTES (16u * 1024) /* of a body wait for its length, no more */
#define HTTP_IN_HIGH_BYTES (64u * 1024)  /* unused input above this: no more reading */
#define HTTP_BODY_GRACE_MS                                                             \
    30000u                 /* body_rate is not looked at before, body_stall_ms 0 */
#define HTTP_HEAD_TURNS 3u /* a head waits for its body's first bytes, no more */

/* The configurable ones.  0 switches a limit off where the comment says so. */
struct http_limits {
    uint32_t request_line_bytes; /* 16384; method, target and version, without CR LF */
    uint32_t head_bytes;         /* 65536; request line, fields and the empty line */
    uint32_t fields;             /* 128; field lines of one head */
    uint32_t trailer_bytes;      /* 8192; all trailer lines of one chunked body */
    uint32_t trailer_fields;     /* 64; trailer lines of one chunked body */
    uint32_t chunk_overhead_bytes; /* 65536; chunk framing bytes (sizes, extensions,
                                      line ends) beyond the body bytes, in a second */
    uint64_t body_bytes;           /* 0 = unlimited; bytes of one request body */
    uint32_t
        drain_bytes; /* 65536; unread body bytes that are discarded after a response,
                             by Content-Length; 0: nor are those of a chunked body */
    uint32_t connections; /* 16384; open connections of one worker */

    uint32_t head_ms;       /* 10000; from a head's first byte to its last, absolute */
    uint32_t keep_alive_ms; /* 5000; between an answer and the next head's first byte,
                               and between accept and the first byte; 0 closes after
                               each answer */
    uint32_t body_stall_ms; /* 30000; without a byte of a body that is waited for; 0
                               off */
    uint32_t body_rate;     /* 256; bytes/s that a body must bring, averaged from its
                               start and looked at once body_stall_ms have passed, or
                               HTTP_BODY_GRACE_MS where those are off; 0 off */
    uint32_t send_stall_ms; /* 30000; without the peer taking a byte of waiting output;
                               0 off */
    uint32_t linger_ms;     /* 2000; for the peer to read a refusal and close */
    uint32_t
        disconnect_ms;     /* 1000; for a handler to end a response that has begun after
                               its peer has left; 0 off */
    uint32_t queue_ms;     /* 0 = as long as clients wait; for a request to wait for its
                              turn (server/overload.h) */
    uint32_t handshake_ms; /* 10000; from accept to the end of the TLS handshake */
    uint32_t handshakes;   /* 0 = unlimited; TLS connections accepted a second */

    /* HTTP/2, of one connection; http2/guard.h has what is not configurable. */
    uint32_t h2_streams;      /* 128; open at once */
    uint32_t h2_window_bytes; /* 131072; of a stream's body, not yet asked for */
    uint32_t h2_connection_window_bytes; /* 1048576; on their way for all streams */
    uint32_t h2_frame_bytes;             /* 16384; payload of one frame */
    uint32_t h2_table_bytes;             /* 4096; of fields that a peer may refer to */
    uint32_t h2_resets; /* 400; streams reset before their response was out, at once;
                           a quarter as many more a second; 0 = unlimited */
    uint32_t h2_output_bytes; /* 1048576; of responses in memory that the peer has not
                                 taken, of all streams */
};

/* The defaults above. */
#define HTTP_LIMITS_DEFAULT                                                            \
    ((struct http_limits){                                                             \
        .request_line_bytes = 16384,                                                   \
        .head_bytes = 65536,                                                           \
        .fields = 128,                                                                 \
        .trailer_bytes = 8192,                                                         \
        .trailer_fields = 64,                                                          \
        .chunk_overhead_bytes = 65536,                                                 \
        .body_bytes = 0,                                                               \
        .drain_bytes = 65536,                                                          \
        .connections = 16384,                                                          \
        .head_ms = 10000,                                                              \
        .keep_alive_ms = 5000,                                                         \
        .body_stall_ms = 30000,                                                        \
        .body_rate = 256,                                                              \
        .send_stall_ms = 30000,                                                        \
        .linger_ms = 2000,                                                             \
        .disconnect_ms = 1000,                                                         \
        .queue_ms = 0,                                                                 \
        .handshake_ms = 10000,                                                         \
        .handshakes = 0,                                                               \
        .h2_streams = 128,                                                             \
        .h2_window_bytes = 131072,                                                     \
        .h2_connection_window_bytes = 1048576,                                         \
        .h2_frame_bytes = 16384,                                                       \
        .h2_table_bytes = 4096,                                                        \
        .h2_resets = 400,                                                              \
        .h2_output_bytes = 1048576,                                                    \
    })

/* How long bytes that nobody reads are discarded behind a last response, so that a client
 * that sends first and reads then gets to see it; limits->linger_ms without a byte end it
 * sooner. */
static inline uint32_t
http_linger_most_ms(const struct http_limits *limits)
{
    return limits->body_stall_ms != 0 ? limits->body_stall_ms : HTTP_BODY_GRACE_MS;
}

#endif
