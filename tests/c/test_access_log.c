/* SPDX-License-Identifier: MIT */
/* tests/c/test_access_log.c — the access log without a server: forks, memory that runs
 * out, and how often dropped lines are reported. */
#include "log/access.c"
#include "log/writer.c"

#include <stdio.h>    /* fflush */
#include <sys/wait.h> /* waitpid */

#include "base/log.h"
#include "child.h"
#include "tap.h"

static unsigned nsaid;
static char last_said[LOG_LINE_BYTES];

static void
on_line(void *arg, enum log_level level, struct slice line)
{
    (void)arg;
    (void)level;
    nsaid++;
    snprintf(last_said, sizeof last_said, "%.*s", (int)line.len, line.ptr);
}

static struct log say;
static struct tally tally;
static struct format *format;
static struct access_config config = {.sink = {.kind = SINK_STREAM}};

static struct access_log *
begin(int fd)
{
    struct access_log *log = NULL;

    log_init(&say, on_line, NULL, LOG_INFO);
    nsaid = 0;
    config.sink.fd = fd;
    config.format = format;
    is(access_log_new(&config, &say, &tally, &log), 0, "a log");
    return log;
}

static void
add_line(struct access_log *log)
{
    struct endpoint endpoint = {.secure = false};
    struct peer peer = {.endpoint = &endpoint};
    struct stream s = {.peer = &peer, .version = HTTP_1_1, .status = 200};
    struct clock clock;

    clock_init(&clock);
    clock_begin(&clock);
    access_log_add(log, &clock, &s);
}

static void
test_a_forked_process_writes_nothing(void)
{
    char text[64] = "";
    int ends[2], status = -1;

    ok(pipe(ends) == 0, "a pipe");
    struct access_log *log = begin(ends[1]);
    add_line(log);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        /* Another thread may have held the lock. */
        (void)pthread_mutex_lock(&log->writer->lock);
        (void)alarm(20);
        access_log_settle(log);
        access_log_free(log);
        child_exit(0);
    }
    (void)waitpid(pid, &status, 0);
    is(status, 0, "its copy of the log is freed without the lock");
    access_log_settle(log);
    is(read(ends[0], text, sizeof text - 1), 4, "a line is written once");
    is_text(text, "200\n", "by the parent");
    access_log_free(log);
    close(ends[0]);
    close(ends[1]);
}

static void
test_there_is_no_memory(void)
{
    struct access_log *log = NULL;
    unsigned n = 0;
    int err;

    config.sink.fd = 2;
    do {
        mem_fail_at(++n);
        err = access_log_new(&config, &say, &tally, &log);
        mem_fail_at(0);
        ok(err == 0 || err == ERR_NOMEM, "allocation %u", n);
    } while (err != 0 && n < 20);
    is(err, 0, "then there is a log");
    mem_fail_at(1);
    add_line(log);
    mem_fail_at(0);
    is(log->ndropped, 1, "a line without a buffer is dropped");
    access_log_free(log);
    is(tally_get(&tally, TALLY_LOG_DROPPED), 1, "and counted");
}

static void
test_dropped_lines_are_reported_at_intervals(void)
{
    struct access_log *log = begin(2);

    log->ndropped = 2;
    log->look_ms = 1000;
    access_log_write(log, 1000);
    is(nsaid, 1, "the first are reported at once");
    is_text(last_said, "access log: 2 lines were dropped: the reader is too slow",
            "in one line");
    log->ndropped = 5;
    log->look_ms = 1001;
    access_log_write(log, 1001);
    is(nsaid, 1, "the next later");
    is(access_log_due_ms(log), 1000 + ACCESS_SAY_MS, "at a known time");
    access_log_write(log, 1000 + ACCESS_SAY_MS);
    is_text(last_said, "access log: 3 lines were dropped: the reader is too slow",
            "then all");
    access_log_free(log);
    is(nsaid, 2, "once");
}

static void
test_a_file_that_cannot_be_reopened_is_reported(void)
{
    struct access_log *log = begin(2);
    const struct writer_state state = {.nreopens = 1, .reopen_error = ENOENT};

    say_reopened(log, &state);
    ok(nsaid == 1 && strstr(last_said, "No such file") != NULL, "with the reason");
    say_reopened(log, &state);
    is(nsaid, 1, "once");
    access_log_free(log);
}

int
main(void)
{
    char why[FORMAT_WHY_BYTES];

    is(format_new(slice_of("%(s)s"), false, &format, why), 0, "a format");
    test_a_forked_process_writes_nothing();
    test_there_is_no_memory();
    test_dropped_lines_are_reported_at_intervals();
    test_a_file_that_cannot_be_reopened_is_reported();
    format_free(format);
    return tap_done();
}
