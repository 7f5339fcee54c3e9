/* SPDX-License-Identifier: MIT */
/* http/status.c — see status.h for the contract. */
#include "http/status.h"

#include <stdio.h> /* snprintf */

#include "base/compiler.h" /* COUNT */
#include "base/err.h"      /* enum err */
#include "base/narrow.h"

/* RFC 9110 15 and the IANA registry of status codes. */
#define STATUS_LIST(STATUS)                                                            \
    STATUS(100, "Continue")                                                            \
    STATUS(101, "Switching Protocols")                                                 \
    STATUS(102, "Processing")                                                          \
    STATUS(103, "Early Hints")                                                         \
    STATUS(200, "OK")                                                                  \
    STATUS(201, "Created")                                                             \
    STATUS(202, "Accepted")                                                            \
    STATUS(203, "Non-Authoritative Information")                                       \
    STATUS(204, "No Content")                                                          \
    STATUS(205, "Reset Content")                                                       \
    STATUS(206, "Partial Content")                                                     \
    STATUS(207, "Multi-Status")                                                        \
    STATUS(208, "Already Reported")                                                    \
    STATUS(226, "IM Used")                                                             \
    STATUS(300, "Multiple Choices")                                                    \
    STATUS(301, "Moved Permanently")                                                   \
    STATUS(302, "Found")                                                               \
    STATUS(303, "See Other")                                                           \
    STATUS(304, "Not Modified")                                                        \
    STATUS(305, "Use Proxy")                                                           \
    STATUS(307, "Temporary Redirect")                                                  \
    STATUS(308, "Permanent Redirect")                                                  \
    STATUS(400, "Bad Request")                                                         \
    STATUS(401, "Unauthorized")                                                        \
    STATUS(402, "Payment Required")                                                    \
    STATUS(403, "Forbidden")                                                           \
    STATUS(404, "Not Found")                                                           \
    STATUS(405, "Method Not Allowed")                                                  \
    STATUS(406, "Not Acceptable")                                                      \
    STATUS(407, "Proxy Authentication Required")                                       \
    STATUS(408, "Request Timeout")                                                     \
    STATUS(409, "Conflict")                                                            \
    STATUS(410, "Gone")                                                                \
    STATUS(411, "Length Required")                                                     \
    STATUS(412, "Precondition Failed")                                                 \
    STATUS(413, "Content Too Large")                                                   \
    STATUS(414, "URI Too Long")                                                        \
    STATUS(415, "Unsupported Media Type")                                              \
    STATUS(416, "Range Not Satisfiable")                                               \
    STATUS(417, "Expectation Failed")                                                  \
    STATUS(421, "Misdirected Request")                                                 \
    STATUS(422, "Unprocessable Content")                                               \
    STATUS(423, "Locked")                                                              \
    STATUS(424, "Failed Dependency")                                                   \
    STATUS(425, "Too Early")                                                           \
    STATUS(426, "Upgrade Required")                                                    \
    STATUS(428, "Precondition Required")                                               \
    STATUS(429, "Too Many Requests")                                                   \
    STATUS(431, "Request Header Fields Too Large")                                     \
    STATUS(451, "Unavailable For Legal Reasons")                                       \
    STATUS(500, "Internal Server Error")                                               \
    STATUS(501, "Not Implemented")                                                     \
    STATUS(502, "Bad Gateway")                                                         \
    STATUS(503, "Service Unavailable")                                                 \
    STATUS(504, "Gateway Timeout")                                                     \
    STATUS(505, "HTTP Version Not Supported")                                          \
    STATUS(506, "Variant Also Negotiates")                                             \
    STATUS(507, "Insufficient Storage")                                                \
    STATUS(508, "Loop Detected")                                                       \
    STATUS(511, "Network Authentication Required")

#define STATUS_FIRST 100
#define STATUS_LAST 511

