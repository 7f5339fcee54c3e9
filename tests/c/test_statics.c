/* SPDX-License-Identifier: MIT */
/* tests/c/test_statics.c — requests for files whose jobs run when the test says, with
 * clients that leave, files that shrink, and failing calls. */
#include "static/changes.c"
#include "static/load.c"
#include "static/respond.c"
#include "static/roots.c"
#include "static/send.c"
#include "static/statics.c"

#include <fcntl.h>  /* AT_FDCWD */
#include <stdlib.h> /* mkdtemp */

#include "cache_fields.h"
#include "failing.h"

/* More than one part. */
#define LARGE_BYTES (SEND_PART_BYTES + 100000u)

/* Jobs that wait, instead of static/threads.c. */

static struct offload_job *jobs, **jobs_end = &jobs;
static int put_fails; /* an error, or 0 */

int
threads_start(struct statics *statics)
{
    if (statics->changes < 0 && !statics->on_change.is_on)
        changes_init(statics);
    return 0;
}

int
threads_put(struct statics *statics, struct offload_job *job)
{
    (void)statics;
    if (put_fails != 0)
        return put_fails;
    job->next = NULL;
    *jobs_end = job;
    jobs_end = &job->next;
    return 0;
}

static struct offload_job *
take_job(void)
{
    struct offload_job *job = jobs;

    if (job != NULL)
        jobs = job->next;
    if (jobs == NULL)
        jobs_end = &jobs;
    return job;
}

void
threads_fini(struct statics *statics)
{
    struct offload_job *job;

    while ((job = take_job()) != NULL)
        job->drop(job);
    changes_fini(statics);
}

static void
run_jobs(void)
{
    struct offload_job *job;

    while ((job = take_job()) != NULL) {
        job->run(job);
        job->done(job);
    }
}

/* A protocol that keeps the status and the number of bytes of the body. */

static int status;
static uint64_t nsent;
static bool has_ended, has_failed, is_slow, may_tunnel;

static int
wire_head(struct stream *s, const struct http_response *res)
{
    (void)s;
    status = res->status;
    return 0;
}

static int
wire_body(struct stream *s, const struct chunk *body, bool last)
{
    nsent += body->bytes.len;
    has_ended = last;
    s->waits_for_writable = is_slow && !last;
    return is_slow && !last ? ERR_AGAIN : 0;
}

static void
wire_fail(struct stream *s, int why)
{
    (void)why;
    has_failed = true;
    stream_end(s);
}

static const struct stream_ops protocol = {
    .send_head = wire_head,
    .send_body = wire_body,
    .fail = wire_fail,
};

static int
app_on_request(struct stream *s, const struct http_head *head)
{
    (void)head;
    status = 200;
    stream_end(s);
    return 0;
}

static void
app_on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

static const struct stream_handler app = {
    .on_request = app_on_request,
    .on_close = app_on_close,
};

/* A server */

static char top[] = "/tmp/bolide-statics-XXXXXX";
static struct service service;
static struct tally counters;
static struct statics statics;
static struct static_mount mount;
static struct poller *poller;

static void
write_file(const char *name, size_t n)
{
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    char path[128], zero = 0;

    snprintf(path, sizeof path, "%s/%s", top, name);
    FILE *file = fopen(path, "w");
    ok(file != NULL && fseek(file, (long)n - 1, SEEK_SET) == 0 &&
           fwrite(&zero, 1, 1, file) == 1 && fclose(file) == 0 &&
           utimensat(AT_FDCWD, path, times, 0) == 0,
       "%s is written", name);
}

static void
begin_server(void)
{
    struct statics_config config = STATIC_CONFIG_DEFAULT;

    mount = (struct static_mount){slice_of(""), slice_of(top)};
    config.mounts = &mount;
    config.nmounts = 1;
    config.index = slice_of("index.html");
    config.fallback = slice_of("/page.html");
    config.types = slice_of("text/html html\n");
    config.is_last = true;
    service = (struct service){.handler = &app, .tally = &counters};
    clock_init(&service.clock);
    clock_begin(&service.clock);
    statics = (struct statics){.service = &service, .poller = poller};
    is(statics_init(&statics, &config), 0, "files are served");
    chain_add(&service.chain, &statics.handler);
    put_fails = 0;
    is_slow = false;
}

static void
end_server(void)
{
    statics_fini(&statics);
    chain_fini(&service.chain);
    ok(jobs == NULL, "no job is left");
}

