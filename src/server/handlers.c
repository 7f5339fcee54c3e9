/* SPDX-License-Identifier: MIT */
/* server/handlers.c — registers the handlers before the application and the filters
 * of responses, in their order; see server_internal.h for the contract. */
#include "server/server_internal.h"

#include <assert.h> /* assert */

#include "builtin/added_fields.h"
#include "builtin/redirect.h"
#include "cache/cache.h"

static void
on_due(struct builtin *builtin, uint64_t due_ms)
{
    turn_note_due(&container_of(builtin, struct server, builtin)->turn, due_ms);
}

static void
on_cache_due(struct cache *cache, uint64_t due_ms)
{
    turn_note_due(&container_of(cache, struct server, cache)->turn, due_ms);
}

/* The cache is the last link, so that it serves the application's responses alone, and
 * the filter nearest to the wire, so that it stores what is sent. */
static int
init_cache(struct server *server)
{
    struct chain *chain = &server->turn.service.chain;
    struct cache *cache = &server->cache;

    if (server->config.cache.memory == NULL)
        return 0;
    cache->service = &server->turn.service;
    cache->on_due = on_cache_due;
    int err = cache_init(cache, &server->config.cache);
    if (err != 0)
        return err;
    chain_add(chain, &cache->handler);
    return chain_add_filter(chain, &cache->filter);
}

int
server_init_handlers(struct server *server)
{
    struct chain *chain = &server->turn.service.chain;
    struct added_fields added;

    server->builtin.service = &server->turn.service;
    server->builtin.tallies = &server->config.tallies;
    server->builtin.on_due = on_due;
    builtin_init(&server->builtin, &server->config.builtin);
    if (builtin_is_on(&server->builtin))
        chain_add(chain, &server->builtin.handler);

    int err = statics_init(&server->statics, &server->config.statics);
    if (err != 0)
        return err;
    if (statics_is_on(&server->statics))
        chain_add(chain, &server->statics.handler);
    err = init_cache(server);
    if (err != 0)
        return err;
    err = added_fields_init(&added, server->config.fields_sent);
    if (err == 0)
        err = chain_add_filter(chain, &added.filter);
    added_fields_fini(&added); /* the chain has copied its lines */
    if (err == 0 && server->config.compress.is_on) {
        compressor_init(&server->compressor, &server->config.compress,
                        &server->turn.service);
        err = chain_add_filter(chain, &server->compressor.filter);
    }
    if (err == 0 && server->config.decompress.is_on) {
        decompressor_init(&server->decompressor, &server->config.decompress,
                          &server->turn.service);
        chain_add(chain, &server->decompressor.refuser);
        err = chain_add_filter(chain, &server->decompressor.filter);
    }
    return err;
}

void
server_open_handlers(struct server *server, const struct endpoint *endpoint)
{
    struct chain *chain = &server->turn.service.chain;

    assert(endpoint != NULL);
    if (endpoint->redirects && server->redirect.offer == NULL) {
        redirect_init(&server->redirect);
        chain_add_first(chain, &server->redirect);
    }
    if (endpoint->is_builtin && !chain_has(chain, &server->builtin.handler))
        chain_add_first(chain, &server->builtin.handler);
}
