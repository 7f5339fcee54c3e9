/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/world.c — see world.h. */
#include "session/world.h"

#include <stdio.h>   /* fprintf */
#include <string.h>  /* memset */
#include <sys/uio.h> /* struct iovec */
#include <time.h>    /* struct timespec */
#include <unistd.h>  /* pread */

static int world_gettime(clockid_t id, struct timespec *out);
#define clock_gettime world_gettime
#include "base/clock.c"
#undef clock_gettime

#include "base/err.h"
#include "net/poller.h"
#include "server/conn.h"
#include "server/server.c" /* struct server, and conn_open with its turn */

#define FD 1000 /* of the connection; no call of the system sees it */

struct world world;

_Noreturn void
check_failed(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, text);
    abort();
}

/* The clock */

static uint64_t now_ns;

static int
world_gettime(clockid_t id, struct timespec *out)
{
    (void)id;
    out->tv_sec = (time_t)(now_ns / 1000000000);
    out->tv_nsec = (long)(now_ns % 1000000000);
    return 0;
}

struct clock *
world_clock(void)
{
    return &world.server->turn.service.clock;
}

uint64_t
world_now_ms(void)
{
    return now_ns / 1000000;
}

void
world_wait(uint64_t ms)
{
    now_ns += ms * 1000000;
}

/* The poller: one connection, one alarm. */

struct poller {
    void *arg;
    unsigned events;
    bool is_watching;
    uint64_t alarm_ns; /* 0: off */
};

static struct poller the_poller;

int
poller_new(struct poller **out)
{
    the_poller = (struct poller){.arg = NULL};
    *out = &the_poller;
    return 0;
}

void
poller_free(struct poller *poller)
{
    (void)poller;
}

int
poller_fd(const struct poller *poller)
{
    (void)poller;
    return -1;
}

int
poller_set(struct poller *poller, int fd, unsigned events, void *arg, bool known)
{
    CHECK(fd == FD && known == poller->is_watching);
    poller->arg = arg;
    poller->events = events;
    poller->is_watching = true;
    return 0;
}

void
poller_del(struct poller *poller, int fd)
{
    CHECK(fd == FD && poller->is_watching);
    poller->is_watching = false;
}

static bool
is_readable(void)
{
    return (world.may_read > 0 && world.to_server.len > 0) || world.is_reset ||
           (world.client_shut && world.to_server.len == 0);
}

int
poller_poll(struct poller *poller, struct poller_ready *ready, int max, bool *alarm)
{
    unsigned events = 0;

    CHECK(max > 0);
    if (poller->alarm_ns != 0 && poller->alarm_ns <= now_ns) {
        poller->alarm_ns = 0;
        *alarm = true;
    }
    if (!poller->is_watching)
        return 0;
    if (is_readable())
        events |= poller->events & POLLER_READ;
    if (world.may_write > 0 || world.is_reset)
        events |= poller->events & POLLER_WRITE;
    if (world.client_shut)
        events |= poller->events & POLLER_HUP;
    if (world.is_reset && (events & POLLER_READ) == 0)
        events |= POLLER_DEAD; /* what can be read comes first, as in net/poller.c */
    *ready = (struct poller_ready){poller->arg, events};
    return events != 0;
}

void
poller_alarm(struct poller *poller, int64_t ms)
{
    CHECK(ms == -1 || ms >= 1);
    poller->alarm_ns = ms == -1 ? 0 : now_ns + (uint64_t)ms * 1000000;
}

/* The transport */

static void
check_is_open(const struct io *io)
{
    CHECK(io->fd == FD && !world.is_closed);
}

static ssize_t
world_read(struct io *io, char *at, size_t n)
{
    struct slice in = buf_bytes(&world.to_server);

    check_is_open(io);
    CHECK(n >= IO_READ_MIN);
    if (in.len == 0 && world.is_reset)
        return ERR_RESET;
    if (in.len == 0 && world.client_shut)
        return ERR_EOF;
    in = slice_first(in, in.len < world.may_read ? in.len : world.may_read);
    in = slice_first(in, in.len < n ? in.len : n);
    if (in.len == 0)
        return ERR_AGAIN;
    memcpy(at, in.ptr, in.len);
    buf_consume(&world.to_server, in.len);
    world.may_read -= in.len;
    return (ssize_t)in.len;
}

static void
receive(const char *bytes, size_t n)
{
    CHECK(!world.server_shut);
    CHECK(buf_append(&world.to_client, slice_new(bytes, n)) == 0);
    world.may_write -= n;
}

static ssize_t
world_writev(struct io *io, const struct iovec *iov, int n)
{
    size_t taken = 0;

    check_is_open(io);
    CHECK(n > 0);
    if (world.is_reset)
        return ERR_RESET;
    for (int i = 0; i < n && world.may_write > 0; i++) {
        size_t len = iov[i].iov_len;
        len = len < world.may_write ? len : world.may_write;
        receive(iov[i].iov_base, len);
        taken += len;
    }
    return taken > 0 ? (ssize_t)taken : ERR_AGAIN;
}

