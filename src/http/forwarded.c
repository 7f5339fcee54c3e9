/* SPDX-License-Identifier: MIT */
/* http/forwarded.c — see forwarded.h for the contract. */
#include "http/forwarded.h"

#include <assert.h> /* assert */
#include <time.h>   /* clock_gettime */

#include "base/err.h"
#include "base/narrow.h"
#include "http/field.h"
#include "http/hops.h"
#include "http/target.h"

#define POOL_KEPT 256

/* A longer wait was measured by a clock that is wrong. */
#define QUEUED_US_MAX (86400u * UINT64_C(1000000))

#define PREFIX_BYTES 1024u /* of X-Forwarded-Prefix */

#define BIT(id) (UINT64_C(1) << (id))

static_assert(FIELD_END <= 64, "a field is a bit");

/* The fields that may describe another client than the peer. */
#define FORWARDING_FIELDS                                                              \
    (BIT(FIELD_FORWARDED) | BIT(FIELD_X_FORWARDED_FOR) | BIT(FIELD_X_FORWARDED_HOST) | \
     BIT(FIELD_X_FORWARDED_PORT) | BIT(FIELD_X_FORWARDED_PREFIX) |                     \
     BIT(FIELD_X_FORWARDED_PROTO) | BIT(FIELD_X_REAL_IP) | BIT(FIELD_X_REQUEST_START))

/* Configuration */

static uint64_t
fields_of(uint8_t believed)
{
    static const struct {
        uint8_t wanted;
        enum field_id id;
    } all[] = {
        {FORWARDED_FOR, FIELD_X_FORWARDED_FOR},
        {FORWARDED_PROTO, FIELD_X_FORWARDED_PROTO},
        {FORWARDED_HOST, FIELD_X_FORWARDED_HOST},
        {FORWARDED_PORT, FIELD_X_FORWARDED_PORT},
        {FORWARDED_PREFIX, FIELD_X_FORWARDED_PREFIX},
        {FORWARDED_STANDARD, FIELD_FORWARDED},
    };
    uint64_t fields = BIT(FIELD_X_REQUEST_START);

    for (size_t i = 0; i < COUNT(all); i++) {
        if ((believed & all[i].wanted) != 0)
            fields |= BIT(all[i].id);
    }
    /* Forwarded has its own host parameter. */
    if ((believed & FORWARDED_STANDARD) != 0)
        fields &= ~BIT(FIELD_X_FORWARDED_HOST);
    return fields;
}

int
forwarding_init(struct forwarding *f, const struct forwarded_config *config)
{
    *f = (struct forwarding){
        .of_anyone = BIT(FIELD_TRACEPARENT),
        .wanted = config->believed,
        .hides = config->hides,
        .names = config->names,
    };
    f->believed = f->of_anyone | fields_of(config->believed);
    request_ids_init(&f->ids);
    pool_init(&f->pool, sizeof(struct forwarded), POOL_KEPT);
    return trust_init(&f->trust, config->trusted, NULL);
}

void
forwarding_fini(struct forwarding *f)
{
    trust_fini(&f->trust);
    pool_fini(&f->pool);
}

void
forwarding_judge(const struct forwarding *f, struct peer *peer)
{
    peer->is_trusted = f->wanted != 0 && trust_peer(&f->trust, &peer->addr);
}

/* Fields */

static uint32_t
count_elements(const struct http_head *head, enum field_id id)
{
    struct slice element;
    uint32_t n = 0;

    for (uint32_t i = 0; i < head->nfields; i++) {
        struct slice rest = head->fields[i].value;
        while (head->fields[i].id == id && field_list_next(&rest, &element))
            n++;
    }
    return n;
}

/* Returns a field's last element, or, if it has as many elements as the list of hops,
 * the one at the client's position: each proxy has added one to each list. */
static struct slice
pick(const struct http_head *head, enum field_id id, const struct hops *hops)
{
    struct slice element = {"", 0}, picked = {"", 0};
    uint32_t n = count_elements(head, id), behind = 0;

    if (n > 0 && hops->has_client && hops->behind > 0 &&
        n == count_elements(head, FIELD_X_FORWARDED_FOR))
        behind = hops->behind;
    for (uint32_t i = 0; i < head->nfields; i++) {
        struct slice rest = head->fields[i].value;
        while (head->fields[i].id == id && field_list_next(&rest, &element)) {
            if (--n == behind)
                picked = element;
        }
    }
    return picked;
}

