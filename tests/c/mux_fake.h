/* SPDX-License-Identifier: MIT */
/* tests/c/mux_fake.h — a protocol on a mux whose library keeps heads in memory and takes
 * bodies as far as a test allows; every call is recorded. Header only, on
 * fake_wire.h. */
#ifndef TESTS_MUX_FAKE_H
#define TESTS_MUX_FAKE_H

#include "fake_wire.h"
#include "http/mux.h"
#include "http/mux_exchange.h"
#include "tap.h"

/* One exchange, and what its handler does. */
struct fake_stream {
    struct mux_exchange mux;
    const char *name;
    bool rests;    /* on_writable calls stream_rest() */
    bool responds; /* on_request sends a response of 5 bytes */
    bool is_ended;
};

static struct fake fake;
static struct {
    struct mux mux;
    size_t keeps;       /* what a reset must keep of a body */
    bool has_no_memory; /* each call that can fails */
    char log[512];      /* what was called, in order */
} lib;
static struct fake_stream one = {.name = "one"}, two = {.name = "two"};

static void __attribute__((format(printf, 1, 2)))
note(const char *format, ...)
{
    size_t n = strlen(lib.log);
    va_list args;

    if (n > 0)
        n += (size_t)snprintf(lib.log + n, sizeof lib.log - n, ", ");
    va_start(args, format);
    vsnprintf(lib.log + n, sizeof lib.log - n, format, args);
    va_end(args);
}

/* Checks what was called since the last check. */
#define is_called(want, ...)                                                           \
    do {                                                                               \
        is_text(lib.log, want, __VA_ARGS__);                                           \
        lib.log[0] = '\0';                                                             \
    } while (0)

static struct fake_stream *
fake_stream_of(struct mux_exchange *x)
{
    return container_of(x, struct fake_stream, mux);
}

/* The library */

static struct slice
fake_field(const struct section_line *lines, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (slice_equal(slice_new((const char *)lines[i].name, lines[i].name_len),
                        slice_of(name)))
            return slice_new((const char *)lines[i].value, lines[i].value_len);
    return slice_of("-");
}

static int
fake_mux_commit(struct mux_exchange *x, bool has_body)
{
    const struct response_section *head = &x->response;
    struct slice status = fake_field(head->lines, head->nlines, ":status");
    struct slice length = fake_field(head->lines, head->nlines, "content-length");

    if (lib.has_no_memory)
        return ERR_NOMEM;
    if (status.ptr[0] == '4' || status.ptr[0] == '5') /* one of the server's texts */
        note("error %.*s%s", (int)status.len, status.ptr, has_body ? " body" : "");
    else
        note("head %.*s length %.*s%s", (int)status.len, status.ptr, (int)length.len,
             length.ptr, has_body ? " body" : "");
    return 0;
}

static int
fake_mux_resume(struct mux_exchange *x)
{
    if (lib.has_no_memory)
        return ERR_NOMEM;
    note("resume %zu%s", x->out.bytes, x->out_ended ? " last" : "");
    return 0;
}

static int
fake_mux_send_interim(struct mux_exchange *x, const struct section_block *block)
{
    struct slice status = fake_field(block->lines, block->nlines, ":status");

    (void)x;
    if (lib.has_no_memory)
        return ERR_NOMEM;
    note("interim %.*s", (int)status.len, status.ptr);
    return 0;
}

static void
fake_mux_reset(struct mux_exchange *x, uint64_t code)
{
    note("reset %d", (int)code);
    mux_exchange_keep(x, lib.keeps);
}

static void
fake_mux_end(struct mux_exchange *x, int why)
{
    mux_exchange_fini(x, why);
    fake_stream_of(x)->is_ended = true;
    note("end %s", fake_stream_of(x)->name);
}

static void
fake_mux_go_away(struct mux *m)
{
    if (mux_begin_draining(m))
        note("goaway");
}

static void
fake_mux_give_room(struct exchange *core, size_t n)
{
    (void)core;
    note("room %zu", n);
}

static void
fake_mux_leave(struct exchange *core)
{
    (void)core;
    note("leave");
}

static void
fake_mux_flush(struct exchange *core)
{
    (void)core;
}

static size_t
fake_mux_queued(const struct exchange *core)
{
    return container_of(core, struct mux_exchange, core)->out.bytes;
}

static const struct mux_ops fake_mux_ops = {
    .core =
        {
            MUX_EXCHANGE_OPS,
            .give_room = fake_mux_give_room,
            .leave = fake_mux_leave,
            .flush = fake_mux_flush,
            .queued = fake_mux_queued,
        },
    .version = HTTP_2,
    .internal_error = 1,
    .cancel = 2,
    .commit = fake_mux_commit,
    .resume = fake_mux_resume,
    .send_interim = fake_mux_send_interim,
    .reset = fake_mux_reset,
    .end = fake_mux_end,
    .go_away = fake_mux_go_away,
};