static ssize_t
world_write_file(struct io *io, int fd, uint64_t offset, size_t n)
{
    static char bytes[IO_FILE_BYTES];

    check_is_open(io);
    CHECK(n > 0 && n <= sizeof bytes);
    if (world.is_reset)
        return ERR_RESET;
    if (world.may_write == 0)
        return ERR_AGAIN;
    ssize_t got =
        pread(fd, bytes, n < world.may_write ? n : world.may_write, (off_t)offset);
    if (got <= 0)
        return ERR_IO;
    receive(bytes, (size_t)got);
    return got;
}

static void
world_shutdown(struct io *io)
{
    check_is_open(io);
    world.server_shut = true;
}

static void
world_close(struct io *io, bool reset)
{
    check_is_open(io);
    world.is_closed = true;
    world.was_reset = reset;
    io->fd = -1;
}

static const struct io_ops world_io = {
    .read = world_read,
    .writev = world_writev,
    .write_file = world_write_file,
    .shutdown = world_shutdown,
    .close = world_close,
};

/* The server */

static void
on_schedule(void *owner)
{
    (void)owner;
    CHECK(!world.is_scheduled);
    world.is_scheduled = true;
}

static void
ignore_owner(void *owner)
{
    (void)owner;
}

/* Limits that a short session can reach, in some of the inputs. */
static void
choose_limits(struct http_limits *limits)
{
    switch (script_choice(&world.script, 4)) {
    case 0:
        break;
    case 1:
        limits->body_bytes = 5000;
        limits->body_rate = 1000;
        limits->body_stall_ms = 1000;
        limits->drain_bytes = 1000;
        limits->chunk_overhead_bytes = 200;
        break;
    case 2:
        limits->h2_streams = 3;
        limits->h2_window_bytes = 1000;
        limits->send_stall_ms = 1000;
        break;
    default:
        limits->head_bytes = 600;
        limits->fields = 8;
        limits->keep_alive_ms = 0;
    }
}

static void
open_connection(struct server *server)
{
    struct addr peer = {.len = 0};

    server_begin_turn(server);
    CHECK(conn_open(&server->turn, FD, &peer, NULL, &h1_protocol) == 0);
    container_of(server->turn.conns.next, struct conn, link)->io->ops = &world_io;
    server_end_turn(server);
}

void
world_begin(const struct stream_handler *handler, const uint8_t *data, size_t size)
{
    struct server_config config = {
        .limits = HTTP_LIMITS_DEFAULT,
        .graceful_ms = 30000,
        .last_call_ms = 5000,
        .watch_fd = -1,
        .h2 = H2_UPGRADE,
        .handler = handler,
        .schedule = on_schedule,
        .on_stage = ignore_owner,
        .on_full = ignore_owner,
    };

    memset(&world, 0, sizeof world);
    now_ns = (uint64_t)1000 * 1000000;
    world.script = (struct script){data, 0, size};
    world.may_write = SIZE_MAX / 2;
    buf_init(&world.to_server);
    buf_init(&world.to_client);
    choose_limits(&config.limits);
    CHECK(server_new(&config, &world.server) == 0);
    open_connection(world.server);
}

/* What a peer can make the server keep of its own bytes: what is unused above the mark
 * stops the reading, and one read may go beyond. */
static void
check_memory(void)
{
    if (world.server->turn.nconns == 0)
        return;
    const struct conn *conn =
        container_of(world.server->turn.conns.next, struct conn, link);
    CHECK(conn->wire.in.len <= HTTP_IN_HIGH_BYTES + TURN_SCRATCH_BYTES);
    CHECK(conn->timer.due_ms >=
              world.server->turn.service.clock.ms - 2 * TIMER_GRAIN_MS ||
          conn->state == CONN_DEAD);
}

void
world_flush(void)
{
    if (!world.is_scheduled)
        return;
    world.is_scheduled = false;
    server_flush(world.server);
}

void
world_turn(void)
{
    server_turn(world.server);
    world_flush();
    check_memory();
    world.nturns++;
}

void
world_send(const void *bytes, size_t n)
{
    CHECK(buf_append(&world.to_server, slice_new(bytes, n)) == 0);
}

/* Turns until the connection is gone, a timer's grain of time apart. */
static bool
turn_until_gone(unsigned turns)
{
    for (unsigned i = 0; i < turns && world.server->turn.nconns > 0; i++) {
        world_turn();
        world_wait(TIMER_GRAIN_MS);
    }
    return world.server->turn.nconns == 0;
}

void
world_end(void (*check)(void))
{
    struct service *service = &world.server->turn.service;

    world.may_write = SIZE_MAX / 2;
    world.may_read = SIZE_MAX / 2;
    server_stop(world.server);
    (void)turn_until_gone(64);
    world.client_shut = true;
    CHECK(turn_until_gone(1000));
    CHECK(world.is_closed && !the_poller.is_watching);
    CHECK(service->h1_streams.ntaken == 0 && service->h2_streams.ntaken == 0);
    CHECK(tally_get(world.server->tally, TALLY_RUNNING) == 0);
    CHECK(tally_get(world.server->tally, TALLY_WEBSOCKETS) == 0);
    server_free(world.server);
    check();
    buf_release(&world.to_server);
    buf_release(&world.to_client);
}
