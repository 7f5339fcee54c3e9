/* SPDX-License-Identifier: MIT */
/* base/err.h — the one error enum of the engine.  Functions return 0 (or a count >= 0)
 * on success and one of these negative values on failure.  http/status.h maps values
 * to HTTP statuses. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h" /* MUST_USE */

/* ERR(name, text): `text` completes the sentence "refused: ..." or "closed: ..." in a
 * log line; it is one line, lower case, without a full stop. */
#define ERR_LIST(ERR)                                                                  \
    /* Not errors, but results. */                                                     \
    ERR(AGAIN, "more bytes are needed")                                                \
    ERR(EOF, "the peer has sent its last byte")                                        \
    /* The machine and the transport. */                                               \
    ERR(NOMEM, "out of memory")                                                        \
    ERR(IO, "an input or output error")                                                \
    ERR(FILE, "a file being sent was truncated, or cannot be read")                    \
    ERR(CLOSED, "the connection is closed")                                            \
    ERR(RESET, "the peer has reset the connection")                                    \
    ERR(ADDRESS, "not an address")                                                     \
    ERR(ADDRESS_IN_USE, "the address is in use")                                       \
    ERR(ADDRESS_DENIED, "no permission to use the address")                            \
    ERR(FD_LIMIT, "no file descriptor is left")                                        \
    ERR(CONNECTION_LIMIT, "too many connections")                                      \
    ERR(TLS, "a TLS error")                                                            \
    ERR(TLS_PLAIN, "plain HTTP on a port for HTTPS")                                   \
    ERR(TLS_UNEXPECTED, "TLS on a port for plain HTTP")                                \
    ERR(TLS_TIMEOUT, "the TLS handshake did not end in time")                          \
    ERR(PROXY, "a malformed PROXY header")                                             \
    ERR(PROXY_SENDER, "a PROXY port accepts only trusted proxies")                     \
    ERR(PROXY_TIMEOUT, "the PROXY header did not arrive in time")                      \
    ERR(TLS_CONFIG, "TLS settings that cannot be used")                                \
    ERR(LOG_FORMAT, "a log format that cannot be used")                                \
    /* A request head that is rejected. */                                             \
    ERR(REQUEST_LINE, "a malformed request line")                                      \
    ERR(METHOD, "a malformed method")                                                  \
    ERR(METHOD_UNKNOWN, "a method that is not in upper case")                          \
    ERR(METHOD_REFUSED, "a method that is not supported")                              \
    ERR(TARGET, "a malformed request target")                                          \
    ERR(TARGET_TOO_LONG, "a request line over the limit")                              \
    ERR(VERSION, "an unsupported HTTP version")                                        \
    ERR(BARE_CR, "a CR without LF in a head")                                          \
    ERR(BARE_LF, "an LF without CR in a head")                                         \
    ERR(FIELD_NAME, "a malformed field name")                                          \
    ERR(FIELD_VALUE, "a control character in a field value")                           \
    ERR(FIELD_FOLDED, "a folded field line")                                           \
    ERR(HEAD_TOO_LARGE, "a head over the limit")                                       \
    ERR(TOO_MANY_FIELDS, "more fields than the limit")                                 \
    ERR(HOST_MISSING, "no Host field")                                                 \
    ERR(HOST_REPEATED, "more than one Host field")                                     \
    ERR(HOST_DIFFERENT, "a Host field that names another host than :authority")        \
    ERR(HOST_MALFORMED, "a malformed Host field")                                      \
    ERR(CONTENT_LENGTH, "a malformed Content-Length")                                  \
    ERR(CONTENT_LENGTH_REPEATED, "more than one Content-Length field")                 \
    ERR(LENGTH_AND_ENCODING, "Transfer-Encoding together with Content-Length")         \
    ERR(TRANSFER_ENCODING, "a Transfer-Encoding that does not end in one chunked")     \
    ERR(TRANSFER_CODING_UNKNOWN, "an unknown transfer coding")                         \
    ERR(ENCODING_IN_1_0, "Transfer-Encoding in an HTTP/1.0 request")                   \
    ERR(EXPECTATION, "an expectation that cannot be met")                              \
    ERR(SCHEME, "a scheme that is neither http nor https")                             \
    ERR(PROTOCOL_UNKNOWN, "an unsupported :protocol")                                  \
    /* Violations of HTTP/2. */                                                        \
    ERR(H2, "a violation of HTTP/2")                                                   \
    ERR(H2_ENDED, "a frame of HTTP/2 on a stream that has ended")                      \
    ERR(H2_RESETS, "streams reset before their response, over --h2-max-resets")        \
    ERR(H2_FLOOD, "a flood of HTTP/2 frames")                                          \
    /* Violations of QUIC and HTTP/3. */                                               \
    ERR(QUIC, "a violation of QUIC")                                                   \
    ERR(H3, "a violation of HTTP/3")                                                   \
    ERR(H3_RESETS, "streams reset before their response, over --h3-max-resets")        \
    ERR(H3_FLOOD, "a flood of HTTP/3 frames")                                          \
    ERR(H3_MEMORY, "memory of an HTTP/3 connection, over --h3-max-memory")             \
    ERR(WT_SESSIONS, "sessions of WebTransport over --wt-max-sessions")                \
    ERR(WT_CAPSULE, "a malformed capsule in a session of WebTransport")                \
    ERR(WT_STREAM, "a stream of WebTransport on which nothing can be sent")            \
    /* A request body that is rejected. */                                             \
    ERR(CHUNK_SIZE, "a malformed chunk size")                                          \
    ERR(CHUNK_DATA, "chunk data that does not end in CR LF")                           \
    ERR(CHUNK_OVERHEAD, "chunk framing over the limit")                                \
    ERR(TRAILER, "a malformed trailer")                                                \
    ERR(TRAILER_TOO_LARGE, "trailers over the limit")                                  \
    ERR(TOO_MANY_TRAILERS, "more trailers than the limit")                             \
    ERR(BODY_TOO_LARGE, "a body over the limit")                                       \
    ERR(BODY_DECODED, "a compressed body over the limit")                              \
    ERR(BODY_CODING, "a body that is not valid in its content coding")                 \
    ERR(DECODERS, "too many compressed bodies at once")                                \
    /* A WebSocket that is rejected; ws_code_of_err returns the close code. */         \
    ERR(WS_HANDSHAKE, "a malformed WebSocket handshake")                               \
    ERR(WS_VERSION, "an unsupported WebSocket version")                                \
    ERR(WS_FRAME, "a malformed WebSocket frame")                                       \
    ERR(WS_UNMASKED, "a WebSocket frame without a mask")                               \
    ERR(WS_ORDER, "a WebSocket frame out of order")                                    \
    ERR(WS_CLOSE, "a malformed WebSocket close frame")                                 \
    ERR(WS_UTF8, "text that is not UTF-8")                                             \
    ERR(WS_DEFLATE, "compressed data that cannot be inflated")                         \
    ERR(WS_TOO_BIG, "a WebSocket message over the limit")                              \
    ERR(WS_FRAME_TOO_BIG, "a WebSocket frame over the limit")                          \
    ERR(WS_FRAGMENTS, "a WebSocket message in too many fragments")                     \
    ERR(WS_CONTROLS, "too many WebSocket control frames a second")                     \
    ERR(WS_PING_TIMEOUT, "no response to a WebSocket ping in time")                    \
    ERR(WS_CLOSE_CODE, "a WebSocket close code that may not be sent")                  \
    /* Timeouts. */                                                                    \
    ERR(HEAD_TIMEOUT, "the head did not arrive in time")                               \
    ERR(BODY_TIMEOUT, "the body stalled")                                              \
    ERR(BODY_TOO_SLOW, "the body arrived slower than the minimum rate")                \
    ERR(SEND_TIMEOUT, "the peer did not read in time")                                 \
    ERR(IDLE_TIMEOUT, "the connection was idle")                                       \
    ERR(SHUTDOWN, "the server is stopping")                                            \
    /* Overload. */                                                                    \
    ERR(OVERLOAD, "the request has waited too long for its turn")                      \
    /* Errors of the application. */                                                   \
    ERR(APP_FAILED, "the application failed before it responded")                      \
    ERR(APP_INCOMPLETE, "the application did not complete its response")               \
    ERR(RESPONSE_STATUS, "a response status that is not 200 to 599 or 1xx allowed")    \
    ERR(RESPONSE_FIELD_NAME, "a response field name that is not a token")              \
    ERR(RESPONSE_FIELD_VALUE, "a response field value with CR, LF or NUL")             \
    ERR(RESPONSE_TRAILER, "a response field that may not be a trailer")                \
    ERR(RESPONSE_LENGTH, "a malformed or repeated response Content-Length")            \
    ERR(RESPONSE_TOO_LONG, "more body than the response Content-Length")               \
    ERR(RESPONSE_TOO_SHORT, "less body than the response Content-Length")

enum err {
    ERR_NONE = 0,
#define ERR_COUNT_UP(name, text) ERR_POSITIVE_##name,
    ERR_LIST(ERR_COUNT_UP)
#undef ERR_COUNT_UP
        ERR_POSITIVE_END,
#define ERR_NEGATE(name, text) ERR_##name = -ERR_POSITIVE_##name,
    ERR_LIST(ERR_NEGATE)
#undef ERR_NEGATE
};

/* Returns the text of `err`; a static string, never NULL. */
const char *err_text(int err);

/* Converts an errno value: EAGAIN and EWOULDBLOCK to ERR_AGAIN, EPIPE, ECONNRESET
 * and ETIMEDOUT to ERR_RESET, ENOMEM and ENOBUFS to ERR_NOMEM, EMFILE and ENFILE to
 * ERR_FD_LIMIT, EADDRINUSE to ERR_ADDRESS_IN_USE, EACCES and EPERM to
 * ERR_ADDRESS_DENIED, EADDRNOTAVAIL to ERR_ADDRESS, anything else to ERR_IO. */
MUST_USE int err_from_errno(int number);

#endif