static void
walk_hops(struct forwarding *f, const struct http_head *head, struct hops *hops)
{
    for (uint32_t i = head->nfields; i > 0 && !hops->is_over; i--) {
        const struct http_field *field = &head->fields[i - 1];
        if (field->id == FIELD_X_FORWARDED_FOR && (f->wanted & FORWARDED_FOR) != 0)
            hops_walk_list(hops, &f->trust, field->value);
        else if (field->id == FIELD_FORWARDED && (f->wanted & FORWARDED_STANDARD) != 0)
            hops_walk_forwarded(hops, &f->trust, field->value);
    }
}

/* An unknown scheme is ignored, since the client may have sent it. */
static void
read_scheme(struct forwarded *forwarded, struct slice scheme)
{
    static const char *const names[] = {"http", "ws", "https", "wss"};

    for (size_t i = 0; i < COUNT(names); i++) {
        if (slice_equal_folded(scheme, slice_of(names[i]))) {
            forwarded->has_scheme = true;
            forwarded->is_secure = i >= 2;
        }
    }
}

/* Removes the port from a host that target_is_host() accepts; 0: there is none. */
static uint16_t
split_host(struct slice *host)
{
    uint64_t port = 0;
    size_t n = host->len;

    while (n > 0 && host->ptr[n - 1] != ':' && host->ptr[n - 1] != ']')
        n--;
    if (n > 0 && host->ptr[n - 1] == ':') {
        (void)!field_to_number(slice_skip(*host, n), &port);
        *host = slice_first(*host, n - 1);
    }
    return narrow_u16(port);
}

/* Returns the default port of the scheme. */
static uint16_t
usual_port(const struct forwarded *forwarded, const struct peer *peer)
{
    bool is_secure =
        forwarded->has_scheme ? forwarded->is_secure : peer->endpoint->secure;

    return is_secure ? 443 : 80;
}

static char *
forwarded_put_port(char *at, uint16_t port)
{
    char digits[5];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + port % 10);
    while ((port = (uint16_t)(port / 10)) > 0);
    *at++ = ':';
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

static void
set_host_field(struct http_head *head, struct slice host)
{
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id == FIELD_HOST) {
            head->fields[i].value = host;
            return;
        }
    }
    head->fields[head->nfields++] = (struct http_field){
        .name = slice_of("host"),
        .value = host,
        .id = FIELD_HOST,
    };
}

static struct slice
host_field(const struct http_head *head)
{
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id == FIELD_HOST)
            return head->fields[i].value;
    }
    return slice_new("", 0);
}

/* Sets the Host field from `name`, a host without its port, and forwarded->port. */
static struct slice
make_host(struct forwarded *forwarded, const struct peer *peer, struct slice name)
{
    char *end = forwarded->host_text + name.len;

    if (forwarded->port == usual_port(forwarded, peer))
        forwarded->port = 0;
    memcpy(forwarded->host_text, name.ptr, name.len);
    if (forwarded->port != 0)
        end = forwarded_put_port(end, forwarded->port);
    return slice_new(forwarded->host_text, (size_t)(end - forwarded->host_text));
}

/* Returns 0 if it is not a port. */
static uint16_t
forwarded_read_port(struct slice text)
{
    uint64_t port = 0;

    if (text.len > 5 || !field_to_number(text, &port) || port > UINT16_MAX)
        return 0;
    return narrow_u16(port);
}

/* Sets the Host, of which the proxy sends the whole or the port; a malformed value is
 * ignored. */
static void
read_host(struct forwarded *forwarded, const struct peer *peer, struct http_head *head,
          struct slice host, uint16_t port)
{
    bool is_told = host.len > 0 && target_is_host(host);

    if (!is_told && port == 0)
        return;
    if (!is_told)
        host = host_field(head);
    if (host.len == 0 || host.len > FORWARDED_HOST_BYTES - 7)
        return;
    forwarded->port = split_host(&host);
    if (port > 0)
        forwarded->port = port;
    set_host_field(head, make_host(forwarded, peer, host));
    if (host.len > 1 && host.ptr[0] == '[')
        host = slice_cut(host, 1, host.len - 1);
    forwarded->host = host;
}

/* Returns whether `prefix` is a path in its plain form: "/" before each segment, none
 * of them empty, "." or "..", and no escapes, since applications append paths to it to
 * build links. */
