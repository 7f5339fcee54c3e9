/* SPDX-License-Identifier: MIT */
/* ws/extension.c — see extension.h for the contract. */
#include "ws/extension.h"

#include <assert.h> /* assert */

#include "base/compiler.h" /* MUST_USE */

#define NAME "permessage-deflate"

/* The separator before the next token of a Sec-WebSocket-Extensions value. */
enum mark {
    MARK_COMMA = 0, /* the next offer begins */
    MARK_SEMICOLON, /* a parameter begins */
    MARK_EQUALS,    /* the value of a parameter begins */
    MARK_END,       /* nothing is left */
    MARK_BAD,       /* not allowed by RFC 6455 9.1 */
};

/* One offer while it is parsed. */
struct offer {
    bool server_no_takeover, client_no_takeover, server_max,
        client_max; /* the parameters it has */
    uint8_t server_bits,
        client_bits; /* the largest that it allows; 15 if it has no parameter */
};

static void
ws_extension_skip_space(struct slice *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        *rest = slice_skip(*rest, 1);
}

static enum mark
take_mark(struct slice *rest)
{
    ws_extension_skip_space(rest);
    if (rest->len == 0)
        return MARK_END;
    char byte = rest->ptr[0];
    if (byte != ',' && byte != ';' && byte != '=')
        return MARK_BAD;
    *rest = slice_skip(*rest, 1);
    return byte == ',' ? MARK_COMMA : byte == ';' ? MARK_SEMICOLON : MARK_EQUALS;
}

/* Reads a token, or returns an empty slice if there is none. */
static struct slice
ws_extension_take_token(struct slice *rest)
{
    ws_extension_skip_space(rest);
    struct slice token = slice_first(*rest, token_span(rest->ptr, rest->len));
    *rest = slice_skip(*rest, token.len);
    return token;
}

/* Reads a token, or one in quotes (RFC 6455 9.1 allows no other text in them). If
 * there is none, nothing is consumed, so that skip_offer sees the quotes. */
static struct slice
take_value(struct slice *rest)
{
    ws_extension_skip_space(rest);
    if (rest->len == 0 || rest->ptr[0] != '"')
        return ws_extension_take_token(rest);
    struct slice value = slice_skip(*rest, 1);
    value.len = token_span(value.ptr, value.len);
    if (rest->len < value.len + 2 || value.ptr[value.len] != '"')
        return slice_new("", 0);
    *rest = slice_skip(*rest, value.len + 2);
    return value;
}

/* Skips to after the comma that ends a bad offer, ignoring commas in quotes. */
static void
skip_offer(struct slice *rest)
{
    bool quoted = false;

    while (rest->len > 0) {
        char byte = rest->ptr[0];
        *rest = slice_skip(*rest, 1);
        if (byte == '"')
            quoted = !quoted;
        else if (byte == ',' && !quoted)
            return;
    }
}

/* 8 to 15, without a leading zero (RFC 7692 7.1.2); 0 for anything else. */
static uint8_t
bits_of(struct slice value)
{
    if (value.len == 1 && (value.ptr[0] == '8' || value.ptr[0] == '9'))
        return (uint8_t)(value.ptr[0] - '0');
    if (value.len == 2 && value.ptr[0] == '1' && value.ptr[1] >= '0' &&
        value.ptr[1] <= '5')
        return (uint8_t)(10 + value.ptr[1] - '0');
    return 0;
}

/* Records that the offer has a parameter; returns false if it is repeated. */
static bool
set_once(bool *flag)
{
    bool was = *flag;
    *flag = true;
    return !was;
}

/* Adds one parameter to the offer; `value` is NULL if it has none. */
static bool
add_param(struct offer *offer, struct slice name, const struct slice *value)
{
    if (slice_equal(name, slice_of("server_no_context_takeover")))
        return value == NULL && set_once(&offer->server_no_takeover);
    if (slice_equal(name, slice_of("client_no_context_takeover")))
        return value == NULL && set_once(&offer->client_no_takeover);
    if (slice_equal(name, slice_of("server_max_window_bits"))) {
        offer->server_bits = value == NULL ? 0 : bits_of(*value);
        return offer->server_bits != 0 && set_once(&offer->server_max);
    }
    if (slice_equal(name, slice_of("client_max_window_bits"))) {
        offer->client_bits = value == NULL ? WS_BITS_MAX : bits_of(*value);
        return offer->client_bits != 0 && set_once(&offer->client_max);
    }
    return false;
}

