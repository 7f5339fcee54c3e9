/* SPDX-License-Identifier: MIT */
/* server/line.c — what is kept of an exchange, and its line; see format.h for the
 * contract. */
#include "http/forwarded.h"
#include "http/status.h"
#include "server/format_parts.h"

#define NS_PER_US 1000u
#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u

#define ABSENT UINT16_MAX /* a field that did not come */

/* Behind an exchange.  Places are fixed, so that what is short touches little memory. */
struct note {
    const struct format *format;
    uint16_t method_len, target_len; /* in `line`, one behind the other */
    uint16_t path_at;                /* where the path begins in the target */
    uint16_t path_len;
    uint16_t field_lens[FORMAT_FIELDS]; /* or ABSENT */
    char line[FORMAT_TARGET_BYTES];
    char fields[][FORMAT_FIELD_BYTES];
};

/* The line that is being made. */
struct pen {
    char *at;
    const char *end; /* of what the current atom may use */
    const struct format *format;
    const struct stream *s;
    const struct note *note;
    const struct format_facts *facts;
};

size_t
format_note_bytes(const struct format *format)
{
    return sizeof(struct note) + (size_t)format->nkept * FORMAT_FIELD_BYTES;
}

static void
keep_value(const struct format *f, struct note *note, const struct http_field *field,
           bool of_answer)
{
    for (uint32_t i = 0; i < f->nkept; i++) {
        const struct kept *kept = &f->kept[i];
        if (kept->of_answer != of_answer || note->field_lens[i] != ABSENT)
            continue;
        if (kept->id != FIELD_OTHER ? field->id != kept->id
                                    : !slice_equal_folded(field->name, kept->name))
            continue;
        size_t n = field->value.len;
        n = n < FORMAT_FIELD_BYTES ? n : FORMAT_FIELD_BYTES;
        if (n > 0)
            memcpy(note->fields[i], field->value.ptr, n);
        note->field_lens[i] = (uint16_t)n;
    }
}

/* The answer's fields, as the application gave them; s->on_head. */
static void
note_answer(struct stream *s, const struct http_response *res)
{
    struct note *note = s->note;

    for (uint32_t i = 0; i < res->nfields; i++)
        keep_value(note->format, note, &res->fields[i], true);
}

static uint16_t
keep_piece(char *at, size_t room, struct slice piece)
{
    size_t n = piece.len < room ? piece.len : room;

    if (n > 0)
        memcpy(at, piece.ptr, n);
    return (uint16_t)n;
}

void
format_note(const struct format *format, struct stream *s, const struct http_head *head)
{
    struct note *note = s->note;

    note->format = format;
    note->method_len = keep_piece(note->line, FORMAT_TARGET_BYTES, head->method);
    note->target_len = keep_piece(note->line + note->method_len,
                                  FORMAT_TARGET_BYTES - note->method_len, head->target);
    note->path_at = note->target_len;
    if (head->path.ptr >= head->target.ptr &&
        head->path.ptr < head->target.ptr + note->target_len)
        note->path_at = (uint16_t)(head->path.ptr - head->target.ptr);
    size_t left = (size_t)note->target_len - note->path_at;
    note->path_len = (uint16_t)(head->path.len < left ? head->path.len : left);
    for (uint32_t i = 0; i < format->nkept; i++)
        note->field_lens[i] = ABSENT;
    for (uint32_t i = 0; format->nkept > 0 && i < head->nfields; i++)
        keep_value(format, note, &head->fields[i], false);
    if (format->keeps_answer)
        s->on_head = note_answer;
}

/* Values */

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
    for (size_t i = 0; i < bytes.len; i += FORMAT_SLACK)
        memcpy(pen->at + i, bytes.ptr + i, FORMAT_SLACK);
    pen->at += bytes.len;
}

/* Two digits at a time, from behind. */
static inline void
put_number(struct pen *pen, uint64_t number)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20 + FORMAT_SLACK], *end = digits + 20, *at = end;

    for (; number >= 100; number /= 100) {
        at -= 2;
        memcpy(at, pairs + number % 100 * 2, 2);
    }
    if (number >= 10) {
        at -= 2;
        memcpy(at, pairs + number * 2, 2);
    } else {
        *--at = (char)('0' + number);
    }
    put_short(pen, slice_new(at, (size_t)(end - at)));
}

