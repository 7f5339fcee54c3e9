/* SPDX-License-Identifier: MIT */
/* cache/purge.c — see purge.h for the contract. */
#include "cache/purge.h"

#include <assert.h> /* assert */
#include <stdio.h>  /* snprintf */

#include "base/err.h"
#include "cache/reply.h"
#include "cache/request.h"

/* Compares in constant time, so that the time does not reveal the position of a
 * difference. */
static bool
is_token_of(struct slice given, struct slice token)
{
    unsigned differs = given.len != token.len || token.len == 0;

    for (size_t i = 0; i < given.len && i < token.len; i++)
        differs |= (unsigned)(unsigned char)given.ptr[i] ^ (unsigned char)token.ptr[i];
    return differs == 0;
}

static bool
is_authorized(const struct cache *cache, const struct http_head *head)
{
    struct slice scheme = slice_of("bearer ");

    for (uint32_t i = 0; i < head->nfields; i++) {
        struct slice value = head->fields[i].value;
        if (head->fields[i].id != FIELD_AUTHORIZATION || value.len < scheme.len ||
            !slice_equal_folded(slice_first(value, scheme.len), scheme))
            continue;
        if (is_token_of(slice_trim(slice_skip(value, scheme.len)),
                        cache->config.purge_token))
            return true;
    }
    return false;
}

static int
purge_answer(struct stream *s, int status, struct slice text)
{
    struct http_field fields[] = {
        {.name = slice_of("content-type"),
         .value = slice_of("text/plain; charset=utf-8")},
        {.name = slice_of("cache-control"), .value = slice_of("no-store")},
        {.name = slice_of(status == 405 ? "allow" : "www-authenticate"),
         .value = slice_of(status == 405 ? "DELETE" : "Bearer")},
    };
    struct http_response res = {
        .status = status, .fields = fields, .nfields = status == 200 ? 2 : 3};
    struct chunk body = {.bytes = text};
    int err = stream_send_head(s, &res);

    assert(status == 200 || status == 401 || status == 405);
    if (err == 0)
        err = stream_send_body(s, &body, true);
    return err == ERR_AGAIN ? 0 : err;
}

/* Removes the responses for the http and https URIs with this path. */
static uint64_t
remove_uri(struct cache *cache, const struct http_head *head)
{
    struct cache_request *r = &cache->hit.request;
    uint64_t n = 0;

    for (int is_secure = 0; is_secure < 2; is_secure++) {
        if (!request_key_of(&cache->store, head, is_secure != 0, head->query,
                            slice_of(""), r))
            continue;
        int removed = store_remove(&cache->store, &r->key);
        n += removed > 0 ? (uint64_t)removed : 0;
    }
    return n;
}

static int
purge_on_request(struct stream *s, const struct http_head *head)
{
    struct cache *cache = s->handler_arg;
    char text[40];

    if (!is_authorized(cache, head))
        return purge_answer(s, 401, slice_of("Unauthorized\n"));
    if (!slice_equal(head->method, slice_of("DELETE")))
        return purge_answer(s, 405, slice_of("DELETE\n"));
    uint64_t n =
        head->query.len > 0 ? remove_uri(cache, head) : store_clear(&cache->store);
    (void)snprintf(text, sizeof text, "%llu removed\n", (unsigned long long)n);
    return purge_answer(s, 200, slice_of(text));
}

static const struct stream_handler purge_handler = {
    .on_request = purge_on_request,
    .on_body = reply_ignore_body,
    .on_writable = reply_ignore_writable,
    .on_close = reply_ignore_close,
};

enum handler_verdict
purge_take(struct cache *cache, struct stream *s)
{
    assert(cache->config.purge_path.len > 0);
    s->handler = &purge_handler;
    s->handler_arg = cache;
    s->can_tunnel = false;
    s->is_uncounted = true;
    return HANDLER_SERVED;
}