static bool
is_prefix(struct slice prefix)
{
    static const char others[] = "-._~!$&'()*+,;=:@";
    size_t dots = 0, n = 0;

    for (size_t i = 0; i < prefix.len; i++) {
        uint8_t byte = (uint8_t)prefix.ptr[i], low = byte_lower(byte);
        if (byte == '/') {
            if (i > 0 && (n == 0 || (n == dots && n <= 2)))
                return false;
            dots = n = 0;
            continue;
        }
        bool is_plain = (uint8_t)(low - 'a') < 26 || (uint8_t)(low - '0') < 10;
        if (!is_plain && (byte == '\0' || strchr(others, byte) == NULL))
            return false;
        dots += byte == '.';
        n++;
    }
    return prefix.len <= PREFIX_BYTES && prefix.ptr[0] == '/' &&
           !(n == dots && n > 0 && n <= 2);
}

/* The last line is that of the nearest proxy. */
static void
read_prefix(struct forwarded *forwarded, const struct http_head *head)
{
    const struct http_field *last = NULL;

    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id == FIELD_X_FORWARDED_PREFIX)
            last = &head->fields[i];
    }
    if (last == NULL || (last->value.len > 0 && !is_prefix(last->value)))
        return;
    struct slice prefix = last->value;
    if (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    forwarded->has_prefix = true;
    forwarded->prefix = prefix;
}

/* Reads "t=1733486400.123", in s, ms or us: the magnitude of the number shows the
 * unit. */
static uint64_t
read_queued(struct slice value)
{
    struct timespec now;
    uint64_t number, part = 0, scale = 1;

    if (value.len > 2 && slice_equal(slice_first(value, 2), slice_of("t=")))
        value = slice_skip(value, 2);
    const char *dot = memchr(value.ptr, '.', value.len);
    size_t n = dot != NULL ? (size_t)(dot - value.ptr) : value.len;
    if (n > 16 || !field_to_number(slice_first(value, n), &number))
        return FORWARDED_UNKNOWN;
    uint64_t unit = number < UINT64_C(100000000000)      ? 1000000
                    : number < UINT64_C(100000000000000) ? 1000
                                                         : 1;
    if (dot != NULL) {
        struct slice digits = slice_skip(value, n + 1);
        if (digits.len > 6)
            digits.len = 6;
        if (!field_to_number(digits, &part))
            return FORWARDED_UNKNOWN;
        for (size_t i = 0; i < digits.len; i++)
            scale *= 10;
    }
    uint64_t began = number * unit + part * unit / scale;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (began >= us)
        return 0; /* its clock is slightly ahead */
    return us - began <= QUEUED_US_MAX ? us - began : FORWARDED_UNKNOWN;
}

static bool
is_hex(const char *text, size_t n)
{
    bool all_zero = true;

    for (size_t i = 0; i < n; i++) {
        if ((uint8_t)(text[i] - '0') >= 10 && (uint8_t)(text[i] - 'a') >= 6)
            return false;
        all_zero = all_zero && text[i] == '0';
    }
    return !all_zero;
}

/* Reads "00-<trace id>-<parent id>-<flags>" (W3C Trace Context 3.2). */
static void
read_trace(struct forwarded *forwarded, struct slice value)
{
    const char *at = value.ptr;

    if (value.len < 55 || at[2] != '-' || at[35] != '-' || at[52] != '-' ||
        !is_hex(at + 3, 32) || !is_hex(at + 36, 16))
        return;
    memcpy(forwarded->trace_id, at + 3, 32);
    memcpy(forwarded->parent_id, at + 36, 16);
}

static void
read_times(struct forwarded *forwarded, const struct http_head *head, uint64_t seen)
{
    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id == FIELD_TRACEPARENT)
            read_trace(forwarded, field->value);
        else if (field->id == FIELD_X_REQUEST_START && (seen & BIT(field->id)) != 0)
            forwarded->queued_us = read_queued(field->value);
    }
}

/* Reads what a trusted peer reports about others. Malformed values are ignored: a proxy
 * that appends to fields or passes them on lets its clients write them. */
static void
read_forwarded(struct forwarding *f, const struct peer *peer, struct http_head *head,
               struct forwarded *forwarded)
{
    bool standard = (f->wanted & FORWARDED_STANDARD) != 0;
    struct slice host = {"", 0};
    struct hops hops = {0};
    uint16_t port = 0;

