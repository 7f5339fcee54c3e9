/* SPDX-License-Identifier: MIT */
/* http/forwarded.h — what proxies in front of us tell of a request: who has asked, by
 * which scheme and host, since when, and under which name it stands in their logs.
 *
 * Only a trusted peer is believed (http/trust.h), and of its fields only those that the
 * user has said it sets: any other may be the client's own, passed on unread. */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "base/compiler.h"   /* MUST_USE */
#include "base/pool.h"       /* struct pool */
#include "http/head.h"       /* struct http_head */
#include "http/peer.h"       /* struct peer */
#include "http/request_id.h" /* struct request_ids */
#include "http/trust.h"      /* struct trust */

/* Fields of trusted peers that are believed, as bits. */
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

/* What a user has asked for. */
struct forwarded_config {
    struct slice trusted; /* as trust_init reads it; borrowed for forwarding_init */
    uint8_t believed;     /* of enum forwarded_field */
    bool hides;           /* forwarding fields of peers that are not trusted, and those
                             with "_" for "-" of all, do not reach applications */
    bool names;           /* each request has a name: X-Request-ID */
};

/* What the requests of one server share; all zero: nobody is believed. */
struct forwarding {
    struct trust trust;
    struct request_ids ids;
    struct pool pool;   /* of struct forwarded */
    uint64_t believed;  /* fields to look at, by enum field_id, of trusted peers ... */
    uint64_t of_anyone; /* ... and of any */
    uint8_t wanted;     /* of enum forwarded_field */
    bool hides, names;
};

/* Room for a Host with its port. */
#define FORWARDED_HOST_BYTES 262u

#define FORWARDED_UNTOLD UINT64_MAX

/* Of one request; in head->forwarded while it begins, in stream->forwarded until it ends.
 * NULL there: there is nothing to tell. */
struct forwarded {
    struct peer_addr client; /* kind PEER_NONE: the proxy does not tell its address */
    bool has_client;         /* a trusted proxy speaks for another: `client` */
    bool has_scheme;         /* ... of another scheme: `is_secure` */
    bool is_secure;          /* https, wss */
    bool has_prefix;         /* ... of another root path: `prefix` */
    uint16_t port;           /* of `host`; 0: as the scheme has it */
    struct slice host; /* without brackets and port; empty: as we know it; borrowed
                                while the request begins */
    struct slice
        prefix; /* "" or "/..." without "/" at its end; ASCII; borrowed likewise */
    uint64_t queued_us; /* since X-Request-Start; FORWARDED_UNTOLD */
    uint8_t id_bytes;   /* of `id`; 0: the request has no name */
    char trace_id[33]; /* of traceparent (W3C Trace Context), 32 hexadecimal digits with
                            a NUL; "": there is none */
    char parent_id[17]; /* likewise, 16 digits */
    char id[REQUEST_ID_BYTES];
    char host_text[FORWARDED_HOST_BYTES]; /* the Host field, where it had to be made */
};

/* Prepares for requests.  Returns 0, ERR_ADDRESS or ERR_NOMEM; forwarding_fini accepts
 * what there is. */
MUST_USE int forwarding_init(struct forwarding *f,
                             const struct forwarded_config *config);

/* Frees; fine on zeroed memory. */
void forwarding_fini(struct forwarding *f);

/* Sets peer->is_trusted by peer->addr. */
void forwarding_judge(const struct forwarding *f, struct peer *peer);

/* Reads what the fields of a complete head from `peer` tell, and changes them: a Host is
 * replaced, fields are hidden, X-Request-ID is set.  head->fields has room for two more
 * than nfields.  Sets head->forwarded, which stays NULL where there is nothing to tell, and
 * is the caller's for forwarded_free.  A field that is malformed tells nothing.  Returns 0
 * or ERR_NOMEM. */
MUST_USE int forwarded_read(struct forwarding *f, const struct peer *peer,
                            struct http_head *head);

/* Gives it back; NULL is fine. */
void forwarded_free(struct forwarding *f, struct forwarded *told);

/* The client of a request from `peer`, as far as it is known. */
static inline const struct peer_addr *
forwarded_client(const struct peer *peer, const struct forwarded *told)
{
    return told != NULL && told->has_client ? &told->client : &peer->addr;
}

/* The name of a request, or an empty slice; as long as `told`. */
static inline struct slice
forwarded_id(const struct forwarded *told)
{
    return told != NULL ? slice_new(told->id, told->id_bytes) : slice_new("", 0);
}

#endif
