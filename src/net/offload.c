/* SPDX-License-Identifier: MIT */
/* net/offload.c — see offload.h for the contract. */
#include "net/offload.h"

#include <assert.h>  /* assert */
#include <errno.h>   /* errno */
#include <pthread.h> /* pthread_create */
#include <signal.h>  /* sigfillset */
#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */
#include <time.h>    /* clock_gettime */
#include <unistd.h>  /* close, getpid, read, write */

#include "base/err.h"
#include "base/mem.h"
#include "net/os.h"

#define THREADS_MAX 16u

/* How long offload_free() waits for jobs that run. */
#define PATIENCE_MS 200

struct queue {
    struct offload_job *first, **end;
    unsigned n;
};

struct offload {
    int fds[2]; /* the owner's end of a pipe for wake-ups, and that of the threads */
    pid_t pid;  /* the process in which the threads run; 0: none has started */
    unsigned nthreads_max, njobs_max;
    unsigned njobs; /* used by the owner */
    pthread_t threads[THREADS_MAX];
    unsigned nthreads; /* started */

    pthread_mutex_t lock; /* of the members below */
    pthread_cond_t work;  /* there is a job, or the pool closes */
    pthread_cond_t rest;  /* no job runs, and the pool closes */
    struct queue todo, finished;
    unsigned nidle, nrunning, nalive; /* threads */
    bool is_closing;
    bool is_left; /* the last thread frees the pool */
};

static void
queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
    queue->n = 0;
}

static void
queue_append(struct queue *queue, struct offload_job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
    queue->n++;
}

static struct offload_job *
queue_take(struct queue *queue)
{
    struct offload_job *job = queue->first;

    if (job == NULL)
        return NULL;
    queue->n--;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    return job;
}

static void
queue_drop(struct queue *queue)
{
    struct offload_job *job;

    while ((job = queue_take(queue)) != NULL)
        job->drop(job);
}

/* Frees the pool in a process without its threads: the locks stay as they are, because
 * the threads of the parent seem to wait for them. */
static void
offload_forget(struct offload *offload)
{
    queue_drop(&offload->todo);
    queue_drop(&offload->finished);
    close(offload->fds[0]);
    close(offload->fds[1]);
    mem_free(offload);
}

static void
offload_destroy(struct offload *offload)
{
    pthread_cond_destroy(&offload->work);
    pthread_cond_destroy(&offload->rest);
    pthread_mutex_destroy(&offload->lock);
    offload_forget(offload);
}

/* ---- In a thread ---------------------------------------------------------------- */

/* Runs one job without the lock. */
static void
run_job(struct offload *offload, struct offload_job *job)
{
    offload->nrunning++;
    pthread_mutex_unlock(&offload->lock);
    job->run(job);
    pthread_mutex_lock(&offload->lock);
    offload->nrunning--;
    if (offload->finished.first == NULL && !offload->is_closing)
        (void)!write(offload->fds[1], "", 1);
    queue_append(&offload->finished, job);
}

static void *
offload_run(void *arg)
{
    struct offload *offload = arg;

    os_name_thread("bolide-io");
    pthread_mutex_lock(&offload->lock);
    while (!offload->is_closing) {
        struct offload_job *job = queue_take(&offload->todo);
        if (job != NULL) {
            run_job(offload, job);
            continue;
        }
        offload->nidle++;
        pthread_cond_wait(&offload->work, &offload->lock);
        offload->nidle--;
    }
    assert(offload->nalive > 0);
    offload->nalive--;
    bool frees = offload->is_left && offload->nalive == 0;
    pthread_cond_signal(&offload->rest);
    pthread_mutex_unlock(&offload->lock);
    if (frees)
        offload_destroy(offload);
    return NULL;
}

/* ---- On the owner's thread ------------------------------------------------------ */