/* Begins a request as a protocol does. */
static void
begin(struct stream *s, const char *target, const char *fields)
{
    struct http_head head = head_of("GET", target, fields, some_fields);

    *s = (struct stream){.ops = &protocol,
                         .handler = &app,
                         .peer = &some_peer,
                         .can_tunnel = may_tunnel,
                         .body_promised = HTTP_LENGTH_NONE};
    status = 0;
    nsent = 0;
    has_ended = has_failed = false;
    chain_begin(&service.chain, s, &head);
    if (s->handler->on_request(s, &head) != 0)
        stream_fail(s, ERR_NOMEM);
}

static void
end(struct stream *s)
{
    stream_close(s, s->state == STREAM_ENDED ? 0 : ERR_RESET);
}

/* Requests a file, and returns the status. */
static int
request(const char *target, const char *fields)
{
    struct stream s;

    begin(&s, target, fields);
    run_jobs();
    end(&s);
    return has_failed ? -1 : status;
}

/* Begins a request for a known file, and has the check whether its bytes are in memory
 * report that they are not. */
static void
begin_from_disk(struct stream *s)
{
    is(request("/large", ""), 200, "the file is known");
    service.clock.ms += RESIDENT_MS + 1;
    fault_of("syscall", 1, EAGAIN);
    begin(s, "/large", "");
    fault_stop();
    ok(jobs != NULL, "a thread is to read the file");
}

static void
test_a_file_that_is_not_in_memory(void)
{
    struct stream s;

    begin_server();
    begin_from_disk(&s);
    is(nsent, 0, "nothing is sent before it is read");
    run_jobs();
    ok(nsent == LARGE_BYTES && has_ended, "then all of it is");
    end(&s);

    begin_from_disk(&s);
    end(&s);
    run_jobs();
    is(nsent, 0, "a client that has left gets nothing");

    begin_from_disk(&s);
    ok(truncate("large", 10) == 0, "the file shrinks");
    run_jobs();
    ok(has_failed && !has_ended, "the response is not completed");
    end(&s);
    write_file("large", LARGE_BYTES);

    begin_from_disk(&s);
    end(&s);
    end_server();
}

static void
test_a_reader_in_a_thread_that_cannot_begin(void)
{
    struct stream s;

    begin_server();
    is(request("/large", ""), 200, "it is found");
    service.clock.ms += RESIDENT_MS + 1;
    put_fails = ERR_NOMEM;
    fault_of("syscall", 1, EAGAIN);
    begin(&s, "/large", "");
    fault_stop();
    ok(nsent == LARGE_BYTES && has_ended, "the file is sent without the thread");
    end(&s);
    is(request("/small", ""), 503, "a file that cannot be looked up");
    put_fails = 0;
    is(request("/small", ""), 200, "may be tried again");
    end_server();
}

static void
test_parts_wait_for_a_slow_client(void)
{
    struct stream s;

    begin_server();
    is(request("/small", ""), 200, "it is found");
    is_slow = true;
    begin(&s, "/small", "range: bytes=0-0, 2-2");
    unsigned n = 0;
    for (; !has_ended && n < 20; n++) {
        s.waits_for_writable = false;
        s.handler->on_writable(&s);
    }
    ok(status == 206 && has_ended && n > 2, "each part waits: %u", n);
    end(&s);
    begin(&s, "/small", "");
    respond_handler.on_writable(&s);
    respond_handler.on_body(&s, slice_of("x"), false);
    ok(has_ended && nsent == 3, "a body of one part does not");
    end(&s);
    end_server();
}

static void
test_failing_opens(void)
{
    static const struct {
        int error, want, wants_then;
    } rows[] = {
        {EACCES, 403, 403}, {EMFILE, 503, 200}, {ENFILE, 503, 200},
        {EIO, 500, 200},    {ENODEV, 404, 404}, {ENOSYS, 200, 200},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        begin_server();
        fault_of("syscall", 1, rows[i].error);
        is(request("/small", ""), rows[i].want, "errno %d", rows[i].error);
        fault_stop();
        is(request("/small", ""), rows[i].wants_then, "and for the next request");
        end_server();
    }
}

static void
test_failing_reads(void)
{
    struct stream s;
    static const int errors[] = {EINTR, EIO}, wants[] = {200, 500};

    for (size_t i = 0; i < COUNT(errors); i++) {
        begin_server();
        begin(&s, "/small", "");
        fault_of("pread64", 1, errors[i]);
        run_jobs();
        fault_stop();
        is(status, wants[i], "errno %d", errors[i]);
        end(&s);
        end_server();
    }
}

