/* SPDX-License-Identifier: MIT */
/* http1/upgrade.c — see upgrade.h for the contract. */
#include "http1/upgrade.h"

#include "base/err.h"

/* The preface, and its start, which no HTTP/1 request has. */
#define PREFACE_START "PRI * HTTP/2"
#define PREFACE PREFACE_START ".0\r\n\r\nSM\r\n\r\n"

/* HTTP2-Settings, decoded: 6 bytes per setting, enough for all that exist. */
#define SETTINGS_BYTES 192u

/* Removes the first word from *line. */
static struct slice
take_word(struct slice *line)
{
    const char *space = line->len > 0 ? memchr(line->ptr, ' ', line->len) : NULL;
    struct slice word =
        slice_first(*line, space != NULL ? (size_t)(space - line->ptr) : line->len);

    *line = slice_skip(*line, space != NULL ? word.len + 1 : word.len);
    return word;
}

/* Returns whether the first line of `in` has three words of which none is valid in
 * HTTP/1: a target in none of its forms (RFC 9112 3.2), and a last word that does not
 * name HTTP. Its sender speaks another protocol. */
static bool
is_foreign(struct slice in)
{
    const char *end = memchr(in.ptr, '\r', in.len);
    struct slice line = slice_first(in, end != NULL ? (size_t)(end - in.ptr) : 0);
    struct slice method = take_word(&line), target = take_word(&line);

    return is_token(method) && is_token(target) && is_token(line) &&
           target.ptr[0] != '*' &&
           !(line.len >= 4 &&
             slice_equal_folded(slice_first(line, 4), slice_of("http")));
}

int
h1_try_h2(struct h1_session *h, struct slice in, int err)
{
    struct slice preface = slice_of(PREFACE), start = slice_of(PREFACE_START);
    size_t n = in.len < preface.len ? in.len : preface.len;

    if (h->wire->service->h2 == H2_OFF || h->has_begun)
        return err;
    if (!slice_equal(slice_first(in, n), slice_first(preface, n)))
        return (in.len >= start.len &&
                slice_equal(slice_first(in, start.len), start)) ||
                       (err == ERR_REQUEST_LINE && is_foreign(in))
                   ? ERR_H2
                   : err;
    h->progress = (struct h1_progress){0};
    if (n < preface.len)
        return ERR_AGAIN;
    err = h->wire->ops->change_to_h2(h->wire, NULL, slice_of(""));
    if (err == 0)
        h->phase = H1_LEFT;
    return err;
}

/* Returns the value of one base64url digit (RFC 4648 5), or -1. */
static int
digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Decodes `text`, which has no padding; returns the number of bytes, or -1. */
static ssize_t
decode(struct slice text, char out[SETTINGS_BYTES])
{
    uint32_t bits = 0;
    unsigned nbits = 0;
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);
        if (digit < 0 || n == SETTINGS_BYTES)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        nbits += 6;
        if (nbits < 8)
            continue;
        nbits -= 8;
        out[n++] = (char)(bits >> nbits);
    }
    return text.len % 4 == 1 ? -1 : (ssize_t)n;
}

/* Returns whether the request asks for h2c: HTTP2-Settings once, and named by
 * Connection (RFC 7540 3.2.1). */
static bool
wants_h2c(const struct http_head *head, struct slice *settings)
{
    bool upgrades = false, named = false;
    unsigned n = 0;

    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id == FIELD_UPGRADE)
            upgrades = upgrades || field_list_has(field->value, "h2c");
        else if (field->id == FIELD_CONNECTION)
            named = named || field_list_has(field->value, "http2-settings");
        else if (slice_equal_folded(field->name, slice_of("http2-settings"))) {
            *settings = field->value;
            n++;
        }
    }
    return upgrades && named && n == 1;
}

bool
h1_upgrade(struct h1_session *h, const struct http_head *head)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                 "connection: Upgrade\r\nupgrade: h2c\r\n\r\n";
    struct wire *wire = h->wire;
    struct slice text = {NULL, 0};
    char settings[SETTINGS_BYTES];

    if (wire->service->h2 != H2_UPGRADE || wire->peer.tls != NULL || head->chunked ||
        (head->content_length != 0 && head->content_length != HTTP_LENGTH_NONE) ||
        !wants_h2c(head, &text))
        return false;
    ssize_t n = decode(text, settings);
    if (n < 0)
        return false;
    outq_hold(&wire->out);
    if (outq_copy(&wire->out, slice_of(answer)) != 0 ||
        wire->ops->change_to_h2(wire, head, slice_new(settings, (size_t)n)) != 0) {
        outq_take_back(&wire->out);
        return false;
    }
    outq_unhold(&wire->out);
    h->phase = H1_LEFT;
    return true;
}
