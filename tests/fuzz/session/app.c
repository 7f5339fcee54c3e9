/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/app.c — see app.h. */
#include "session/app.h"

#include <stdio.h>    /* snprintf */
#include <stdlib.h>   /* strtoul */
#include <string.h>   /* memset */
#include <sys/mman.h> /* memfd_create */
#include <unistd.h>   /* ftruncate */

#include "base/err.h"
#include "base/file.h"
#include "base/timer.h"
#include "session/loan.h"
#include "session/secure.h"
#include "session/socket.h"
#include "session/world.h"

#define GIVEN_MAX ((uint64_t)8 << 20) /* bytes of all responses of one input */

struct app app;

void
app_begin(void)
{
    memset(&app, 0, sizeof app);
    app.is_clean = true;
    app.asked[ASKED_MAX].is_other = true;
}

struct asked *
app_asked(unsigned asked)
{
    return &app.asked[asked < ASKED_MAX ? asked : ASKED_MAX];
}

static char
given_byte(unsigned number, uint64_t offset)
{
    return (char)(number * 37 + offset * 7 + (offset >> 8) * 3 + (offset >> 16));
}

bool
app_is_given(unsigned number, uint64_t offset, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != given_byte(number, offset + i))
            return false;
    }
    return true;
}

char
app_body_byte(unsigned asked, uint64_t offset)
{
    return (char)(asked * 11 + offset * 5 + (offset >> 8));
}

static const uint32_t sizes[] = {0,    1,     10,    100,   2047,
                                 4096, 16384, 16385, 70000, 1 << 20};

static size_t
choose_size(void)
{
    size_t size = sizes[script_choice(&world.script, COUNT(sizes))];

    return app.given + size > GIVEN_MAX ? 0 : size;
}

/* Updates the call by the result of a stream function. */
static void
note_sent(struct call *call, size_t n, bool last, int err)
{
    bool is_short = err == ERR_RESPONSE_TOO_SHORT;

    if (err != 0 && err != ERR_AGAIN && !is_short)
        return;
    call->failed = call->failed || is_short;
    call->sent += n;
    app.given += n;
    call->ended = last && !is_short && !call->has_trailers;
    if (err == ERR_AGAIN && call->stream != NULL)
        call->waits = true;
}

static void
send_bytes(struct call *call, bool last)
{
    size_t n = choose_size();
    bool copies = script_choice(&world.script, 2) == 0;
    struct loan *loan = loan_new(n, &app.nlent);

    for (size_t i = 0; i < n; i++)
        loan->bytes[i] = given_byte(call->number, call->sent + i);
    struct chunk chunk = {
        .bytes = slice_new(loan->bytes, n),
        .lender = copies ? NULL : &loan_lender,
        .owner = loan,
    };
    note_sent(call, n, last, stream_send_body(call->stream, &chunk, last));
    loan_release(loan);
}

/* Creates a file with `n` bytes, which begin at some offset in it. */
static void
send_file(struct call *call, bool last)
{
    size_t n = choose_size();
    uint64_t offset = script_choice(&world.script, 2) * 1000u;
    int fd = memfd_create("body", MFD_CLOEXEC);
    char *bytes = malloc(n + 1);

    CHECK(fd != -1 && bytes != NULL);
    for (size_t i = 0; i < n; i++)
        bytes[i] = given_byte(call->number, call->sent + i);
    CHECK(pwrite(fd, bytes, n, (off_t)offset) == (ssize_t)n);
    free(bytes);
    int kept = dup(fd);
    struct file *file = file_new(fd);
    CHECK(file != NULL && kept != -1);
    struct chunk chunk = {.bytes = slice_new(NULL, n), .file = file, .offset = offset};
    if (n > 0)
        note_sent(call, n, last, stream_send_body(call->stream, &chunk, last));
    file_release(file);
    if (script_choice(&world.script, 4) == 0) {
        CHECK(ftruncate(kept, (off_t)(offset + n / 2)) == 0);
        call->has_shrunk = true;
    }
    close(kept);
}

static void
send_head(struct call *call)
{
    static const int statuses[] = {200, 200, 200, 200, 404, 204, 304, 500};
    char number[8] = "", length[24] = "";
    struct http_field fields[] = {
        {.name = slice_of("X-N"), .value = slice_of(number)},
        {.name = slice_of("content-length"), .value = slice_of(length)},
    };
    struct http_response res = {
        .status = statuses[script_choice(&world.script, COUNT(statuses))],
        .fields = fields,
        .nfields = 1,
    };

    snprintf(number, sizeof number, "%u", call->number);
    fields[0].value = slice_of(number);
    if (script_choice(&world.script, 4) == 0) {
        snprintf(length, sizeof length, "%u",
                 sizes[script_choice(&world.script, COUNT(sizes))]);
        fields[1].value = slice_of(length);
        res.nfields = 2;
    }
    res.has_trailers = script_choice(&world.script, 8) == 0;
    int err = stream_send_head(call->stream, &res);
    CHECK(err == 0 || err == ERR_CLOSED);
    if (err != 0)
        return;
    call->has_head = true;
    call->has_trailers = res.has_trailers;
    call->is_head = call->is_head || res.status == 204 || res.status == 304;
}