    walk_hops(f, head, &hops);
    forwarded->has_client = hops.is_known || hops.is_hidden;
    forwarded->client = hops.client;
    assert(hops.is_known == (hops.client.kind != PEER_NONE));
    if (standard)
        read_scheme(forwarded, hops.proto);
    else if ((f->wanted & FORWARDED_PROTO) != 0)
        read_scheme(forwarded, pick(head, FIELD_X_FORWARDED_PROTO, &hops));
    if ((f->wanted & FORWARDED_HOST) != 0)
        host = standard ? hops.host : pick(head, FIELD_X_FORWARDED_HOST, &hops);
    if ((f->wanted & FORWARDED_PORT) != 0)
        port = forwarded_read_port(pick(head, FIELD_X_FORWARDED_PORT, &hops));
    if (host.len > 0 || port > 0)
        read_host(forwarded, peer, head, host, port);
    if ((f->wanted & FORWARDED_PREFIX) != 0)
        read_prefix(forwarded, head);
}

/* Hiding and naming */

/* Returns whether a name is that of a forwarding field, with "_" treated as "-": where
 * names become variables, both become the same. */
static bool
is_lookalike(struct slice name)
{
    char copy[24];

    if (name.len >= sizeof copy || memchr(name.ptr, '_', name.len) == NULL)
        return false;
    for (size_t i = 0; i < name.len; i++)
        copy[i] = name.ptr[i] == '_' ? '-' : name.ptr[i];
    enum field_id id = field_lookup(slice_new(copy, name.len));
    return ((FORWARDING_FIELDS | BIT(FIELD_X_REQUEST_ID)) & BIT(id)) != 0;
}

static void
hide(struct http_head *head, bool is_trusted)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id == FIELD_OTHER
                ? is_lookalike(field->name)
                : !is_trusted && (FORWARDING_FIELDS & BIT(field->id)) != 0)
            continue;
        head->fields[n++] = *field;
    }
    head->nfields = n;
}

/* Sets the name of the request: the one that a trusted peer has given it, or a new
 * one. */
static void
name_request(struct forwarding *f, bool is_trusted, struct http_head *head,
             struct forwarded *forwarded)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id != FIELD_X_REQUEST_ID) {
            head->fields[n++] = *field;
        } else if (is_trusted && forwarded->id_bytes == 0 &&
                   request_id_is_good(field->value)) {
            forwarded->id_bytes = narrow_u8(field->value.len);
            memcpy(forwarded->id, field->value.ptr, field->value.len);
        }
    }
    if (forwarded->id_bytes == 0) {
        forwarded->id_bytes = REQUEST_ID_MADE_BYTES;
        request_id_make(&f->ids, forwarded->id);
    }
    head->fields[n++] = (struct http_field){
        .name = slice_of("x-request-id"),
        .value = slice_new(forwarded->id, forwarded->id_bytes),
        .id = FIELD_X_REQUEST_ID,
    };
    head->nfields = n;
}

static int
forwarded_read_all(struct forwarding *f, const struct peer *peer,
                   struct http_head *head, uint64_t seen)
{
    struct forwarded *forwarded = pool_take(&f->pool);

    if (forwarded == NULL)
        return ERR_NOMEM;
    memset(forwarded, 0, offsetof(struct forwarded, id));
    forwarded->queued_us = FORWARDED_UNKNOWN;
    head->forwarded = forwarded;
    if (peer->is_trusted && (seen & FORWARDING_FIELDS) != 0)
        read_forwarded(f, peer, head, forwarded);
    read_times(forwarded, head, seen);
    if (f->names)
        name_request(f, peer->is_trusted, head, forwarded);
    return 0;
}

int
forwarded_read(struct forwarding *f, const struct peer *peer, struct http_head *head)
{
    uint64_t look_at = peer->is_trusted ? f->believed : f->of_anyone, seen = 0;

    if (UNLIKELY(f->hides))
        hide(head, peer->is_trusted);
    for (uint32_t i = 0; i < head->nfields; i++)
        seen |= BIT(head->fields[i].id);
    seen &= look_at;
    if (LIKELY(seen == 0 && !f->names))
        return 0;
    return forwarded_read_all(f, peer, head, seen);
}

void
forwarded_free(struct forwarding *f, struct forwarded *forwarded)
{
    pool_give(&f->pool, forwarded);
}
