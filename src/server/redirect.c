/* SPDX-License-Identifier: MIT */
/* server/redirect.c — see redirect.h for the contract. */
#include "server/redirect.h"

#include <assert.h> /* assert */
#include <stdio.h>  /* snprintf */

#include "base/err.h"
#include "base/mem.h"
#include "http/target.h"

#define HTTPS_PORT 443

/* "https://" and ":65535", with a NUL. */
#define EXTRA_BYTES 16u

/* The host that was asked for, without its port; empty when there is none. */
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
append(char *at, struct slice text)
{
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static int
on_request(struct stream *s, const struct http_head *head)
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
    char *at = append(append(location, slice_of("https://")), host);
    if (port > 0 && port != HTTPS_PORT)
        (void)snprintf(digits, sizeof digits, ":%d", port);
    at = append(at, slice_of(digits));
    if (head->path.len > 0 && head->path.ptr[0] == '/') /* not of OPTIONS * */
        at = append(at, head->path);
    if (head->query.len > 0)
        at = append(append(at, slice_of("?")), head->query);
    assert(at <= location + host.len + head->path.len + head->query.len + EXTRA_BYTES);
    int err = answer(s, 308, slice_new(location, (size_t)(at - location)),
                     slice_of("This is served by https.\n"));
    mem_free(location);
    return err;
}

/* Nothing is asked for, and nothing is kept. */

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    (void)last;
}

static void
on_writable(struct stream *s)
{
    (void)s;
}

static void
on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static void
on_peer_gone(struct peer *peer)
{
    (void)peer;
}

static void
on_endpoint_gone(struct endpoint *endpoint)
{
    (void)endpoint;
}

const struct stream_handler redirect_handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_peer_gone = on_peer_gone,
    .on_endpoint_gone = on_endpoint_gone,
};