static void
send_trailers(struct call *call)
{
    struct http_field field = {.name = slice_of("x-sum"), .value = slice_of("1")};

    if (stream_send_trailers(call->stream, &field, 1) == 0)
        call->ended = true;
}

static void
send_interim(struct call *call)
{
    struct http_field field = {.name = slice_of("link"), .value = slice_of("</a>")};

    (void)!stream_send_interim(call->stream, 103, &field, 1);
}

static void
open_tunnel(struct call *call)
{
    struct http_response res = {.status = 101};

    if (!call->stream->can_tunnel || call->has_head ||
        stream_open_tunnel(call->stream, &res) != 0)
        return;
    call->has_head = true;
    call->is_tunnel = true;
    if (script_choice(&world.script, 4) != 0)
        call->socket = socket_open(call->stream);
    else
        stream_set_deadline(call->stream, TIMER_NEVER);
}

static void
pull(struct call *call)
{
    if (call->pulls)
        return;
    call->pulls = true;
    if (stream_pull_body(call->stream) != 0)
        call->pulls = false;
}

static void
fail(struct call *call)
{
    bool returns = script_choice(&world.script, 2) == 1;

    call->failed = !call->ended;
    stream_fail(call->stream, returns ? ERR_APP_INCOMPLETE : ERR_APP_FAILED);
}

/* Does one thing.  The stream may be over afterwards. */
static void
act(struct call *call)
{
    if (call->socket != NULL) {
        if (script_choice(&world.script, 32) == 0)
            fail(call);
        else
            socket_act(call->socket);
        return;
    }
    switch (script_choice(&world.script, 16)) {
    case 0:
    case 1:
        pull(call);
        break;
    case 2:
    case 3:
    case 4:
        if (!call->has_head)
            send_head(call);
        else
            send_bytes(call, false);
        break;
    case 5:
    case 6:
    case 7:
        if (call->has_head)
            send_bytes(call, false);
        break;
    case 8:
    case 9:
        if (call->has_head)
            send_bytes(call, true);
        break;
    case 10:
        if (call->has_head && !call->is_tunnel)
            send_file(call, script_choice(&world.script, 2) == 0);
        break;
    case 11:
        if (call->has_trailers)
            send_trailers(call);
        break;
    case 12:
        send_interim(call);
        break;
    case 13:
        fail(call);
        break;
    case 14:
        open_tunnel(call);
        break;
    default:
        if (call->is_tunnel)
            stream_set_deadline(call->stream, world_now_ms() + 1000);
    }
}

/* Does some things, until the stream is over. */
static void
act_some(struct call *call)
{
    for (unsigned n = script_choice(&world.script, 4); n > 0; n--) {
        if (call->stream == NULL || script_is_over(&world.script))
            return;
        act(call);
    }
}

/* The callbacks */

static struct call *
call_of(struct stream *s)
{
    struct call *call = s->app;

    world_step();
    CHECK(call != NULL && call->stream == s);
    return call;
}

static int
on_request(struct stream *s, const struct http_head *head)
{
    CHECK(s->app == NULL && s->state == STREAM_OPEN);
    if (app.ncalls == CALLS_MAX)
        return ERR_NOMEM;
    struct call *call = &app.calls[app.ncalls];
    *call = (struct call){.stream = s, .number = app.ncalls, .is_head = s->is_head};
    app.ncalls++;
    s->app = call;
    if (head->path.len > 2 && head->path.len < 8 && head->path.ptr[1] == 'n') {
        char digits[8] = {0};
        memcpy(digits, head->path.ptr + 2, head->path.len - 2);
        call->asked = (unsigned)strtoul(digits, NULL, 10);
    }
    act_some(call);
    return 0;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    struct call *call = call_of(s);

    CHECK(bytes.len > 0 || last);
    if (call->socket != NULL) {
        CHECK(!call->body_ended);
        call->body_ended = last;
        socket_on_body(call->socket, bytes, last);
        return;
    }
    CHECK(call->pulls && !call->body_ended);
    if (app.is_clean && !call->is_tunnel) {
        for (size_t i = 0; i < bytes.len; i++)
            CHECK(bytes.ptr[i] == app_body_byte(call->asked, call->received + i));
    }
    call->pulls = false;
    call->received += bytes.len;
    call->body_ended = last;
    act_some(call);
}

