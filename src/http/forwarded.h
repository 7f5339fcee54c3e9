/* SPDX-License-Identifier: MIT */
/* http/forwarded.h — what proxies in front of the server report about a request: its
 * client, its scheme and host, how long it has waited, and its name in their logs.
 *
 * Only a trusted peer is believed (http/trust.h), and only the fields that the user has
 * declared to be set by it: all others may come from the client and are passed on
 * unread. */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "base/compiler.h"   /* MUST_USE */
#include "base/pool.h"       /* struct pool */
#include "http/head.h"       /* struct http_head */
#include "http/peer.h"       /* struct peer */
#include "http/request_id.h" /* struct request_ids */
#include "http/trust.h"      /* struct trust */

/* Bits for the fields of trusted peers that are believed. */
enum forwarded_field {
    FORWARDED_FOR = 1,       /* X-Forwarded-For: the client */
    FORWARDED_PROTO = 2,     /* X-Forwarded-Proto: the scheme */
    FORWARDED_HOST = 4,      /* X-Forwarded-Host, or host of Forwarded: the Host */
    FORWARDED_PORT = 8,      /* X-Forwarded-Port: the port of the Host */
    FORWARDED_PREFIX = 16,   /* X-Forwarded-Prefix: the root path */
    FORWARDED_STANDARD = 32, /* Forwarded (RFC 7239): client and scheme; excludes
                                FORWARDED_FOR, FORWARDED_PROTO and FORWARDED_PORT */
};

#define FORWARDED_ALL 63u

/* The user's settings. */
struct forwarded_config {
    struct slice trusted; /* in the format of trust_init(); borrowed for
                             forwarding_init() */
    uint8_t believed;     /* bits of enum forwarded_field */
    bool hides;           /* applications do not get forwarding fields of peers that are
                             not trusted, nor forwarding fields of any peer with "_" for
                             "-" */
    bool names;           /* each request has a name: X-Request-ID */
};

/* What the requests of one server share; all zero: no peer is believed. */
struct forwarding {
    struct trust trust;
    struct request_ids ids;
    struct pool pool;   /* of struct forwarded */
    uint64_t believed;  /* fields to read, by enum field_id, of trusted peers ... */
    uint64_t of_anyone; /* ... and of any */
    uint8_t wanted;     /* bits of enum forwarded_field */
    bool hides, names;
};

/* Size of a Host with its port. */
#define FORWARDED_HOST_BYTES 262u

#define FORWARDED_UNKNOWN UINT64_MAX

/* Of one request; in head->forwarded while it begins, in stream->forwarded until it
 * ends. NULL there: nothing is reported. */
struct forwarded {
    struct peer_addr client; /* kind PEER_NONE: the proxy does not report its address */
    bool has_client;         /* a trusted proxy reports another client: `client` */
    bool has_scheme;         /* ... another scheme: `is_secure` */
    bool is_secure;          /* https, wss */
    bool has_prefix;         /* ... another root path: `prefix` */
    uint16_t port;           /* of `host`; 0: the scheme's default */
    struct slice host;       /* without brackets and port; empty: the server's own;
                                borrowed while the request begins */
    struct slice
        prefix; /* "" or "/..." without "/" at its end; ASCII; borrowed while the
                   request begins */
    uint64_t queued_us; /* since X-Request-Start, or FORWARDED_UNKNOWN */
    uint8_t id_bytes;   /* of `id`; 0: the request has no name */
    char trace_id[33];  /* of traceparent (W3C Trace Context), 32 hexadecimal digits
                           with a NUL; "": none */
    char parent_id[17]; /* of the same field, 16 digits */
    char id[REQUEST_ID_BYTES];
    char host_text[FORWARDED_HOST_BYTES]; /* the Host field, if it had to be created */
};

/* Prepares for requests. Returns 0, ERR_ADDRESS or ERR_NOMEM; after an error
 * forwarding_fini() must still be called. */
MUST_USE int forwarding_init(struct forwarding *f,
                             const struct forwarded_config *config);

/* Frees its memory; may be called on zeroed memory. */
void forwarding_fini(struct forwarding *f);

/* Sets peer->is_trusted according to peer->addr. */
void forwarding_judge(const struct forwarding *f, struct peer *peer);

/* Reads the forwarding fields of a complete head from `peer`, and changes the head:
 * replaces a Host, hides fields, sets X-Request-ID. head->fields has room for two more
 * than nfields. Sets head->forwarded, owned by the caller, who frees it with
 * forwarded_free(); it stays NULL if nothing is reported. A malformed field is ignored.
 * Returns 0 or ERR_NOMEM. */
MUST_USE int forwarded_read(struct forwarding *f, const struct peer *peer,
                            struct http_head *head);

/* Frees `forwarded`; it may be NULL. */
void forwarded_free(struct forwarding *f, struct forwarded *forwarded);

/* Returns the client of a request from `peer`, as far as it is known. */
static inline const struct peer_addr *
forwarded_client(const struct peer *peer, const struct forwarded *forwarded)
{
    return forwarded != NULL && forwarded->has_client ? &forwarded->client
                                                      : &peer->addr;
}

/* Returns the name of a request, or an empty slice; valid as long as `told`. */
static inline struct slice
forwarded_id(const struct forwarded *forwarded)
{
    return forwarded != NULL ? slice_new(forwarded->id, forwarded->id_bytes)
                             : slice_new("", 0);
}

#endif
