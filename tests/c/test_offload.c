/* SPDX-License-Identifier: MIT */
/* tests/c/test_offload.c — jobs in threads: none is lost, their number is bounded, and a
 * job that blocks holds nothing up. */
#include "net/offload.c"

#include <poll.h>     /* poll */
#include <sys/wait.h> /* waitpid */

#include "aborts.h"
#include "child.h"
#include "failing.h"
#include "tap.h"

#define LONG_MS 20000

/* A job that waits until its pipe can be read, if it has one. */
struct task {
    struct offload_job job;
    int gate; /* -1: none */
    bool has_run;
    unsigned ndone;
    _Atomic unsigned ndropped;
    int dropped_fd;        /* written when it is dropped; -1: not */
    struct offload *again; /* put once more when it is done; NULL: not */
};

static void
task_run(struct offload_job *job)
{
    struct task *task = container_of(job, struct task, job);
    char byte;

    if (task->gate >= 0)
        (void)!read(task->gate, &byte, 1);
    task->has_run = true;
}

static void
task_done(struct offload_job *job)
{
    struct task *task = container_of(job, struct task, job);

    task->ndone++;
    if (task->again != NULL && task->ndone == 1)
        is(offload_put(task->again, job), 0, "put again from done");
}

static void
task_drop(struct offload_job *job)
{
    struct task *task = container_of(job, struct task, job);

    task->ndropped++;
    if (task->dropped_fd >= 0)
        (void)!write(task->dropped_fd, "x", 1);
}

static struct task
new_task(void)
{
    return (struct task){
        .job = {.run = task_run, .done = task_done, .drop = task_drop},
        .gate = -1,
        .dropped_fd = -1,
    };
}

/* Waits for the pool, and settles. */
static void
settle(struct offload *offload)
{
    struct pollfd one = {.fd = offload_fd(offload), .events = POLLIN};

    ok(poll(&one, 1, LONG_MS) == 1, "the pool has finished something");
    offload_settle(offload);
}

static void
test_all_jobs_run(void)
{
    struct task tasks[50];
    struct offload *offload;
    unsigned ndone = 0;

    is(offload_new(3, 50, &offload), 0, "a pool");
    is(offload->nthreads, 0, "no thread starts before there is a job");
    for (int i = 0; i < 50; i++) {
        tasks[i] = new_task();
        is(offload_put(offload, &tasks[i].job), 0, "job %d", i);
    }
    ok(offload->nthreads >= 1 && offload->nthreads <= 3, "threads are bounded");
    while (ndone < 50) {
        settle(offload);
        ndone = 0;
        for (int i = 0; i < 50; i++)
            ndone += tasks[i].ndone;
    }
    bool good = true;
    for (int i = 0; i < 50; i++)
        good &= tasks[i].has_run && tasks[i].ndone == 1 && tasks[i].ndropped == 0;
    ok(good, "each has run and is done once");
    is(offload->njobs, 0, "none is left");
    offload_free(offload);
}

static void
test_a_job_may_be_put_again(void)
{
    struct offload *offload;
    struct task task = new_task();

    is(offload_new(1, 1, &offload), 0, "a pool for one job");
    task.again = offload;
    is(offload_put(offload, &task.job), 0, "a job");
    settle(offload);
    is(task.ndone, 1, "done");
    settle(offload);
    is(task.ndone, 2, "and again");
    offload_free(offload);
}

static void
test_jobs_are_bounded(void)
{
    struct task tasks[3] = {new_task(), new_task(), new_task()};
    struct offload *offload;
    int gate[2];

    is(pipe(gate), 0, "a pipe");
    is(offload_new(1, 2, &offload), 0, "a pool for two jobs");
    tasks[0].gate = gate[0];
    is(offload_put(offload, &tasks[0].job), 0, "a job that blocks");
    is(offload_put(offload, &tasks[1].job), 0, "one that waits for it");
    is(offload_put(offload, &tasks[2].job), ERR_AGAIN, "the third has no room");
    ok(write(gate[1], "x", 1) == 1, "the first one continues");
    while (tasks[1].ndone == 0)
        settle(offload);
    is(offload_put(offload, &tasks[2].job), 0, "there is room again");
    offload_free(offload);
    is(tasks[2].ndone, 0, "a job that is not settled is not done");
    is(tasks[2].ndropped, 1, "... but dropped");
    close(gate[0]);
    close(gate[1]);
}

static void
test_a_blocked_thread_holds_nothing_up(void)
{
    static struct task stuck, fast;
    struct offload *offload;
    int gate[2], dropped[2];
    char byte;

    is(pipe(gate) | pipe(dropped), 0, "pipes");
    is(offload_new(2, 9, &offload), 0, "a pool of two threads");
    stuck = fast = new_task();
    stuck.gate = gate[0];
    stuck.dropped_fd = dropped[1];
    is(offload_put(offload, &stuck.job), 0, "a job that blocks");
    is(offload_put(offload, &fast.job), 0, "one that does not");
    settle(offload);
    is(fast.ndone, 1, "the other thread runs it");
    offload_free(offload);
    is(stuck.ndropped, 0, "the pool is freed although a thread is blocked");
    ok(write(gate[1], "x", 1) == 1, "it continues");
    ok(read(dropped[0], &byte, 1) == 1, "and drops its job");
    is(stuck.ndone, 0, "which is never done");
}

static void
test_a_fork_has_no_threads(void)
{
    struct offload *offload;
    struct task task = new_task();
    int status = -1;

    is(offload_new(1, 1, &offload), 0, "a pool");
    is(offload_put(offload, &task.job), 0, "a job");
    settle(offload);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        offload_free(offload);
        child_exit(0);
    }
    waitpid(pid, &status, 0);
    is(status, 0, "a forked process frees its copy");
    is(offload_put(offload, &task.job), 0, "the parent's still works");
    settle(offload);
    is(task.ndone, 2, "...");
    offload_free(offload);
    offload_free(NULL);
}

static void
test_there_is_no_memory(void)
{
    struct offload *offload;

    mem_fail_at(1);
    is(offload_new(1, 1, &offload), ERR_NOMEM, "no memory");
    mem_fail_at(0);
    fault_of("socketpair", 1, EMFILE);
    int err = offload_new(1, 1, &offload);
    (void)fault_stop();
    if (fault_name()[0] != '\0')
        is(err, ERR_FD_LIMIT, "no descriptors");
    else
        offload_free(offload);
}

static void
put_half(void *arg)
{
    struct offload *offload = arg;
    struct task task = new_task();

    task.job.drop = NULL;
    (void)!offload_put(offload, &task.job);
}

int
main(void)
{
    struct offload *offload;

    test_all_jobs_run();
    test_a_job_may_be_put_again();
    test_jobs_are_bounded();
    test_a_blocked_thread_holds_nothing_up();
    test_a_fork_has_no_threads();
    test_there_is_no_memory();
    is(offload_new(1, 1, &offload), 0, "a pool");
    ok(aborts(put_half, offload), "a job has all its functions");
    offload_free(offload);
    return tap_done();
}
