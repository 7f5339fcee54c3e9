/* SPDX-License-Identifier: MIT */
/* net/offload.h — a few threads that run jobs which may block or take long, such as
 * opening files, so that the event loop never waits for them. All functions are called
 * on one thread, the owner's. The threads receive no signals, and start when they are
 * first needed: a process that forks before that has none to lose. */
#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include "base/compiler.h" /* MUST_USE */

/* A job; part of a larger struct that belongs to the pool between offload_put() and
 * `done` or `drop`. */
struct offload_job {
    struct offload_job *next; /* the pool's */
    /* Called in a thread. It uses nothing but the job's own struct and system calls. */
    void (*run)(struct offload_job *job);
    /* Called on the owner's thread, by offload_settle(), after `run`: frees the job. */
    void (*done)(struct offload_job *job);
    /* Called instead of `done` after offload_free(): frees the job and uses nothing
     * else; may be called in a thread, or without `run`. */
    void (*drop)(struct offload_job *job);
};

struct offload; /* owns its threads and the jobs that wait */

/* Creates a pool of at most `nthreads` threads and `njobs` jobs that wait, run or are
 * to be settled. On success *out is owned by the caller, who frees it with
 * offload_free(). Returns 0, ERR_NOMEM or ERR_FD_LIMIT. */
MUST_USE int offload_new(unsigned nthreads, unsigned njobs, struct offload **out);

/* Returns the descriptor that is readable when offload_settle() is to be called; owned
 * by the pool. */
int offload_fd(const struct offload *offload);

/* Passes a job to a thread. Returns 0; or, with the job still the caller's, ERR_AGAIN
 * if there are too many jobs, or ERR_NOMEM if no thread can be started. */
MUST_USE int offload_put(struct offload *offload, struct offload_job *job);

/* Calls `done` of the jobs that have run. They may call offload_put(). */
void offload_settle(struct offload *offload);

/* Drops all jobs and ends the threads. Waits a moment for jobs that run; a thread that
 * is blocked for longer is left alone, and drops its job when it ends. `offload` may be
 * NULL. In a forked process, which has no threads, it only frees. */
void offload_free(struct offload *offload);

#endif