static void
on_writable(struct stream *s)
{
    struct call *call = call_of(s);

    if (call->socket != NULL) {
        socket_on_writable(call->socket);
        return;
    }
    CHECK(call->waits);
    call->waits = false;
    act_some(call);
}

static void
on_shut(struct stream *s)
{
    struct call *call = call_of(s);

    CHECK(call->is_tunnel && !s->pulling && !call->body_ended);
    if (call->socket == NULL)
        act_some(call);
}

static void
on_budget(struct stream *s)
{
    struct call *call = call_of(s);

    CHECK(call->socket != NULL && !s->waits_for_budget);
    socket_on_budget(call->socket);
}

static void
on_deadline(struct stream *s)
{
    struct call *call = call_of(s);

    CHECK(call->is_tunnel);
    if (call->socket != NULL)
        socket_on_deadline(call->socket);
    else
        act_some(call);
}

static void
on_shutdown(struct stream *s)
{
    struct call *call = call_of(s);

    CHECK(call->is_tunnel);
    if (call->socket != NULL)
        socket_on_shutdown(call->socket);
    else
        act_some(call);
}

static void
on_close(struct stream *s, int why)
{
    struct call *call = s->app;

    if (call == NULL)
        return; /* on_request has returned an error */
    CHECK(call->stream == s);
    CHECK(why != 0 || call->ended || call->is_tunnel || call->failed);
    call->stream = NULL;
    call->pulls = false;
    if (call->socket != NULL) {
        struct socket *socket = call->socket;
        call->socket = NULL;
        socket_on_close(socket, why);
    }
}

static bool
has_live_calls(void)
{
    for (unsigned i = 0; i < app.ncalls; i++) {
        if (app.calls[i].stream != NULL)
            return true;
    }
    return false;
}

static void
on_peer_gone(struct peer *peer)
{
    (void)peer;
    CHECK(!has_live_calls());
    world.npeers_gone++;
}

/* The connection's endpoint is of no listener. */
static void
on_endpoint_gone(struct endpoint *endpoint)
{
    CHECK(endpoint == NULL);
}

const struct stream_handler app_handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_shut = on_shut,
    .on_budget = on_budget,
    .on_deadline = on_deadline,
    .on_shutdown = on_shutdown,
    .on_close = on_close,
    .on_peer_gone = on_peer_gone,
    .on_endpoint_gone = on_endpoint_gone,
};

/* From outside */

/* Returns a call that is not over, or NULL. */
static struct call *
choose_call(void)
{
    if (app.ncalls == 0)
        return NULL;
    unsigned first = script_choice(&world.script, 256) % app.ncalls;
    for (unsigned i = 0; i < app.ncalls; i++) {
        struct call *call = &app.calls[(first + i) % app.ncalls];
        if (call->stream != NULL)
            return call;
    }
    return NULL;
}

void
app_act(void)
{
    struct call *call = choose_call();

    if (call == NULL)
        return;
    act(call);
    act_some(call);
}

/* What it waits for still arrives, but is not received. */
static void
cancel(struct call *call)
{
    act_some(call);
    if (call->stream == NULL)
        return;
    if (call->socket != NULL)
        socket_cancel(call->socket);
    else
        fail(call);
}

void
app_cancel(void)
{
    struct call *call = choose_call();

    if (call != NULL)
        cancel(call);
}

void
app_cancel_all(void)
{
    for (unsigned i = 0; i < app.ncalls; i++) {
        if (app.calls[i].stream != NULL)
            cancel(&app.calls[i]);
    }
}

unsigned
app_sockets(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < app.ncalls; i++)
        n += app.calls[i].socket != NULL;
    return n;
}

static void
check_owed(const struct call *call)
{
    const struct asked *asked = app_asked(call->asked);

    if (call->socket != NULL || call->stream == NULL)
        return;
    CHECK(!call->waits || world_unsent(call->stream) > 0);
    /* The rest of a body is discarded when the response is complete. */
    if (!call->pulls || call->failed || call->ended || call->is_tunnel ||
        !app.is_clean || asked->is_other || (world.is_tls && !secure_is_intact()))
        return;
    CHECK((!world.is_reset && !world.client_shut) || !world_is_reading());
    CHECK(call->received == asked->sent && call->stream->body_ended == asked->ended);
}

void
app_check_owed(void)
{
    for (unsigned i = 0; i < app.ncalls; i++)
        check_owed(&app.calls[i]);
}

void
app_fail_all(void)
{
    for (unsigned i = 0; i < app.ncalls; i++) {
        if (app.calls[i].stream != NULL)
            fail(&app.calls[i]);
    }
}

void
app_end(void)
{
    for (unsigned i = 0; i < app.ncalls; i++)
        CHECK(app.calls[i].stream == NULL);
    CHECK(app.nlent == 0);
}