int
offload_new(unsigned nthreads, unsigned njobs, struct offload **out)
{
    assert(nthreads > 0 && nthreads <= THREADS_MAX && njobs > 0);
    struct offload *offload = mem_calloc(1, sizeof *offload);
    if (offload == NULL)
        return ERR_NOMEM;
    if (os_socket_pair(offload->fds) != 0) {
        mem_free(offload);
        return ERR_FD_LIMIT;
    }
    offload->nthreads_max = nthreads;
    offload->njobs_max = njobs;
    queue_init(&offload->todo);
    queue_init(&offload->finished);
    pthread_mutex_init(&offload->lock, NULL);
    pthread_cond_init(&offload->work, NULL);
    os_condition_init(&offload->rest);
    *out = offload;
    return 0;
}

int
offload_fd(const struct offload *offload)
{
    return offload->fds[0];
}

/* Starts a thread that receives no signals; called with the lock. */
static bool
start_thread(struct offload *offload)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&offload->threads[offload->nthreads], NULL, offload_run,
                               offload);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return false;
    offload->pid = getpid();
    offload->nthreads++;
    offload->nalive++;
    return true;
}

int
offload_put(struct offload *offload, struct offload_job *job)
{
    assert(job->run != NULL && job->done != NULL && job->drop != NULL);
    if (offload->njobs >= offload->njobs_max)
        return ERR_AGAIN;
    pthread_mutex_lock(&offload->lock);
    assert(!offload->is_closing);
    bool has_thread = offload->nidle > offload->todo.n ||
                      offload->nthreads == offload->nthreads_max ||
                      start_thread(offload) || offload->nthreads > 0;
    if (has_thread) {
        offload->njobs++;
        queue_append(&offload->todo, job);
        pthread_cond_signal(&offload->work);
    }
    pthread_mutex_unlock(&offload->lock);
    return has_thread ? 0 : ERR_NOMEM;
}

void
offload_settle(struct offload *offload)
{
    struct queue finished;
    struct offload_job *job;
    char bytes[64];

    (void)!read(offload->fds[0], bytes, sizeof bytes);
    queue_init(&finished);
    pthread_mutex_lock(&offload->lock);
    while ((job = queue_take(&offload->finished)) != NULL)
        queue_append(&finished, job);
    pthread_mutex_unlock(&offload->lock);
    while ((job = queue_take(&finished)) != NULL) {
        assert(offload->njobs > 0);
        offload->njobs--;
        job->done(job);
    }
}

/* Waits until no job runs. Returns false if that takes too long. */
static bool
wait_for_rest(struct offload *offload)
{
    struct timespec due;
    bool is_in_time = true;

    clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_nsec += PATIENCE_MS * 1000000L;
    due.tv_sec += due.tv_nsec / 1000000000L;
    due.tv_nsec %= 1000000000L;
    while (offload->nalive > 0 && is_in_time)
        is_in_time = os_wait_until(&offload->rest, &offload->lock, &due);
    return offload->nalive == 0;
}

void
offload_free(struct offload *offload)
{
    if (offload == NULL)
        return;
    if (offload->nthreads > 0 && offload->pid != getpid()) {
        offload_forget(offload);
        return;
    }
    if (offload->nthreads == 0) {
        offload_destroy(offload);
        return;
    }
    pthread_mutex_lock(&offload->lock);
    offload->is_closing = true;
    queue_drop(&offload->todo);
    pthread_cond_broadcast(&offload->work);
    bool is_quiet = wait_for_rest(offload);
    unsigned nthreads = offload->nthreads;
    pthread_t threads[THREADS_MAX];
    for (unsigned i = 0; i < nthreads; i++)
        threads[i] = offload->threads[i];
    offload->is_left = !is_quiet;
    pthread_mutex_unlock(&offload->lock);
    for (unsigned i = 0; i < nthreads; i++) {
        if (is_quiet)
            pthread_join(threads[i], NULL);
        else
            pthread_detach(threads[i]);
    }
    if (is_quiet)
        offload_destroy(offload);
}