static const struct slice lines[STATUS_LAST - STATUS_FIRST + 1] = {
#define STATUS_LINE(code, reason)                                                      \
    [code - STATUS_FIRST] = {#code " " reason, sizeof #code " " reason - 1},
    STATUS_LIST(STATUS_LINE)
#undef STATUS_LINE
};

struct slice
status_line(int code)
{
    if (code < STATUS_FIRST || code > STATUS_LAST)
        return slice_new(NULL, 0);
    return lines[code - STATUS_FIRST];
}

/* An error that is not listed gets no response: the peer has disconnected, was idle,
 * already has its response, or the error occurs before there is a peer. */
static const uint16_t answers[ERR_POSITIVE_END] = {
    [-ERR_EOF] = 400,
    [-ERR_TLS_PLAIN] = 400,
    [-ERR_TLS_UNEXPECTED] = 400,
    [-ERR_PROXY] = 400,
    [-ERR_REQUEST_LINE] = 400,
    [-ERR_METHOD] = 400,
    [-ERR_TARGET] = 400,
    [-ERR_BARE_CR] = 400,
    [-ERR_BARE_LF] = 400,
    [-ERR_FIELD_NAME] = 400,
    [-ERR_FIELD_VALUE] = 400,
    [-ERR_FIELD_FOLDED] = 400,
    [-ERR_HOST_MISSING] = 400,
    [-ERR_HOST_REPEATED] = 400,
    [-ERR_HOST_DIFFERENT] = 400,
    [-ERR_HOST_MALFORMED] = 400,
    [-ERR_CONTENT_LENGTH] = 400,
    [-ERR_CONTENT_LENGTH_REPEATED] = 400,
    [-ERR_LENGTH_AND_ENCODING] = 400,
    [-ERR_TRANSFER_ENCODING] = 400,
    [-ERR_ENCODING_IN_1_0] = 400,
    [-ERR_CHUNK_SIZE] = 400,
    [-ERR_CHUNK_DATA] = 400,
    [-ERR_CHUNK_OVERHEAD] = 400,
    [-ERR_TRAILER] = 400,
    [-ERR_BODY_CODING] = 400,
    [-ERR_SCHEME] = 400,
    [-ERR_WS_HANDSHAKE] = 400,
    [-ERR_METHOD_REFUSED] = 405,
    [-ERR_HEAD_TIMEOUT] = 408,
    [-ERR_BODY_TIMEOUT] = 408,
    [-ERR_BODY_TOO_SLOW] = 408,
    [-ERR_BODY_TOO_LARGE] = 413,
    [-ERR_BODY_DECODED] = 413,
    [-ERR_TARGET_TOO_LONG] = 414,
    [-ERR_EXPECTATION] = 417,
    [-ERR_WS_VERSION] = 426,
    [-ERR_WT_SESSIONS] = 429,
    [-ERR_HEAD_TOO_LARGE] = 431,
    [-ERR_TOO_MANY_FIELDS] = 431,
    [-ERR_TRAILER_TOO_LARGE] = 431,
    [-ERR_TOO_MANY_TRAILERS] = 431,
    [-ERR_NOMEM] = 500,
    [-ERR_APP_FAILED] = 500,
    [-ERR_APP_INCOMPLETE] = 500,
    [-ERR_RESPONSE_STATUS] = 500,
    [-ERR_RESPONSE_FIELD_NAME] = 500,
    [-ERR_RESPONSE_FIELD_VALUE] = 500,
    [-ERR_RESPONSE_TRAILER] = 500,
    [-ERR_RESPONSE_LENGTH] = 500,
    [-ERR_RESPONSE_TOO_LONG] = 500,
    [-ERR_RESPONSE_TOO_SHORT] = 500,
    [-ERR_METHOD_UNKNOWN] = 501,
    [-ERR_TRANSFER_CODING_UNKNOWN] = 501,
    [-ERR_PROTOCOL_UNKNOWN] = 501,
    [-ERR_FD_LIMIT] = 503,
    [-ERR_CONNECTION_LIMIT] = 503,
    [-ERR_SHUTDOWN] = 503,
    [-ERR_OVERLOAD] = 503,
    [-ERR_DECODERS] = 503,
    [-ERR_VERSION] = 505,
};

struct slice
status_refusal(int status, int err, char *room)
{
    struct slice reason = slice_skip(status_line(status), 4);
    int n = snprintf(room, STATUS_REFUSAL_BYTES, "%.*s%s%s\n", narrow_len(reason.len),
                     reason.ptr, err != 0 ? ": " : "", err != 0 ? err_text(err) : "");

    return slice_new(room, narrow_size(n));
}

int
status_of_err(int err)
{
    if (err >= 0 || err <= -ERR_POSITIVE_END)
        return 0;
    return answers[-err];
}
