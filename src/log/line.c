/* SPDX-License-Identifier: MIT */
/* log/line.c — the line of an exchange; see format.h for the contract.
 *
 * The kind of an atom leads to the function that writes its value: a line of twenty
 * atoms is twenty calls, without a decision in between. */
#include "http/forwarded.h"

#include <assert.h> /* assert */
#include "http/accept.h"
#include "http/status.h"
#include "log/format_parts.h"

#define NS_PER_US 1000u
#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u

/* The line being written. */
struct pen {
    char *at;
    const char *end;         /* end of what the current atom may use */
    const struct atom *atom; /* the current one */
    const struct format *format;
    const struct stream *s;
    const struct note *note;
    const struct format_facts *facts;
};

/* Writing */

static inline void
line_put(struct pen *pen, struct slice bytes)
{
    memcpy(pen->at, bytes.ptr, bytes.len);
    pen->at += bytes.len;
}

/* Copies a short text that is followed by FORMAT_SLACK in whole words, because a
 * call of memcpy takes longer than most copies. */
static inline void
put_short(struct pen *pen, struct slice bytes)
{
    char *at = pen->at; /* the compiler cannot know that no byte overlaps `pen` */

    for (size_t i = 0; i < bytes.len; i += FORMAT_SLACK)
        memcpy(at + i, bytes.ptr + i, FORMAT_SLACK);
    pen->at = at + bytes.len;
}

static inline unsigned
count_digits(uint64_t number)
{
    unsigned n = 1;

    for (; number >= 10000; number /= 10000)
        n += 4;
    return n + (number >= 10) + (number >= 100) + (number >= 1000);
}

/* Two digits at a time, from the end. */
static inline void
line_put_number(struct pen *pen, uint64_t number)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char *at = pen->at + count_digits(number);

    pen->at = at;
    for (; number >= 100; number /= 100)
        memcpy(at -= 2, pairs + number % 100 * 2, 2);
    if (number >= 10)
        memcpy(at - 2, pairs + number * 2, 2);
    else
        at[-1] = (char)('0' + number);
}

/* Writes a value from a client, which may contain any bytes. Returns true. */
static bool
put_text(struct pen *pen, struct slice text)
{
    assert(text.ptr != NULL);
    pen->at = escape_text(pen->at, pen->end, text, pen->atom->style);
    return true;
}

static void
put_address(struct pen *pen, const struct peer_addr *addr)
{
    char host[PEER_HOST_BYTES];

    if (addr->kind == PEER_IPV4) {
        for (int i = 0; i < 4; i++) {
            if (i > 0)
                *pen->at++ = '.';
            line_put_number(pen, addr->bytes[i]);
        }
        return;
    }
    size_t n = peer_addr_text(addr, host);
    line_put(pen, n > 0 ? slice_new(host, n) : slice_of("unix"));
}

/* "127.0.0.1:54321", as uvicorn logs a client. */
static void
put_address_and_port(struct pen *pen, const struct peer_addr *addr)
{
    if (addr->kind == PEER_IPV6)
        *pen->at++ = '[';
    put_address(pen, addr);
    if (addr->kind == PEER_IPV6)
        *pen->at++ = ']';
    if (addr->kind == PEER_NONE)
        return;
    *pen->at++ = ':';
    line_put_number(pen, addr->port);
}

/* Values: each row of atoms.def has one function that writes it, or returns false if
 * there is no value and writes nothing. */

static bool
put_nothing(struct pen *pen)
{
    (void)pen;
    return false;
}

/* Who */

static const struct peer_addr *
line_client_of(const struct stream *s)
{
    return forwarded_client(s->peer, s->forwarded);
}

/* Returns the proxy that reported the client, or NULL. */
static const struct peer_addr *
proxy_of(const struct stream *s)
{
    if (s->forwarded != NULL && s->forwarded->has_client)
        return &s->peer->addr;
    return s->peer->via.kind != PEER_NONE ? &s->peer->via : NULL;
}

static bool
put_host(struct pen *pen)
{
    put_address(pen, line_client_of(pen->s));
    return true;
}

static bool
put_port(struct pen *pen)
{
    line_put_number(pen, line_client_of(pen->s)->port);
    return true;
}

static bool
put_client_addr(struct pen *pen)
{
    put_address_and_port(pen, line_client_of(pen->s));
    return true;
}

static bool
put_upstream(struct pen *pen)
{
    const struct peer_addr *proxy = proxy_of(pen->s);

    if (proxy == NULL)
        return false;
    put_address_and_port(pen, proxy);
    return true;
}

/* When */

static bool
put_time_common(struct pen *pen)
{
    line_put(pen, slice_new(pen->facts->stamp->common, CLOCK_COMMON_BYTES));
    return true;
}

static bool
put_time_brackets(struct pen *pen)
{
    *pen->at++ = '[';
    (void)put_time_common(pen);
    *pen->at++ = ']';
    return true;
}