/* Parses one offer at the front of `rest`. Returns whether it is a well-formed
 * permessage-deflate offer. */
static bool
take_offer(struct slice *rest, struct offer *offer)
{
    struct slice name = ws_extension_take_token(rest);
    bool is_ours = slice_equal(name, slice_of(NAME));
    enum mark mark = take_mark(rest);

    *offer = (struct offer){.server_bits = WS_BITS_MAX, .client_bits = WS_BITS_MAX};
    while (mark == MARK_SEMICOLON) {
        struct slice param = ws_extension_take_token(rest), value;
        mark = take_mark(rest);
        bool has_value = mark == MARK_EQUALS;
        if (has_value) {
            value = take_value(rest);
            mark = value.len == 0 ? MARK_BAD : take_mark(rest);
        }
        if (is_ours && !add_param(offer, param, has_value ? &value : NULL))
            is_ours = false;
    }
    if (mark == MARK_COMMA || mark == MARK_END)
        return is_ours;
    skip_offer(rest);
    return false;
}

/* Computes the parameters for an offer; returns false if it cannot be met. */
static bool
meet(const struct offer *offer, const struct ws_deflate_config *config,
     struct ws_deflate_params *params)
{
    if (offer->server_bits < WS_BITS_MIN)
        return false;
    params->is_on = true;
    params->server_takeover = config->server_takeover && !offer->server_no_takeover;
    params->client_takeover = config->client_takeover && !offer->client_no_takeover;
    params->server_bits = offer->server_bits < config->server_bits
                              ? offer->server_bits
                              : config->server_bits;
    /* Only a client that sends the parameter understands it in the response
     * (7.1.2.2). */
    params->client_bits = WS_BITS_MAX;
    if (offer->client_max)
        params->client_bits = offer->client_bits < config->client_bits
                                  ? offer->client_bits
                                  : config->client_bits;
    return true;
}

static void
ws_extension_put(char *out, size_t *n, const char *text)
{
    size_t len = strlen(text);
    assert(*n + len <= WS_EXTENSION_BYTES);
    memcpy(out + *n, text, len);
    *n += len;
}

static void
put_bits(char *out, size_t *n, const char *name, unsigned bits)
{
    char number[3] = {(char)('0' + bits / 10), (char)('0' + bits % 10), '\0'};
    ws_extension_put(out, n, name);
    ws_extension_put(out, n, bits < 10 ? number + 1 : number);
}

/* Writes the response to an accepted offer (7.1): our own restrictions, and those
 * for the client. */
static struct slice
write_answer(const struct offer *offer, const struct ws_deflate_params *params,
             char *out)
{
    size_t n = 0;

    ws_extension_put(out, &n, NAME);
    if (!params->server_takeover)
        ws_extension_put(out, &n, "; server_no_context_takeover");
    if (!params->client_takeover)
        ws_extension_put(out, &n, "; client_no_context_takeover");
    if (offer->server_max || params->server_bits < WS_BITS_MAX)
        put_bits(out, &n, "; server_max_window_bits=", params->server_bits);
    if (params->client_bits < WS_BITS_MAX)
        put_bits(out, &n, "; client_max_window_bits=", params->client_bits);
    return slice_new(out, n);
}

struct slice
ws_extension_agree(const struct http_head *head, const struct ws_deflate_config *config,
                   struct ws_deflate_params *params, char *out)
{
    unsigned noffers = 0;

    *params = (struct ws_deflate_params){0};
    for (uint32_t i = 0; config->is_on && i < head->nfields; i++) {
        if (head->fields[i].id != FIELD_SEC_WEBSOCKET_EXTENSIONS)
            continue;
        struct slice rest = head->fields[i].value;
        while (rest.len > 0 && noffers++ < WS_EXTENSION_OFFERS_MAX) {
            struct offer offer;
            if (take_offer(&rest, &offer) && meet(&offer, config, params))
                return write_answer(&offer, params, out);
        }
    }
    return slice_new(out, 0);
}
