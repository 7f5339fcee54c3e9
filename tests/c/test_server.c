/* SPDX-License-Identifier: MIT */
/* tests/c/test_server.c — a whole server: created without memory. */
#include "server/server.c"

#include "cache/store.h"
#include "log/format.h"
#include "tap.h"

#include "small_server.h"

static void
test_each_allocation_may_fail(void)
{
    struct server_config config = small_config();
    unsigned long n = 1;

    config.fields_sent = slice_of("x: y\r\n");
    config.forwarded.trusted = slice_of("127.0.0.1, 10.0.0.0/8");
    for (bool failed = true; failed; n++) {
        struct server *server = NULL;
        mem_fail_at(n);
        int err = server_new(&config, &server);
        failed = mem_count() >= n;
        mem_fail_at(0);
        is(err, failed ? ERR_NOMEM : 0, "allocation %lu", n);
        is(server != NULL, !failed, "there is a server, or none");
        if (!failed)
            server_free(server);
    }
    ok(n > 5, "several allocations can fail");
    server_free(NULL);
}

/* What a server may have besides: files, stored responses, and an access log. */

static _Alignas(64) char cache_memory[1 << 20];

static struct server_config
full_config(struct format *format)
{
    static const struct static_mount mount = {.prefix = {"/files", 6},
                                              .directory = {"/tmp", 4}};
    struct server_config config = small_config();

    config.statics = STATIC_CONFIG_DEFAULT;
    config.statics.mounts = &mount;
    config.statics.nmounts = 1;
    config.cache = CACHE_CONFIG_DEFAULT;
    config.cache.memory = cache_memory;
    config.cache.bytes = sizeof cache_memory;
    config.cache.paths = slice_of("10 /\n");
    config.access.format = format;
    config.access.sink.fd = STDERR_FILENO;
    return config;
}

static void
test_each_allocation_of_a_full_server_may_fail(void)
{
    char why[FORMAT_WHY_BYTES];
    struct format *format;

    is(format_new(slice_of("common"), false, &format, why), 0, "a format");
    is(store_format(cache_memory, sizeof cache_memory), 0, "memory for responses");
    struct server_config config = full_config(format);
    for (unsigned long n = 1; n < 200; n++) {
        struct server *server = NULL;
        mem_fail_at(n);
        int err = server_new(&config, &server);
        bool failed = mem_count() >= n;
        mem_fail_at(0);
        is(err, failed ? ERR_NOMEM : 0, "allocation %lu", n);
        is(server != NULL, !failed, "there is a server, or none");
        server_free(server);
        if (!failed)
            break;
    }
    format_free(format);
}

static void
test_what_cannot_be_opened_is_reported(void)
{
    char why[FORMAT_WHY_BYTES];
    struct format *format;
    struct server *server = NULL;

    is(format_new(slice_of("common"), false, &format, why), 0, "a format");
    struct server_config config = full_config(format);
    config.access.sink.fd = -1;
    is(server_new(&config, &server), ERR_IO, "a log without a descriptor");
    config = full_config(format);
    config.cache.bytes = 64;
    is(server_new(&config, &server), ERR_IO, "memory that is too small");
    ok(server == NULL, "there is no server");
    format_free(format);
}

static void
test_a_server_without_an_access_log_reopens_none(void)
{
    struct server_config config = small_config();
    struct server *server;

    is(server_new(&config, &server), 0, "a server");
    server_reopen_log(server);
    ok(!server->turn.is_scheduled, "nothing has to be done");
    is(server_log_dropped(server), 0, "nothing is dropped");
    server_free(server);
}

/* In a child that was forked in a turn of its parent. */
static void
test_a_server_may_be_left_to_the_parent_in_a_turn(void)
{
    static struct tally shared;

    for (int with_memory = 0; with_memory < 2; with_memory++) {
        for (int own = 0; own < 2; own++) {
            struct server_config config = small_config();
            struct server *server;
            if (!own)
                config.tallies = (struct tallies){.all = &shared, .n = 1};
            is(server_new(&config, &server), 0, "a server");
            is(server_listen(server, small_listener(), 0), 0, "listens");
            int fd = server->listeners[0].listener.fd;
            server_begin_turn(server);
            mem_fail_at(!with_memory);
            server_disown(server);
            mem_fail_at(0);
            ok(server->tally != &shared || !with_memory, "its counts are its own");
            server_end_turn(server);
            struct sockaddr_storage at;
            socklen_t size = sizeof at;
            ok(getsockname(fd, (struct sockaddr *)&at, &size) == 0 &&
                   at.ss_family == AF_UNIX,
               "its listening socket is a dead one");
            server_free(server);
        }
    }
}

int
main(void)
{
    test_each_allocation_may_fail();
    test_each_allocation_of_a_full_server_may_fail();
    test_what_cannot_be_opened_is_reported();
    test_a_server_without_an_access_log_reopens_none();
    test_a_server_may_be_left_to_the_parent_in_a_turn();
    return tap_done();
}
