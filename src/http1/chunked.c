/* SPDX-License-Identifier: MIT */
/* http1/chunked.c — see chunked.h for the contract.
 *
 * Framing is decoded by a state machine byte by byte, so that it may stop anywhere;
 * data is returned as one slice. Three kinds of step alternate: size lines (with
 * their extensions), the CR LF after data, and trailer lines. */
#include "http1/chunked.h"

#include <assert.h> /* assert */

#include "base/err.h" /* ERR_* */
#include "base/narrow.h"
#include "http/field.h" /* is_token_byte, field_value_span */

#define SIZE_DIGITS_MAX 16

enum state {
    /* 0 to SIZE_DIGITS_MAX: the number of digits of a chunk size that were read. */
    SIZE = 0,
    SIZE_LF = SIZE_DIGITS_MAX + 1, /* the CR of a size line was read */
    EXT_NAME_FIRST,                /* after ";" */
    EXT_NAME,
    EXT_VALUE_FIRST, /* after "=" */
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED, /* after a backslash in quotes */
    EXT_END,     /* after the closing quote */
    DATA,
    DATA_CR, /* all data was returned */
    DATA_LF,
    LINE_FIRST, /* of a trailer line, or of the empty line */
    LINE_NAME,
    LINE_VALUE,
    LINE_LF,
    LAST_LF, /* the CR of the empty line was read */
};

/* Fields that frame a message, route it or describe its content are not allowed in a
 * trailer (RFC 9110 6.5.1): they would mislead a program that merges them into the
 * head. */
#define NAME(text) {text, sizeof text - 1}
static const struct slice forbidden[] = {
    NAME("content-length"),
    NAME("transfer-encoding"),
    NAME("host"),
    NAME("connection"),
    NAME("upgrade"),
    NAME("te"),
    NAME("trailer"),
    NAME("expect"),
    NAME("content-type"),
    NAME("content-encoding"),
    NAME("content-range"),
    NAME("authorization"),
    NAME("cookie"),
    NAME("forwarded"),
    NAME("x-forwarded-for"),
    NAME("x-forwarded-host"),
    NAME("x-forwarded-proto"),
    NAME("x-real-ip"),
};
#define FORBIDDEN (sizeof forbidden / sizeof forbidden[0])
static_assert(FORBIDDEN < 32, "one bit of trailer_alike each");

/* Returns 0 to 15, or 16 if `byte` is not a hexadecimal digit. */
static unsigned
hex_digit(uint8_t byte)
{
    unsigned digit = byte - (unsigned)'0';
    if (digit <= 9)
        return digit;
    unsigned letter = (byte | 0x20u) - (unsigned)'a';
    return letter <= 5 ? letter + 10 : 16;
}

/* What may follow the size, an extension's name or its value. */
static int
step_line_end(uint8_t byte)
{
    if (byte == '\r')
        return SIZE_LF;
    return byte == ';' ? EXT_NAME_FIRST : ERR_CHUNK_SIZE;
}

static int
step_size(struct h1_chunked *c, uint8_t byte)
{
    unsigned digit = hex_digit(byte);
    if (digit < 16) {
        if (c->state == SIZE_DIGITS_MAX || c->left > (uint64_t)INT64_MAX >> 4)
            return ERR_CHUNK_SIZE;
        c->left = c->left << 4 | digit;
        return c->state + 1;
    }
    return c->state == SIZE ? ERR_CHUNK_SIZE : step_line_end(byte);
}

/* Inside the quotes of an extension's value (RFC 9110 5.6.4), or immediately after
 * them. */
static int
step_quoted(struct h1_chunked *c, uint8_t byte)
{
    const char text = (char)byte;
    if (c->state == EXT_END)
        return step_line_end(byte);
    if (c->state == EXT_QUOTED && byte == '"')
        return EXT_END;
    if (c->state == EXT_QUOTED && byte == '\\')
        return EXT_ESCAPED;
    return field_value_span(&text, 1) == 1 ? EXT_QUOTED : ERR_CHUNK_SIZE;
}

/* RFC 9112 7.1.1, without the white space that it allows only for historical
 * senders. */
static int
step_ext(struct h1_chunked *c, uint8_t byte)
{
    switch (c->state) {
    case EXT_NAME_FIRST:
        return is_token_byte(byte) ? EXT_NAME : ERR_CHUNK_SIZE;
    case EXT_NAME:
        if (is_token_byte(byte))
            return EXT_NAME;
        return byte == '=' ? EXT_VALUE_FIRST : step_line_end(byte);
    case EXT_VALUE_FIRST:
        if (byte == '"')
            return EXT_QUOTED;
        return is_token_byte(byte) ? EXT_TOKEN : ERR_CHUNK_SIZE;
    case EXT_TOKEN:
        return is_token_byte(byte) ? EXT_TOKEN : step_line_end(byte);
    default:
        assert(c->state == EXT_QUOTED || c->state == EXT_ESCAPED ||
               c->state == EXT_END);
        return step_quoted(c, byte);
    }
}

