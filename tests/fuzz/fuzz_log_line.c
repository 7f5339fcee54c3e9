/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_log_line.c — any bytes as a format of the access log, and any
 * bytes as the client's part of a line: method, target and fields. A line is one line:
 * it ends with its only newline, has no other control character, and a line of a JSON
 * format is JSON. */
#include <stdint.h> /* uint8_t */
#include <stdlib.h> /* malloc, free, calloc */

#include "http/peer.h"
#include "log/format.h"
#include "check.h"

/* JSON (RFC 8259), as far as a line has it: an object of texts, numbers and
 * literals. */

struct json {
    const char *at, *end;
};

static bool
take(struct json *json, char byte)
{
    if (json->at == json->end || *json->at != byte)
        return false;
    json->at++;
    return true;
}

static void
take_blanks(struct json *json)
{
    while (take(json, ' '))
        ;
}

static bool
take_text(struct json *json)
{
    if (!take(json, '"'))
        return false;
    while (json->at < json->end && *json->at != '"') {
        if ((uint8_t)*json->at < 0x20)
            return false;
        if (take(json, '\\')) {
            if (json->at == json->end || strchr("\"\\/bfnrtu", *json->at) == NULL)
                return false;
            if (*json->at == 'u' &&
                (json->end - json->at < 5 ||
                 strspn(json->at + 1, "0123456789abcdefABCDEF") < 4))
                return false;
        }
        json->at++;
    }
    return take(json, '"');
}

static bool
take_value(struct json *json)
{
    if (json->at < json->end && *json->at == '"')
        return take_text(json);
    size_t n = strspn(json->at, "0123456789-+.eEnultrasf");
    json->at += n;
    return n > 0;
}

static bool
is_json(struct json json)
{
    if (!take(&json, '{'))
        return false;
    take_blanks(&json);
    if (!take(&json, '}')) {
        do {
            take_blanks(&json);
            if (!take_text(&json))
                return false;
            take_blanks(&json);
            if (!take(&json, ':'))
                return false;
            take_blanks(&json);
            if (!take_value(&json))
                return false;
            take_blanks(&json);
        } while (take(&json, ','));
        if (!take(&json, '}'))
            return false;
    }
    return json.at == json.end;
}

/* The exchange */

static struct http_field fields[] = {
    {.name = {"user-agent", 10}, .id = FIELD_USER_AGENT},
    {.name = {"referer", 7}, .id = FIELD_REFERER},
    {.name = {"x-any", 5}},
};

/* Parts of the input, without line feeds, which would end them in a request. */
static struct slice
next_part(struct slice *in)
{
    const char *end = memchr(in->ptr, '\n', in->len);
    size_t n = end != NULL ? (size_t)(end - in->ptr) : in->len;
    struct slice part = slice_first(*in, n);

    *in = slice_skip(*in, end != NULL ? n + 1 : n);
    return part;
}

static void
check_line(const struct format *format, struct slice in, bool json)
{
    static struct endpoint endpoint = {.host = "127.0.0.1", .port = 8000};
    struct peer peer = {.endpoint = &endpoint};
    struct stream s = {.peer = &peer, .status = 200, .body_sent = 13};
    struct http_head head = {.fields = fields, .nfields = COUNT(fields)};
    struct clock_stamp stamp = {.s = -1};
    struct clock clock;
    char *out = malloc(FORMAT_LINE_BYTES + FORMAT_SLACK);

    head.method = next_part(&in);
    head.target = next_part(&in);
    for (size_t i = 0; i < COUNT(fields); i++)
        fields[i].value = next_part(&in);
    s.note = calloc(1, format_note_bytes(format) + 1);
    CHECK(out != NULL && s.note != NULL);
    clock_init(&clock);
    clock_stamp(&stamp, &clock);
    format_note(format, &s, &head);
    const struct format_facts facts = {.stamp = &stamp, .now_ns = clock.ns, .pid = 1};
    size_t n = format_line(format, &s, &facts, out);
    CHECK(n > 0 && n <= FORMAT_LINE_BYTES && out[n - 1] == '\n');
    for (size_t i = 0; i + 1 < n; i++)
        CHECK((uint8_t)out[i] >= 0x20 && out[i] != 0x7f);
    if (json) {
        out[n - 1] = '\0';
        CHECK(is_json((struct json){out, out + n - 1}));
    }
    free(out);
    free(s.note);
}

static void
check_format(struct slice text, struct slice in, bool json)
{
    struct format *format;
    char why[FORMAT_WHY_BYTES];

    if (format_new(text, false, &format, why) != 0) {
        CHECK(memchr(why, '\0', sizeof why) != NULL);
        return;
    }
    check_line(format, in, json);
    format_free(format);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);

    CHECK(copy != NULL);
    memcpy(copy, data, size);
    struct slice in = slice_new(copy, size), rest = in;
    check_format(slice_of("combined"), in, false);
    check_format(slice_of("json"), in, true);
    check_format(slice_of("{\"a\":%(m)j, \"b\":%({x-any}i)j, \"c\": %(s)j}"), in, true);
    struct slice text = next_part(&rest);
    check_format(text, rest, false);
    free(copy);
    return 0;
}