static bool
put_time_iso(struct pen *pen)
{
    line_put(pen, slice_new(pen->facts->stamp->iso, CLOCK_ISO_BYTES));
    return true;
}

/* The request */

static struct slice
line_method_of(const struct note *note)
{
    return slice_new(note->line, note->method_len);
}

static struct slice
target_of(const struct note *note)
{
    return slice_new(note->line + note->method_len, note->target_len);
}

static bool
put_method(struct pen *pen)
{
    return put_text(pen, line_method_of(pen->note));
}

static bool
put_target(struct pen *pen)
{
    return put_text(pen, target_of(pen->note));
}

static bool
put_path(struct pen *pen)
{
    const struct note *note = pen->note;

    return put_text(pen,
                    slice_new(target_of(note).ptr + note->path_at, note->path_len));
}

/* The part after the path's question mark. */
static bool
put_query(struct pen *pen)
{
    const struct note *note = pen->note;
    size_t from = (size_t)note->path_at + note->path_len;
    struct slice rest = slice_skip(target_of(note), from);

    if (rest.len > 0 && rest.ptr[0] == '?')
        return put_text(pen, slice_skip(rest, 1));
    return !pen->atom->may_go; /* otherwise it is an empty text */
}

static struct slice
protocol_of(const struct stream *s)
{
    static const char *const names[] = {"HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"};

    return slice_new(names[s->version], s->version < HTTP_2 ? 8 : 6);
}

static bool
put_protocol(struct pen *pen)
{
    line_put(pen, protocol_of(pen->s));
    return true;
}

static bool
put_version(struct pen *pen)
{
    line_put(pen, slice_skip(protocol_of(pen->s), sizeof "HTTP/" - 1));
    return true;
}

static bool
put_line(struct pen *pen)
{
    const char *end = pen->end;

    pen->end -= 10; /* of the protocol */
    (void)put_text(pen, line_method_of(pen->note));
    *pen->at++ = ' ';
    pen->end = pen->end > pen->at ? pen->end : pen->at;
    (void)put_text(pen, target_of(pen->note));
    *pen->at++ = ' ';
    pen->end = end;
    line_put(pen, protocol_of(pen->s));
    return true;
}

static bool
put_scheme(struct pen *pen)
{
    const struct stream *s = pen->s;
    bool is_secure = s->peer->endpoint->secure;

    if (s->forwarded != NULL && s->forwarded->has_scheme)
        is_secure = s->forwarded->is_secure;
    line_put(pen, slice_of(is_secure ? "https" : "http"));
    return true;
}

static bool
line_put_field(struct pen *pen)
{
    const struct note *note = pen->note;
    uint32_t place = pen->atom->place;
    uint16_t n = note->field_lens[place];

    return n != NOTE_ABSENT && put_text(pen, slice_new(note->fields[place], n));
}

/* Values from a client or a proxy; "": none. */
static bool
put_told(struct pen *pen, const char *text)
{
    return text[0] != '\0' && put_text(pen, slice_of(text));
}

static bool
put_request_id(struct pen *pen)
{
    struct slice id = forwarded_id(pen->s->forwarded);

    return id.len > 0 && put_text(pen, id);
}

static bool
put_trace_id(struct pen *pen)
{
    const struct forwarded *forwarded = pen->s->forwarded;

    return forwarded != NULL && put_told(pen, forwarded->trace_id);
}

static bool
put_parent_id(struct pen *pen)
{
    const struct forwarded *forwarded = pen->s->forwarded;

    return forwarded != NULL && put_told(pen, forwarded->parent_id);
}

/* The result */

/* 499, as in nginx: the client or the server ended the exchange before a response
 * began. */
static unsigned
status_of(const struct stream *s)
{
    return s->status != 0 ? s->status : 499;
}

static bool
put_status(struct pen *pen)
{
    static const char *const colors[] = {"36", "32", "36", "33", "31"};
    unsigned status = status_of(pen->s);

    if (!pen->format->colors || pen->atom->is_json || status > 599) {
        line_put_number(pen, status);
        return true;
    }
    line_put(pen, slice_of("\x1b["));
    line_put(pen, slice_of(colors[status / 100 - 1]));
    *pen->at++ = 'm';
    line_put_number(pen, status);
    line_put(pen, slice_of("\x1b[0m"));
    return true;
}

static bool
put_phrase(struct pen *pen)
{
    struct slice line = status_line((int)status_of(pen->s));

    if (line.len > 4)
        line_put(pen, slice_skip(line, 4));
    return true;
}

/* The bytes sent: a response without a body has none, whatever the application gave. */
static uint64_t
bytes_out(const struct stream *s)
{
    if (!s->is_tunnel && (s->is_head || status_has_no_body(s->status)))
        return 0;
    return s->coding != CODING_IDENTITY ? s->coded_sent : s->body_sent;
}