static void
test_a_server_that_cannot_watch(void)
{
    begin_server();
    fault_of("inotify_init1", 1, EMFILE);
    is(request("/small", ""), 200, "files are served");
    fault_stop();
    is(statics.changes, -1, "nothing is watched");
    end_server();
    begin_server();
    fault_of("epoll_ctl", 1, ENOMEM);
    is(request("/small", ""), 200, "files are served");
    fault_stop();
    is(statics.changes, -1, "nothing is watched");
    end_server();
}

static void
test_paths_of_no_mount_are_the_applications(void)
{
    begin_server();
    mount.prefix = slice_of("/files");
    is(request("/files/small", ""), 200, "a file");
    is(nsent, 3, "with its bytes");
    is(request("/small", ""), 200, "the application responds");
    is(nsent, 0, "to other paths");
    is(request("/files/%zz", ""), 404, "a path that names no file");
    may_tunnel = true;
    is(request("/files/small", ""), 200, "and the application responds");
    is(nsent, 0, "to a request that leaves HTTP");
    may_tunnel = false;
    end_server();
}

static void
test_many_directories(void)
{
    struct slice path = slice_of("/d/");

    begin_server();
    ok(note_one(&statics, 0, 100, path), "a directory with a large number");
    ok(statics.ndirectories > 100, "there is room for it");
    ok(note_one(&statics, 0, 100, path), "the same again");
    ok(!note_one(&statics, 0, 100, slice_of("/e/")), "with another path");
    ok(!note_one(&statics, 0, (int)DIRECTORIES_MAX, path), "too many are not watched");
    char name[2 * PATH_BYTES_MAX];
    memset(name, 'a', sizeof name);
    drop_name(&statics, &statics.directories[100], slice_new(name, sizeof name));
    struct system_change gone = {
        .kind = SYSTEM_TREE, .directory = 100, .is_gone = true, .name = ""};
    on_one_change(&statics, &gone);
    ok(statics.directories[100].path == NULL, "a directory that is gone is forgotten");
    ok(note_one(&statics, 0, 100, slice_of("/e/")), "its number may be used again");
    end_server();
}

/* Requests of all kinds; whatever fails, each ends. */
static void
play_all(void)
{
    static const char *const targets[] = {
        "/small", "/sub", "/sub/", "/none/at/all", "/none", "/large", "/small",
    };
    struct stream s;

    for (size_t i = 0; i < COUNT(targets); i++) {
        (void)request(targets[i], "accept: text/html");
        ok(status != 0 || has_failed, "%s ends", targets[i]);
    }
    (void)request("/large", "range: bytes=0-0, 2-2");
    service.clock.ms += RESIDENT_MS + 1;
    fault_of("syscall", 1, EAGAIN);
    begin(&s, "/large", "");
    (void)fault_stop();
    run_jobs();
    end(&s);
    service.clock.ms += ROOTS_MS + 1;
    (void)request("/small", "");
    ok(status != 0 || has_failed, "the last one ends");
}

static void
test_each_allocation_may_fail(void)
{
    begin_server();
    mem_fail_at(0);
    play_all();
    unsigned long count = mem_count();
    end_server();
    ok(count > 20, "there are allocations");
    for (unsigned long n = 1; n <= count; n++) {
        begin_server();
        mem_fail_at(n);
        play_all();
        mem_fail_at(0);
        is(request("/small", ""), 200, "allocation %lu: the next is served", n);
        end_server();
    }
}

static void
test_what_waits_is_dropped_at_the_end(void)
{
    struct stream s;

    begin_server();
    begin(&s, "/small", "");
    ok(jobs != NULL && handler_is_pending(&s), "a request waits");
    end(&s);
    begin(&s, "/other?x", "");
    end(&s);
    end_server();
}

int
main(void)
{
    bool can_fail;

    ok(mkdtemp(top) != NULL && chdir(top) == 0, "a directory");
    ok(mkdir("sub", 0755) == 0, "and one in it");
    write_file("small", 3);
    write_file("page.html", 4);
    write_file("sub/index.html", 5);
    write_file("large", LARGE_BYTES);
    is(poller_new(&poller), 0, "a poller");
    fault_of("inotify_init1", 1, EMFILE);
    can_fail = system_watch_new() < 0 && errno == EMFILE;
    (void)fault_stop();
    if (can_fail) {
        test_a_file_that_is_not_in_memory();
        test_a_reader_in_a_thread_that_cannot_begin();
        test_failing_opens();
        test_failing_reads();
        test_a_server_that_cannot_watch();
    }
    test_parts_wait_for_a_slow_client();
    test_paths_of_no_mount_are_the_applications();
    test_many_directories();
    test_each_allocation_may_fail();
    test_what_waits_is_dropped_at_the_end();
    poller_free(poller);
    return tap_done();
}
