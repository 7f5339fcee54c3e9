/* SPDX-License-Identifier: MIT */
/* http/field.h — field names and values of RFC 9110 5: which bytes are valid, and the
 * known names, each with a number. */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

/* FIELD(identifier, "name in lower case"): first the names that the engine itself
 * reads, then those that are in nearly every request or response. */
#define FIELD_LIST(FIELD)                                                              \
    FIELD(HOST, "host")                                                                \
    FIELD(CONTENT_LENGTH, "content-length")                                            \
    FIELD(TRANSFER_ENCODING, "transfer-encoding")                                      \
    FIELD(CONNECTION, "connection")                                                    \
    FIELD(EXPECT, "expect")                                                            \
    FIELD(UPGRADE, "upgrade")                                                          \
    FIELD(TE, "te")                                                                    \
    FIELD(TRAILER, "trailer")                                                          \
    FIELD(KEEP_ALIVE, "keep-alive")                                                    \
    FIELD(DATE, "date")                                                                \
    FIELD(SERVER, "server")                                                            \
    FIELD(USER_AGENT, "user-agent")                                                    \
    FIELD(ACCEPT, "accept")                                                            \
    FIELD(ACCEPT_ENCODING, "accept-encoding")                                          \
    FIELD(ACCEPT_LANGUAGE, "accept-language")                                          \
    FIELD(AUTHORIZATION, "authorization")                                              \
    FIELD(CACHE_CONTROL, "cache-control")                                              \
    FIELD(CONTENT_TYPE, "content-type")                                                \
    FIELD(CONTENT_ENCODING, "content-encoding")                                        \
    FIELD(COOKIE, "cookie")                                                            \
    FIELD(DNT, "dnt")                                                                  \
    FIELD(FORWARDED, "forwarded")                                                      \
    FIELD(IF_MATCH, "if-match")                                                        \
    FIELD(IF_MODIFIED_SINCE, "if-modified-since")                                      \
    FIELD(IF_NONE_MATCH, "if-none-match")                                              \
    FIELD(ORIGIN, "origin")                                                            \
    FIELD(PRAGMA, "pragma")                                                            \
    FIELD(PRIORITY, "priority")                                                        \
    FIELD(RANGE, "range")                                                              \
    FIELD(REFERER, "referer")                                                          \
    FIELD(SEC_CH_UA, "sec-ch-ua")                                                      \
    FIELD(SEC_CH_UA_MOBILE, "sec-ch-ua-mobile")                                        \
    FIELD(SEC_CH_UA_PLATFORM, "sec-ch-ua-platform")                                    \
    FIELD(SEC_FETCH_DEST, "sec-fetch-dest")                                            \
    FIELD(SEC_FETCH_MODE, "sec-fetch-mode")                                            \
    FIELD(SEC_FETCH_SITE, "sec-fetch-site")                                            \
    FIELD(SEC_FETCH_USER, "sec-fetch-user")                                            \
    FIELD(SEC_WEBSOCKET_EXTENSIONS, "sec-websocket-extensions")                        \
    FIELD(SEC_WEBSOCKET_KEY, "sec-websocket-key")                                      \
    FIELD(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol")                            \
    FIELD(SEC_WEBSOCKET_VERSION, "sec-websocket-version")                              \
    FIELD(TRACEPARENT, "traceparent")                                                  \
    FIELD(UPGRADE_INSECURE_REQUESTS, "upgrade-insecure-requests")                      \
    FIELD(VIA, "via")                                                                  \
    FIELD(X_FORWARDED_FOR, "x-forwarded-for")                                          \
    FIELD(X_FORWARDED_HOST, "x-forwarded-host")                                        \
    FIELD(X_FORWARDED_PORT, "x-forwarded-port")                                        \
    FIELD(X_FORWARDED_PREFIX, "x-forwarded-prefix")                                    \
    FIELD(X_FORWARDED_PROTO, "x-forwarded-proto")                                      \
    FIELD(X_REAL_IP, "x-real-ip")                                                      \
    FIELD(X_REQUEST_ID, "x-request-id")                                                \
    FIELD(X_REQUEST_START, "x-request-start")                                          \
    FIELD(X_REQUESTED_WITH, "x-requested-with")

enum field_id {
    FIELD_OTHER = 0, /* not in the list */
#define FIELD_ENUM(id, name) FIELD_##id,
    FIELD_LIST(FIELD_ENUM)
#undef FIELD_ENUM
        FIELD_END, /* one more than the largest number */
};

/* One field line. Both slices are borrowed from the memory that holds the line. */
struct http_field {
    struct slice name;  /* as sent, a token */
    struct slice value; /* without leading and trailing white space */
    enum field_id id;   /* FIELD_OTHER if the name is unknown, or was not looked up */
};

/* Returns the number of `name`, in any case; FIELD_OTHER if it is not in the list. */
enum field_id field_lookup(struct slice name);

/* Returns the name of `id` in lower case, FIELD_OTHER < id < FIELD_END; static. */
struct slice field_name(enum field_id id);

/* Returns how many bytes at the start of p[0, n) are token bytes (RFC 9110 5.6.2). */
size_t token_span(const char *p, size_t n);

/* Returns how many bytes at the start of p[0, n) are allowed in a field value: tab,
 * 0x20-0x7E and 0x80-0xFF (RFC 9110 5.5). */
size_t field_value_span(const char *p, size_t n);

/* Returns whether `byte` is allowed in a token (RFC 9110 5.6.2). */
bool is_token_byte(unsigned char byte);

/* Returns whether `s` is a token: not empty, and only token bytes. */
bool is_token(struct slice s);

/* Returns whether `s` may be sent as a field value: no CR, LF or NUL, and no other
 * control character except tab (RFC 9110 5.5). */
bool is_field_value(struct slice s);

/* Removes the next element of a comma-separated list from the front of `rest` (RFC
 * 9110 5.6.1), trimmed; empty elements are skipped. Quoted strings are not
 * recognized: the lists that the engine reads consist of tokens. Returns false if
 * there is none left. */
MUST_USE bool field_list_next(struct slice *rest, struct slice *element);

/* Whether the list has `lower`, a token in lower case, as an element in any case. */
bool field_list_has(struct slice list, const char *lower);

/* Returns whether `name` is, in any case, one of `n` names in lower case. For names that
 * field_lookup() does not know; it is linear. */
bool field_is_one_of(struct slice name, const char *const *lower, size_t n);

/* Reads decimal digits only; returns false if `s` is empty, has any other byte, or does
 * not fit into 63 bits. */
MUST_USE bool field_to_number(struct slice s, uint64_t *number);

#endif