static bool
put_coding(struct pen *pen)
{
    if (pen->s->coding == CODING_IDENTITY)
        return false;
    line_put(pen, coding_name(pen->s->coding));
    return true;
}

/* The body's bytes before it was encoded. */
static bool
put_bytes_plain(struct pen *pen)
{
    line_put_number(pen, bytes_out(pen->s) > 0 ? pen->s->body_sent : 0);
    return true;
}

static bool
put_bytes_out(struct pen *pen)
{
    line_put_number(pen, bytes_out(pen->s));
    return true;
}

static bool
put_bytes_or_dash(struct pen *pen)
{
    return bytes_out(pen->s) > 0 && put_bytes_out(pen);
}

static bool
put_bytes_in(struct pen *pen)
{
    line_put_number(pen, pen->s->body_received);
    return true;
}

/* The duration */

static uint64_t
duration_ns(const struct pen *pen)
{
    uint64_t now = pen->facts->now_ns, began = pen->s->started_ns;

    return now > began ? now - began : 0;
}

static bool
put_seconds(struct pen *pen)
{
    line_put_number(pen, duration_ns(pen) / NS_PER_S);
    return true;
}

static bool
put_milliseconds(struct pen *pen)
{
    line_put_number(pen, duration_ns(pen) / NS_PER_MS);
    return true;
}

static bool
put_microseconds(struct pen *pen)
{
    line_put_number(pen, duration_ns(pen) / NS_PER_US);
    return true;
}

static bool
put_decimal_seconds(struct pen *pen)
{
    uint64_t us = duration_ns(pen) / NS_PER_US;

    line_put_number(pen, us / 1000000u);
    *pen->at++ = '.';
    for (uint64_t unit = 100000; unit > 0; unit /= 10)
        *pen->at++ = (char)('0' + us / unit % 10);
    return true;
}

static bool
put_queue(struct pen *pen)
{
    const struct forwarded *forwarded = pen->s->forwarded;

    if (forwarded == NULL || forwarded->queued_us == FORWARDED_UNKNOWN)
        return false;
    line_put_number(pen, forwarded->queued_us);
    return true;
}

static bool
put_static(struct pen *pen)
{
    if (!pen->s->is_static)
        return false;
    line_put(pen, slice_of("file"));
    return true;
}

static bool
put_cache(struct pen *pen)
{
    static const char *const words[] = {
        [STREAM_HIT] = "hit",
        [STREAM_STALE] = "stale",
        [STREAM_REVALIDATED] = "revalidated",
        [STREAM_COLLAPSED] = "collapsed",
        [STREAM_MISS] = "miss",
        [STREAM_PASSED] = "pass",
    };

    assert(pen->s->cached < COUNT(words));
    if (pen->s->cached == STREAM_UNCACHED)
        return false;
    line_put(pen, slice_of(words[pen->s->cached]));
    return true;
}

/* Where */

static bool
put_pid(struct pen *pen)
{
    line_put_number(pen, (uint64_t)pen->facts->pid);
    return true;
}

static bool
put_pid_brackets(struct pen *pen)
{
    *pen->at++ = '<';
    (void)put_pid(pen);
    *pen->at++ = '>';
    return true;
}

/* Lines */

static bool (*const values[])(struct pen *) = {
    [ATOM_FIELD] = line_put_field,
#define ATOM(kind, value, ...) [ATOM_##kind] = (value),
#include "log/atoms.def"
#undef ATOM
};

/* Writes the current atom, with the literal before it. */
static void
put_atom(struct pen *pen)
{
    const struct atom *atom = pen->atom;
    char *begin = pen->at;

    put_short(pen, atom->before);
    if (atom->kind == ATOM_EMPTY)
        return;
    char *value = pen->at;
    if (atom->is_quoted) {
        *pen->at++ = '"';
        pen->end--;
    }
    bool is_there = values[atom->kind](pen);
    if (is_there && atom->is_quoted) {
        *pen->at++ = '"';
    } else if (!is_there && atom->may_go) {
        pen->at = begin;
    } else if (!is_there) {
        pen->at = value;
        line_put(pen, atom->is_json ? slice_of("null") : slice_of("-"));
    }
}

size_t
format_line(const struct format *format, const struct stream *s,
            const struct format_facts *facts, char *out)
{
    struct pen pen = {
        .at = out, .format = format, .s = s, .note = s->note, .facts = facts};

    for (uint32_t i = 0; i < format->natoms; i++) {
        pen.atom = &format->atoms[i];
        pen.end = out + FORMAT_LINE_BYTES - pen.atom->tail;
        put_atom(&pen);
    }
    put_short(&pen, format->last);
    *pen.at++ = '\n';
    assert(pen.at <= out + FORMAT_LINE_BYTES);
    return (size_t)(pen.at - out);
}
