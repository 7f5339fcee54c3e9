/* SPDX-License-Identifier: MIT */
/* builtin/redirect.c — see redirect.h for the contract. */
#include "builtin/redirect.h"

#include <assert.h> /* assert */
#include <stdio.h>  /* snprintf */

#include "base/err.h"
#include "base/mem.h"
#include "builtin/builtin.h"
#include "http/target.h"

#define HTTPS_PORT 443

/* "https://" and ":65535", with a NUL. */
#define EXTRA_BYTES 16u

/* Returns the requested host without its port; empty if there is none. */
static struct slice
host_of(const struct http_head *head)
{
    struct slice host = {"", 0};

    for (uint32_t i = 0; i < head->nfields && host.len == 0; i++) {
        if (head->fields[i].id == FIELD_HOST)
            host = head->fields[i].value;
    }
    if (!target_is_host(host))
        return slice_of("");
    for (size_t i = host.len; i > 0 && host.ptr[i - 1] != ']'; i--) {
        if (host.ptr[i - 1] == ':')
            return slice_first(host, i - 1);
    }
    return host;
}

static int
answer(struct stream *s, int status, struct slice location, struct slice text)
{
    struct http_field fields[] = {
        {.name = slice_of("content-type"),
         .value = slice_of("text/plain; charset=utf-8")},
        {.name = slice_of("location"), .value = location},
    };
    struct http_response res = {
        .status = status,
        .fields = fields,
        .nfields = location.len > 0 ? 2 : 1,
    };
    const struct chunk body = {.bytes = text};

    int err = stream_send_head(s, &res);
    return err != 0 ? err : stream_send_body(s, &body, true);
}

static char *
redirect_append(char *at, struct slice text)
{
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static int
redirect_on_request(struct stream *s, const struct http_head *head)
{
    struct slice host = host_of(head);
    int port = s->peer->endpoint->secure_port;
    char digits[16] = "";

    if (host.len == 0)
        return answer(s, 400, slice_of(""), slice_of("Bad Request: no host\n"));
    char *location =
        mem_alloc(host.len + head->path.len + head->query.len + EXTRA_BYTES);
    if (location == NULL)
        return ERR_NOMEM;
    char *at = redirect_append(redirect_append(location, slice_of("https://")), host);
    if (port > 0 && port != HTTPS_PORT)
        (void)snprintf(digits, sizeof digits, ":%d", port);
    at = redirect_append(at, slice_of(digits));
    if (head->path.len > 0 && head->path.ptr[0] == '/') /* not for OPTIONS * */
        at = redirect_append(at, head->path);
    if (head->query.len > 0)
        at = redirect_append(redirect_append(at, slice_of("?")), head->query);
    assert(at <= location + host.len + head->path.len + head->query.len + EXTRA_BYTES);
    int err = answer(s, 308, slice_new(location, (size_t)(at - location)),
                     slice_of("This is served by https.\n"));
    mem_free(location);
    return err;
}

static const struct stream_handler redirect_handler = {
    .on_request = redirect_on_request,
    .on_body = builtin_ignore_body,
    .on_writable = builtin_ignore_writable,
    .on_close = builtin_ignore_close,
};

static enum handler_verdict
redirect_offer(struct handler *handler, struct stream *s, const struct http_head *head)
{
    (void)handler;
    (void)head;
    if (s->peer->endpoint == NULL || !s->peer->endpoint->redirects)
        return HANDLER_DECLINED;
    s->handler = &redirect_handler;
    s->can_tunnel = false;
    s->is_uncounted = true;
    return HANDLER_TAKEN;
}

void
redirect_init(struct handler *handler)
{
    *handler = (struct handler){.offer = redirect_offer};
}
