/* SPDX-License-Identifier: MIT */
/* cache/state.h — the state of the cache of one server, which the files of cache/
 * share. */
#ifndef CACHE_STATE_H
#define CACHE_STATE_H

#include "base/list.h"    /* struct list_node */
#include "cache/rules.h"  /* struct rules */
#include "cache/store.h"  /* struct store */
#include "http/handler.h" /* struct handler */
#include "http/session.h" /* struct service */

/* The settings; `memory` NULL: there is no cache. All slices are borrowed for the
 * lifetime of the cache. */
struct cache_config {
    void *memory;             /* shared, formatted by store_format() */
    size_t bytes;             /* of it */
    uint64_t entry_bytes;     /* the largest response that is stored */
    uint32_t variants;        /* responses per key */
    uint32_t wait_ms;         /* how long a request waits for another one with the
                                 same key; 0: not at all */
    bool obeys_clients;       /* Cache-Control of requests is obeyed */
    bool sends_status;        /* sends the Cache-Status field */
    struct slice paths;       /* lines "SECONDS PREFIX\n", see struct rules_path */
    struct slice purge_path;  /* the path of the endpoint that removes responses; "":
                                 none */
    struct slice purge_token; /* the token that its requests must present */
};

/* The defaults of the limits. */
#define CACHE_CONFIG_DEFAULT                                                           \
    ((struct cache_config){                                                            \
        .entry_bytes = 1048576,                                                        \
        .variants = 32,                                                                \
        .wait_ms = 5000,                                                               \
    })

/* The parameters of the next stored response to send. Set immediately before
 * on_request. */
struct cache_hit {
    struct content *content;      /* owned; NULL: 504 */
    const char *how;              /* as for reply_build() */
    struct cache_request request; /* scratch: the parsed request */
};

struct cache {
    struct handler handler; /* the link; registered by the server */
    struct filter filter;   /* registered first, and so the nearest to the wire */
    struct cache_config config;
    struct store store;
    struct rules rules;
    struct rules_path *paths; /* owned */
    struct service *service;  /* borrowed */
    struct cache_hit hit;
    struct fill *next;        /* owned: the filter that attaches to the next request */
    uint64_t fill_bytes;      /* bytes of responses that are being received */
    struct list_node flights; /* keys with waiting requests (flight.h) */
    struct list_node ready;   /* waiting requests that may continue */
    struct list_node refreshes; /* exchanges without a client (refresh.h) */
    uint64_t due_ms;            /* when cache_on_time() is to be called, or
                                   TIMER_NEVER */
    /* Called when due_ms has changed. */
    void (*on_due)(struct cache *cache, uint64_t due_ms);
};

/* Schedules a call of cache_on_time() at `due_ms`, unless an earlier one is
 * scheduled. */
static inline void
cache_wake_at(struct cache *cache, uint64_t due_ms)
{
    if (due_ms < cache->due_ms) {
        cache->due_ms = due_ms;
        cache->on_due(cache, due_ms);
    }
}

#endif