/* The library takes `n` bytes of a body. */
static inline void
lib_take(struct fake_stream *x, size_t n)
{
    outq_keep(&x->mux.out, x->mux.out.bytes - n);
    exchange_taken(&x->mux.core, n);
    mux_exchange_taken(&x->mux, n);
}

/* The stream is closed, while the library reads. */
static inline void
lib_close(struct fake_stream *x)
{
    lib.mux.is_busy = true;
    mux_exchange_lose(&x->mux);
    lib.mux.is_busy = false;
}

/* The handler */

static const char *
name_of(struct stream *s)
{
    return container_of(s, struct fake_stream, mux.core.stream)->name;
}

static inline int
send_head(struct fake_stream *x)
{
    struct http_response res = {.status = 200};

    return stream_send_head(&x->mux.core.stream, &res);
}

static inline int
send_part(struct fake_stream *x, size_t n, bool last)
{
    static char bytes[300000];
    struct chunk chunk = {.bytes = {bytes, n}};

    return stream_send_body(&x->mux.core.stream, &chunk, last);
}

static int
fake_mux_on_request(struct stream *s, const struct http_head *head)
{
    struct fake_stream *x = container_of(s, struct fake_stream, mux.core.stream);

    (void)head;
    note("request %s", x->name);
    if (x->responds && (send_head(x) != 0 || send_part(x, 5, true) != 0))
        return ERR_NOMEM;
    return 0;
}

static void
fake_mux_on_body(struct stream *s, struct slice bytes, bool last)
{
    note("got %s %zu%s", name_of(s), bytes.len, last ? " last" : "");
}

static void
fake_mux_on_writable(struct stream *s)
{
    note("writable %s", name_of(s));
    if (container_of(s, struct fake_stream, mux.core.stream)->rests)
        stream_rest(s);
}

static void
fake_mux_on_event(struct stream *s)
{
    note("event %s", name_of(s));
}

/* Spends a budget of 4 each time. */
static void
fake_mux_on_budget(struct stream *s)
{
    bool more = stream_spend(s, 4);

    note("budget %s%s", name_of(s), more ? "" : " spent");
}

static void
fake_mux_on_close(struct stream *s, int why)
{
    note("%s %s", why == 0 ? "closed" : "lost", name_of(s));
}

static const struct stream_handler fake_mux_handler = {
    .on_request = fake_mux_on_request,
    .on_body = fake_mux_on_body,
    .on_writable = fake_mux_on_writable,
    .on_shut = fake_mux_on_event,
    .on_deadline = fake_mux_on_event,
    .on_budget = fake_mux_on_budget,
    .on_shutdown = fake_mux_on_event,
    .on_close = fake_mux_on_close,
};

/* The session */

static void *
fake_mux_begin(struct wire *wire)
{
    mux_init(&lib.mux, &fake_mux_ops, wire);
    mux_open(&lib.mux);
    mux_expect_request(&lib.mux);
    return &lib.mux;
}

static void
fake_mux_fini(struct wire *wire, void *session, int why)
{
    (void)wire;
    mux_fini(session, why);
}

static const struct session_ops fake_mux_session_ops = {.fini = fake_mux_fini};

static const struct protocol fake_mux_protocol = {
    .name = "fake",
    .ops = &fake_mux_session_ops,
    .begin = fake_mux_begin,
};

/* Begins a connection without exchanges. */
static inline void
begin_mux(void)
{
    memset(&lib, 0, sizeof lib);
    fake_init_as(&fake, &fake_mux_protocol, &fake_mux_handler, NULL);
}

/* Begins the exchange `x`; `upgrade`: a tunnel may be opened. */
static inline void
begin_request(struct fake_stream *x, bool ended, bool upgrade)
{
    struct http_head head = {
        .method = slice_of("POST"),
        .version = HTTP_2,
        .upgrade = upgrade,
        .content_length = HTTP_LENGTH_NONE,
    };
    const char *name = x->name;

    *x = (struct fake_stream){.name = name, .responds = x->responds, .rests = x->rests};
    mux_exchange_init(&x->mux, &lib.mux);
    mux_exchange_begin(&x->mux, &head, ended, 0, NULL);
}

/* Begins both, with the exchange `one` complete. */
static inline void
begin(void)
{
    begin_mux();
    one.responds = one.rests = two.responds = two.rests = false;
    begin_request(&one, true, false);
    is_called("request one", "a request begins");
}

static inline void
end(void)
{
    fake_fini(&fake);
}

#endif
