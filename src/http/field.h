/* SPDX-License-Identifier: MIT */
/* http/field.h — field names and values by RFC 9110 5: which bytes are valid, and the
 * names that are known, each with a number. */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

/* FIELD(identifier, "name in lower case"): names that the engine itself looks at come
 * first, then those that nearly every request or answer carries. */
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
        FIELD_END, /* one more than the last number */
};

/* One field line.  Both slices are borrowed from wherever the line stands. */
struct http_field {
    struct slice name;  /* as sent, a token */
    struct slice value; /* without the white space around it */
    enum field_id id; /* FIELD_OTHER when the name is not known, or was not looked up */
};

/* The number of `name`, whatever the case of its letters; FIELD_OTHER when it is not in
 * the list. */
enum field_id field_lookup(struct slice name);

/* The name of `id` in lower case, FIELD_OTHER < id < FIELD_END; static. */
struct slice field_name(enum field_id id);

/* How many of the first bytes of p[0, n) are token bytes (RFC 9110 5.6.2). */
size_t token_span(const char *p, size_t n);

/* How many of the first bytes of p[0, n) may stand in a field value: tab, 0x20-0x7E and
 * 0x80-0xFF (RFC 9110 5.5). */
size_t field_value_span(const char *p, size_t n);

/* Whether `byte` may stand in a token (RFC 9110 5.6.2). */
bool is_token_byte(unsigned char byte);

/* Whether `s` is a token: not empty, token bytes only. */
bool is_token(struct slice s);

/* Whether `s` may be sent as a field value: no CR, LF or NUL, no other control
 * character but tab (RFC 9110 5.5). */
bool is_field_value(struct slice s);

/* Takes the next element of a comma separated list off the front of `rest` (RFC 9110
 * 5.6.1), trimmed, empty elements skipped.  Quoted strings are not looked into: the
 * lists that the engine reads hold tokens.  Returns false when there is none left. */
MUST_USE bool field_list_next(struct slice *rest, struct slice *element);

/* Reads decimal digits only; returns false when `s` is empty, has any other byte, or
 * does not fit into 63 bits. */
MUST_USE bool field_to_number(struct slice s, uint64_t *number);

#endif
