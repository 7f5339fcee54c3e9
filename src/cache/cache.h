/* SPDX-License-Identifier: MIT */
/* cache/cache.h — a shared cache of responses (RFC 9111, RFC 5861, RFC 9211): a
 * handler, the last link of the chain, that sends stored responses, and a filter,
 * the one nearest to the wire, that stores what the application sends. docs/CACHE.md
 * describes its behavior. */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/compiler.h" /* MUST_USE */
#include "cache/state.h"   /* struct cache */

/* Initializes a struct that is all zero except `service` and `on_due`.
 * config->memory is not NULL. Returns 0, ERR_NOMEM, or ERR_IO if the memory is not
 * formatted. */
MUST_USE int cache_init(struct cache *cache, const struct cache_config *config);

/* Called when `due_ms` has come: continues waiting requests, and checks what other
 * workers have stored. Reports the next due time with on_due. */
void cache_on_time(struct cache *cache);

/* Ends the exchanges that have no client. Called when the server stops. */
void cache_stop(struct cache *cache);

/* Frees everything; no exchange may be running. May be called on zeroed memory. */
void cache_fini(struct cache *cache);

#endif