/* Any byte that is neither data nor part of a trailer. */
static int
step_chunk(struct h1_chunked *c, uint8_t byte)
{
    switch (c->state) {
    case SIZE_LF:
        if (byte != '\n')
            return ERR_CHUNK_SIZE;
        return c->left > 0 ? DATA : LINE_FIRST;
    case DATA_CR:
        return byte == '\r' ? DATA_LF : ERR_CHUNK_DATA;
    case DATA_LF:
        return byte == '\n' ? SIZE : ERR_CHUNK_DATA;
    default:
        return c->state <= SIZE_DIGITS_MAX ? step_size(c, byte) : step_ext(c, byte);
    }
}

/* Reads the next byte of a trailer's name, which is a token byte. */
static int
step_trailer_name(struct h1_chunked *c, uint8_t byte)
{
    char lower = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
    for (unsigned i = 0; i < FORBIDDEN; i++) {
        if (c->trailer_name >= forbidden[i].len ||
            forbidden[i].ptr[c->trailer_name] != lower)
            c->trailer_alike &= ~(1u << i);
    }
    c->trailer_name++;
    return LINE_NAME;
}

/* Called after the colon, when the name is complete. */
static int
step_trailer_colon(const struct h1_chunked *c)
{
    for (unsigned i = 0; i < FORBIDDEN; i++) {
        if ((c->trailer_alike >> i & 1) != 0 && c->trailer_name == forbidden[i].len)
            return ERR_TRAILER;
    }
    return LINE_VALUE;
}

static int
step_trailer(struct h1_chunked *c, const struct http_limits *limits, uint8_t byte)
{
    const char text = (char)byte;
    if (c->trailer_bytes == limits->trailer_bytes)
        return ERR_TRAILER_TOO_LARGE;
    c->trailer_bytes++;
    switch (c->state) {
    case LINE_FIRST:
        if (byte == '\r')
            return LAST_LF;
        if (!is_token_byte(byte))
            return ERR_TRAILER;
        if (c->trailer_fields == limits->trailer_fields)
            return ERR_TOO_MANY_TRAILERS;
        c->trailer_fields++;
        c->trailer_name = 0;
        c->trailer_alike = (1u << FORBIDDEN) - 1;
        return step_trailer_name(c, byte);
    case LINE_NAME:
        if (byte == ':')
            return step_trailer_colon(c);
        return is_token_byte(byte) ? step_trailer_name(c, byte) : ERR_TRAILER;
    case LINE_VALUE:
        if (byte == '\r')
            return LINE_LF;
        return field_value_span(&text, 1) == 1 ? LINE_VALUE : ERR_TRAILER;
    case LINE_LF:
        return byte == '\n' ? LINE_FIRST : ERR_TRAILER;
    default:
        assert(c->state == LAST_LF);
        c->ended = byte == '\n';
        return c->ended ? SIZE : ERR_TRAILER;
    }
}

/* Returns the available data of the current chunk. */
static int
take_data(struct h1_chunked *c, struct slice *in, struct slice *data)
{
    size_t n = in->len < c->left ? in->len : (size_t)c->left;
    *data = slice_first(*in, n);
    *in = slice_skip(*in, n);
    c->left -= n;
    c->body_bytes += n;
    if (c->left == 0)
        c->state = DATA_CR;
    return 0;
}

void
h1_chunked_tick(struct h1_chunked *c, uint64_t now_ms)
{
    assert(now_ms >= c->second_ms);
    if (now_ms - c->second_ms < 1000)
        return;
    c->second_ms = now_ms;
    if (c->framing_bytes > c->body_bytes)
        c->framing_bytes = c->body_bytes;
}

int
h1_chunked_decode(struct h1_chunked *c, const struct http_limits *limits,
                  struct slice *in, struct slice *data)
{
    *data = slice_new(in->ptr, 0);
    while (!c->ended) {
        if (in->len == 0)
            return ERR_AGAIN;
        if (c->state == DATA)
            return take_data(c, in, data);

        uint8_t byte = (uint8_t)in->ptr[0];
        int next;
        *in = slice_skip(*in, 1);
        if (c->state >= LINE_FIRST) {
            next = step_trailer(c, limits, byte);
        } else {
            c->framing_bytes++;
            if (c->framing_bytes > c->body_bytes + limits->chunk_overhead_bytes)
                return ERR_CHUNK_OVERHEAD;
            next = step_chunk(c, byte);
        }
        if (next < 0)
            return next;
        c->state = narrow_u8((uint64_t)next);
    }
    return 0;
}
