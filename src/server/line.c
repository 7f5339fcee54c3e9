/* SPDX-License-Identifier: MIT */
/* server/line.c — the line of an exchange; see format.h for the contract.
 *
 * The kind of an atom leads to the function that writes its value: a line of twenty atoms
 * is twenty calls, without a decision in between. */
#include "http/forwarded.h"

#include <assert.h> /* assert */
#include "http/status.h"
#include "server/format_parts.h"

#define NS_PER_US 1000u
#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u

/* The line that is being made. */
struct pen {
    char *at;
    const char *end;         /* of what the current atom may use */
    const struct atom *atom; /* the current one */
    const struct format *format;
    const struct stream *s;
    const struct note *note;
    const struct format_facts *facts;
};

/* Writing */

static inline void
put(struct pen *pen, struct slice bytes)
{
    memcpy(pen->at, bytes.ptr, bytes.len);
    pen->at += bytes.len;
}

/* What is short, and behind which there is FORMAT_SLACK: by whole words, since a call of
 * memcpy takes longer than most of them. */
static inline void
put_short(struct pen *pen, struct slice bytes)
{
    char *at = pen->at; /* the compiler cannot know that no byte goes to `pen` */

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

/* Two digits at a time, from behind. */
static inline void
put_number(struct pen *pen, uint64_t number)
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

/* What others have told, and may hold anything.  Returns false where it is absent: its ptr
 * is NULL. */
static bool
put_text(struct pen *pen, struct slice text)
{
    if (text.ptr == NULL)
        return false;
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
            put_number(pen, addr->bytes[i]);
        }
        return;
    }
    size_t n = peer_addr_text(addr, host);
    put(pen, n > 0 ? slice_new(host, n) : slice_of("unix"));
}

/* "127.0.0.1:54321", as uvicorn calls a client. */
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
    put_number(pen, addr->port);
}

/* Values: one function for each row of atoms.def writes it, or returns false where there
 * is nothing to tell, and has written nothing then. */

static bool
put_nothing(struct pen *pen)
{
    (void)pen;
    return false;
}

/* Who */

static const struct peer_addr *
client_of(const struct stream *s)
{
    return forwarded_client(s->peer, s->forwarded);
}

/* The proxy that has named the client, or NULL. */
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
    put_address(pen, client_of(pen->s));
    return true;
}

static bool
put_port(struct pen *pen)
{
    put_number(pen, client_of(pen->s)->port);
    return true;
}

static bool
put_client_addr(struct pen *pen)
{
    put_address_and_port(pen, client_of(pen->s));
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
    put(pen, slice_new(pen->facts->stamp->common, CLOCK_COMMON_BYTES));
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
    put(pen, slice_new(pen->facts->stamp->iso, CLOCK_ISO_BYTES));
    return true;
}

/* What was asked for */

static struct slice
method_of(const struct note *note)
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
    return put_text(pen, method_of(pen->note));
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

/* Behind the path's question mark. */
static bool
put_query(struct pen *pen)
{
    const struct note *note = pen->note;
    size_t from = (size_t)note->path_at + note->path_len;
    struct slice rest = slice_skip(target_of(note), from);

    if (rest.len > 0 && rest.ptr[0] == '?')
        return put_text(pen, slice_skip(rest, 1));
    return !pen->atom->may_go; /* else it is an empty text */
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
    put(pen, protocol_of(pen->s));
    return true;
}

static bool
put_version(struct pen *pen)
{
    put(pen, slice_skip(protocol_of(pen->s), sizeof "HTTP/" - 1));
    return true;
}

static bool
put_line(struct pen *pen)
{
    const char *end = pen->end;

    pen->end -= 10; /* of the protocol */
    (void)put_text(pen, method_of(pen->note));
    *pen->at++ = ' ';
    pen->end = pen->end > pen->at ? pen->end : pen->at;
    (void)put_text(pen, target_of(pen->note));
    *pen->at++ = ' ';
    pen->end = end;
    put(pen, protocol_of(pen->s));
    return true;
}

static bool
put_scheme(struct pen *pen)
{
    const struct stream *s = pen->s;
    bool is_secure = s->peer->endpoint->secure;

    if (s->forwarded != NULL && s->forwarded->has_scheme)
        is_secure = s->forwarded->is_secure;
    put(pen, slice_of(is_secure ? "https" : "http"));
    return true;
}

static bool
put_field(struct pen *pen)
{
    const struct note *note = pen->note;
    uint32_t place = pen->atom->place;
    uint16_t n = note->field_lens[place];

    return n != NOTE_ABSENT && put_text(pen, slice_new(note->fields[place], n));
}

/* What a client or a proxy tells; "": it does not. */
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
    const struct forwarded *told = pen->s->forwarded;

    return told != NULL && put_told(pen, told->trace_id);
}

static bool
put_parent_id(struct pen *pen)
{
    const struct forwarded *told = pen->s->forwarded;

    return told != NULL && put_told(pen, told->parent_id);
}

/* What became of it */

/* 499, as nginx has it: no answer began before the client or the server ended it. */
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
        put_number(pen, status);
        return true;
    }
    put(pen, slice_of("\x1b["));
    put(pen, slice_of(colors[status / 100 - 1]));
    *pen->at++ = 'm';
    put_number(pen, status);
    put(pen, slice_of("\x1b[0m"));
    return true;
}

static bool
put_phrase(struct pen *pen)
{
    struct slice line = status_line((int)status_of(pen->s));

    if (line.len > 4)
        put(pen, slice_skip(line, 4));
    return true;
}

/* What went out: an answer without a body has none, whatever the application gave. */
static uint64_t
bytes_out(const struct stream *s)
{
    if (!s->is_tunnel && (s->is_head || status_has_no_body(s->status)))
        return 0;
    return s->body_sent;
}

static bool
put_bytes_out(struct pen *pen)
{
    put_number(pen, bytes_out(pen->s));
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
    put_number(pen, pen->s->body_received);
    return true;
}

/* How long it took */

static uint64_t
duration_ns(const struct pen *pen)
{
    uint64_t now = pen->facts->now_ns, began = pen->s->started_ns;

    return now > began ? now - began : 0;
}

static bool
put_seconds(struct pen *pen)
{
    put_number(pen, duration_ns(pen) / NS_PER_S);
    return true;
}

static bool
put_milliseconds(struct pen *pen)
{
    put_number(pen, duration_ns(pen) / NS_PER_MS);
    return true;
}

static bool
put_microseconds(struct pen *pen)
{
    put_number(pen, duration_ns(pen) / NS_PER_US);
    return true;
}

static bool
put_decimal_seconds(struct pen *pen)
{
    uint64_t us = duration_ns(pen) / NS_PER_US;

    put_number(pen, us / 1000000u);
    *pen->at++ = '.';
    for (uint64_t unit = 100000; unit > 0; unit /= 10)
        *pen->at++ = (char)('0' + us / unit % 10);
    return true;
}

static bool
put_queue(struct pen *pen)
{
    const struct forwarded *told = pen->s->forwarded;

    if (told == NULL || told->queued_us == FORWARDED_UNTOLD)
        return false;
    put_number(pen, told->queued_us);
    return true;
}

/* Where */

static bool
put_pid(struct pen *pen)
{
    put_number(pen, (uint64_t)pen->facts->pid);
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
    [ATOM_FIELD] = put_field,
#define ATOM(kind, value, ...) [ATOM_##kind] = (value),
#include "server/atoms.def"
#undef ATOM
};

/* The current atom, with the literal in front of it. */
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
        put(pen, atom->is_json ? slice_of("null") : slice_of("-"));
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