/* What others have told, and may hold anything. */
static void
put_text(struct pen *pen, struct slice text)
{
    pen->at = escape_text(pen->at, pen->end, text, pen->format->style);
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

static struct slice
scheme_of(const struct stream *s)
{
    bool is_secure = s->peer->endpoint->secure;

    if (s->forwarded != NULL && s->forwarded->has_scheme)
        is_secure = s->forwarded->is_secure;
    return slice_of(is_secure ? "https" : "http");
}

/* What a client or a proxy tells; "": it does not. */
static struct slice
told(const char *text)
{
    return text[0] == '\0' ? slice_new(NULL, 0) : slice_of(text);
}

static struct slice
request_id_of(const struct stream *s)
{
    struct slice id = forwarded_id(s->forwarded);

    return id.len > 0 ? id : slice_new(NULL, 0);
}

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

static struct slice
path_of(const struct note *note)
{
    return slice_new(target_of(note).ptr + note->path_at, note->path_len);
}

/* Behind the path's question mark. */
static struct slice
query_of(const struct note *note)
{
    size_t from = (size_t)note->path_at + note->path_len;
    struct slice rest = slice_skip(target_of(note), from);

    return rest.len > 0 && rest.ptr[0] == '?' ? slice_skip(rest, 1) : slice_new("", 0);
}

static struct slice
protocol_of(const struct stream *s)
{
    static const char *const names[] = {"HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"};

    return slice_of(names[s->version]);
}

static void
put_line(struct pen *pen)
{
    const char *end = pen->end;

    pen->end -= 10; /* of the protocol */
    put_text(pen, method_of(pen->note));
    *pen->at++ = ' ';
    pen->end = pen->end > pen->at ? pen->end : pen->at;
    put_text(pen, target_of(pen->note));
    *pen->at++ = ' ';
    pen->end = end;
    put(pen, protocol_of(pen->s));
}

/* 499, as nginx has it: no answer began before the client or the server ended it. */
static unsigned
status_of(const struct stream *s)
{
    return s->status != 0 ? s->status : 499;
}

static void
put_status(struct pen *pen)
{
    static const char *const colors[] = {"36", "32", "36", "33", "31"};
    unsigned status = status_of(pen->s);

    if (!pen->format->colors || status > 599) {
        put_number(pen, status);
        return;
    }
    put(pen, slice_of("\x1b["));
    put(pen, slice_of(colors[status / 100 - 1]));
    *pen->at++ = 'm';
    put_number(pen, status);
    put(pen, slice_of("\x1b[0m"));
}

static struct slice
phrase_of(const struct stream *s)
{
    struct slice line = status_line((int)status_of(s));

    return line.len > 4 ? slice_skip(line, 4) : slice_new("", 0);
}

/* What went out: an answer without a body has none, whatever the application gave. */
static uint64_t
bytes_out(const struct stream *s)
{
    if (!s->is_tunnel && (s->is_head || status_has_no_body(s->status)))
        return 0;
    return s->body_sent;
}

static void
put_seconds(struct pen *pen, uint64_t ns)
{
    uint64_t us = ns / NS_PER_US % 1000000u;

    put_number(pen, ns / NS_PER_S);
    *pen->at++ = '.';
    for (uint64_t unit = 100000; unit > 0; unit /= 10)
        *pen->at++ = (char)('0' + us / unit % 10);
}

/* Absent though it is neither text nor always there. */
static bool
is_absent(const struct stream *s, enum atom_kind kind)
{
    switch (kind) {
    case ATOM_UPSTREAM:
        return proxy_of(s) == NULL;
    case ATOM_QUEUE:
        return s->forwarded == NULL || s->forwarded->queued_us == FORWARDED_UNTOLD;
    case ATOM_BYTES_OR_DASH:
        return bytes_out(s) == 0;
    default:
        return false;
    }
}

static uint64_t
duration_ns(const struct pen *pen)
{
    uint64_t now = pen->facts->now_ns, began = pen->s->started_ns;

    return now > began ? now - began : 0;
}

/* The text of an atom that is one, false: it is none.  ptr NULL: it is absent. */
static bool
text_of(const struct pen *pen, const struct atom *atom, struct slice *text)
{
    const struct note *note = pen->note;

    switch (atom->kind) {
    case ATOM_FIELD:
        *text = slice_new(
            note->field_lens[atom->place] == ABSENT ? NULL : note->fields[atom->place],
            note->field_lens[atom->place]);
        return true;
    case ATOM_METHOD:
        *text = method_of(note);
        return true;
    case ATOM_TARGET:
        *text = target_of(note);
        return true;
    case ATOM_PATH:
        *text = path_of(note);
        return true;
    case ATOM_QUERY:
        *text = query_of(note);
        return true;
    case ATOM_PROTOCOL:
        *text = protocol_of(pen->s);
        return true;
    case ATOM_VERSION:
        *text = slice_skip(protocol_of(pen->s), 5);
        return true;
    case ATOM_SCHEME:
        *text = scheme_of(pen->s);
        return true;
    case ATOM_REQUEST_ID:
        *text = request_id_of(pen->s);
        return true;
    case ATOM_TRACE_ID:
        *text = pen->s->forwarded == NULL ? slice_new(NULL, 0)
                                          : told(pen->s->forwarded->trace_id);
        return true;
    case ATOM_PARENT_ID:
        *text = pen->s->forwarded == NULL ? slice_new(NULL, 0)
                                          : told(pen->s->forwarded->parent_id);
        return true;
    case ATOM_PHRASE:
        *text = phrase_of(pen->s);
        return true;
    case ATOM_TIME_COMMON:
        *text = slice_new(pen->facts->stamp->common, CLOCK_COMMON_BYTES);
        return true;
    case ATOM_TIME_ISO:
        *text = slice_new(pen->facts->stamp->iso, CLOCK_ISO_BYTES);
        return true;
    case ATOM_NONE:
        *text = slice_new(NULL, 0);
        return true;
    default:
        return false;
    }
}

static void
put_time_brackets(struct pen *pen)
{
    *pen->at++ = '[';
    put(pen, slice_new(pen->facts->stamp->common, CLOCK_COMMON_BYTES));
    *pen->at++ = ']';
}

static void
put_pid_brackets(struct pen *pen)
{
    *pen->at++ = '<';
    put_number(pen, (uint64_t)pen->facts->pid);
    *pen->at++ = '>';
}

/* What is no number, and is put together here. */
static void
put_made(struct pen *pen, enum atom_kind kind)
{
    switch (kind) {
    case ATOM_HOST:
        put_address(pen, client_of(pen->s));
        break;
    case ATOM_CLIENT_ADDR:
        put_address_and_port(pen, client_of(pen->s));
        break;
    case ATOM_UPSTREAM:
        put_address_and_port(pen, proxy_of(pen->s));
        break;
    case ATOM_TIME_BRACKETS:
        put_time_brackets(pen);
        break;
    case ATOM_PID_BRACKETS:
        put_pid_brackets(pen);
        break;
    case ATOM_LINE:
        put_line(pen);
        break;
    default:
        break;
    }
}

static void
put_figure(struct pen *pen, enum atom_kind kind)
{
    const struct stream *s = pen->s;

    switch (kind) {
    case ATOM_PORT:
        put_number(pen, client_of(s)->port);
        break;
    case ATOM_QUEUE:
        put_number(pen, s->forwarded->queued_us);
        break;
    case ATOM_STATUS:
        put_status(pen);
        break;
    case ATOM_BYTES_OR_DASH:
    case ATOM_BYTES_OUT:
        put_number(pen, bytes_out(s));
        break;
    case ATOM_BYTES_IN:
        put_number(pen, s->body_received);
        break;
    case ATOM_SECONDS:
        put_number(pen, duration_ns(pen) / NS_PER_S);
        break;
    case ATOM_MILLISECONDS:
        put_number(pen, duration_ns(pen) / NS_PER_MS);
        break;
    case ATOM_MICROSECONDS:
        put_number(pen, duration_ns(pen) / NS_PER_US);
        break;
    case ATOM_DECIMAL_SECONDS:
        put_seconds(pen, duration_ns(pen));
        break;
    case ATOM_PID:
        put_number(pen, (uint64_t)pen->facts->pid);
        break;
    default:
        break;
    }
}

static void
put_quoted(struct pen *pen, const struct atom *atom, struct slice text)
{
    *pen->at++ = '"';
    pen->end--;
    if (atom->most > 0 && atom->kind != ATOM_TRACE_ID && atom->kind != ATOM_PARENT_ID)
        put(pen, text); /* ours: it fits, and there is nothing to escape */
    else
        put_text(pen, text);
    *pen->at++ = '"';
}

static void
put_json(struct pen *pen, const struct atom *atom)
{
    struct slice text;

    if (!atom->is_figure && text_of(pen, atom, &text)) {
        if (text.ptr == NULL)
            put(pen, slice_of("null"));
        else
            put_quoted(pen, atom, text);
        return;
    }
    if (is_absent(pen->s, atom->kind)) {
        put(pen, slice_of("null"));
        return;
    }
    if (atom->is_figure) {
        put_figure(pen, atom->kind);
        return;
    }
    *pen->at++ = '"';
    pen->end--;
    put_made(pen, atom->kind);
    *pen->at++ = '"';
}

static void
put_atom(struct pen *pen, const struct atom *atom)
{
    struct slice text;

    if (atom->is_json) {
        put_json(pen, atom);
    } else if (!atom->is_figure && text_of(pen, atom, &text)) {
        put_text(pen, text.ptr != NULL ? text : slice_of("-"));
    } else if (is_absent(pen->s, atom->kind)) {
        *pen->at++ = '-';
    } else if (atom->is_figure) {
        put_figure(pen, atom->kind);
    } else {
        put_made(pen, atom->kind);
    }
}

size_t
format_line(const struct format *format, const struct stream *s,
            const struct format_facts *facts, char *out)
{
    struct pen pen = {
        .at = out, .format = format, .s = s, .note = s->note, .facts = facts};

    for (uint32_t i = 0; i < format->natoms; i++) {
        const struct atom *atom = &format->atoms[i];
        put_short(&pen, atom->before);
        pen.end = out + FORMAT_LINE_BYTES - atom->tail;
        put_atom(&pen, atom);
    }
    put_short(&pen, format->last);
    *pen.at++ = '\n';
    return (size_t)(pen.at - out);
}
