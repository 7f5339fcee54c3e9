/* SPDX-License-Identifier: MIT */
/* http/limits.h — every number that a peer can reach, with its unit and default.
 * docs/LIMITS.md describes what a peer sees when it exceeds one. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t */

/* Water marks and buffer sizes that are not configurable. 64 KiB of content and their
 * framing leave in one write. */
#define HTTP_OUT_HIGH_BYTES (72u * 1024) /* unsent output above this: send() waits */
#define HTTP_OUT_LOW_BYTES (16u * 1024)  /* ... and continues below this */
#define HTTP_OUT_HELD_BYTES                                                            \
    (16u * 1024) /* maximum of a body that waits for its length to be known */
#define HTTP_DROPPED_BYTES                                                             \
    (512u * 1024) /* sent but discarded: then send() waits for a turn */
#define HTTP_IN_HIGH_BYTES (64u * 1024) /* unused input above this: reading stops */
#define HTTP_BODY_GRACE_MS                                                             \
    30000u                 /* body_rate is not checked earlier if body_stall_ms is 0 */
#define HTTP_HEAD_TURNS 3u /* maximum that a head waits for its body's first bytes */

/* The configurable limits. The comments state where 0 disables a limit. */
struct http_limits {
    uint32_t request_line_bytes; /* 16384; method, target and version, without CR LF */
    uint32_t head_bytes;         /* 65536; request line, fields and the empty line */
    uint32_t fields;             /* 128; field lines of one head */
    uint32_t trailer_bytes;      /* 8192; all trailer lines of one chunked body */
    uint32_t trailer_fields;     /* 64; trailer lines of one chunked body */
    uint32_t chunk_overhead_bytes; /* 65536; bytes per second of chunk framing (sizes,
                                      extensions, line ends) beyond the number of body
                                      bytes */
    uint64_t body_bytes;           /* 0 = unlimited; bytes of one request body */
    uint32_t
        drain_bytes; /* 65536; unread body bytes that are discarded after a response, by
                        Content-Length; 0: those of a chunked body are not discarded
                        either */
    uint32_t connections; /* 16384; open connections of one worker */

    uint32_t head_ms;       /* 10000; from a head's first byte to its last, absolute */
    uint32_t keep_alive_ms; /* 5000; between a response and the next head's first byte,
                               and between accept and the first byte; 0: the connection
                               closes after each response */
    uint32_t body_stall_ms; /* 30000; without a byte of a body that is being waited for;
                               0 off */
    uint32_t body_rate;     /* 256; bytes/s at which a body must arrive, averaged from
                               its start and checked after body_stall_ms have passed, or
                               HTTP_BODY_GRACE_MS if that is 0; 0 off */
    uint32_t send_stall_ms; /* 30000; without the peer accepting a byte of pending
                               output; 0 off */
    uint32_t linger_ms;     /* 2000; for the peer to read a rejection and close */
    uint32_t disconnect_ms; /* 1000; for a handler to end a response that has begun,
                               after its peer has disconnected; 0 off */
    uint32_t queue_ms;      /* 0 = as long as clients wait; maximum wait of a request
                               for its turn (server/overload.h) */
    uint32_t handshake_ms;  /* 10000; from accept to the end of the TLS handshake */
    uint32_t handshakes;    /* 0 = unlimited; TLS connections accepted per second */

    /* HTTP/2, of one connection; http2/guard.h has the limits that are not
     * configurable. */
    uint32_t h2_streams;      /* 128; open at once */
    uint32_t h2_window_bytes; /* 131072; of a stream's body that is not received yet */
    uint32_t h2_connection_window_bytes; /* 1048576; in transit for all streams */
    uint32_t h2_frame_bytes;             /* 16384; payload of one frame */
    uint32_t h2_table_bytes;             /* 4096; of fields that a peer may refer to */
    uint32_t h2_resets; /* 400; streams reset at once before their response was sent; a
                           quarter of that is added per second; 0 = unlimited */
    uint32_t h2_output_bytes; /* 1048576; of responses in memory that the peer has not
                                 accepted, of all streams */
    /* HTTP/3, of one connection. */
    uint32_t h3_streams;      /* 128; open at once */
    uint32_t h3_window_bytes; /* 131072; of a stream's body that is not received yet */
    uint32_t h3_connection_window_bytes; /* 1048576; in transit for all streams */
    uint32_t
        h3_send_bytes;  /* 2097152; of responses that were sent and that the peer has
                               not acknowledged, of all streams */
    uint32_t h3_resets; /* 400; as h2_resets */
    uint32_t h3_memory_bytes; /* 4194304; of what is known of its packets and streams,
                                 beyond the windows above */
    uint32_t h3_idle_ms;      /* 30000; without a packet of the peer */
    uint32_t h3_retry_from;   /* 256; unfinished handshakes of one worker from which new
                               clients must prove their address first */

    /* WebTransport, of one connection. */
    bool webtransport;     /* false; sessions are accepted */
    uint32_t wt_sessions;  /* 16; open at once */
    uint32_t wt_streams;   /* 128; unidirectional streams of the client that are open,
                              besides those of HTTP/3; others count as requests */
    uint32_t wt_datagrams; /* 64; that wait, in one direction of one session */
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
        .h3_streams = 128,                                                             \
        .h3_window_bytes = 131072,                                                     \
        .h3_connection_window_bytes = 1048576,                                         \
        .h3_send_bytes = 2097152,                                                      \
        .h3_resets = 400,                                                              \
        .h3_memory_bytes = 4194304,                                                    \
        .h3_idle_ms = 30000,                                                           \
        .h3_retry_from = 256,                                                          \
        .webtransport = false,                                                         \
        .wt_sessions = 16,                                                             \
        .wt_streams = 128,                                                             \
        .wt_datagrams = 64,                                                            \
    })

/* Returns how long unread bytes are discarded after a last response, so that a client
 * that sends first and reads afterwards still gets it; limits->linger_ms without a byte
 * end this earlier. */
static inline uint32_t
http_linger_most_ms(const struct http_limits *limits)
{
    return limits->body_stall_ms != 0 ? limits->body_stall_ms : HTTP_BODY_GRACE_MS;
}

#endif
