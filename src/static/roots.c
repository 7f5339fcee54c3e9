/* SPDX-License-Identifier: MIT */
/* static/roots.c — see roots.h for the contract. */
#include "static/roots.h"

#include <assert.h>   /* assert */
#include <sys/stat.h> /* stat */

#include "base/err.h"
#include "base/mem.h"
#include "static/threads.h"

/* The directory that was found by the last check. */
struct statics_root {
    dev_t device;
    ino_t number;
    bool is_known, is_checking;
    uint64_t due_ms;
};

/* A check in a thread. */
struct root_check {
    struct offload_job job;
    struct statics *statics; /* borrowed; for `done` alone */
    unsigned mount;
    dev_t device;
    ino_t number; /* 0: it does not exist */
    char path[];
};

int
roots_init(struct statics *statics)
{
    statics->roots = mem_calloc(statics->config.nmounts, sizeof *statics->roots);
    return statics->roots != NULL ? 0 : ERR_NOMEM;
}

void
roots_fini(struct statics *statics)
{
    mem_free(statics->roots);
    statics->roots = NULL;
}

static void
check_run(struct offload_job *job)
{
    struct root_check *check = container_of(job, struct root_check, job);
    struct stat facts;

    if (stat(check->path, &facts) == 0) {
        check->device = facts.st_dev;
        check->number = facts.st_ino;
    }
}

static void
check_drop(struct offload_job *job)
{
    mem_free(container_of(job, struct root_check, job));
}

static void
check_done(struct offload_job *job)
{
    struct root_check *check = container_of(job, struct root_check, job);
    struct statics *statics = check->statics;
    struct statics_root *root = &statics->roots[check->mount];

    assert(root->is_checking);
    if (root->is_known &&
        (root->device != check->device || root->number != check->number)) {
        statics->generation++;
        entries_drop_all(&statics->entries);
    }
    root->device = check->device;
    root->number = check->number;
    root->is_known = true;
    root->is_checking = false;
    mem_free(check);
}

void
roots_check(struct statics *statics, unsigned mount, uint64_t now_ms)
{
    struct statics_root *root = &statics->roots[mount];
    struct slice directory = statics->config.mounts[mount].directory;

    assert(mount < statics->config.nmounts);
    if (LIKELY(now_ms < root->due_ms) || root->is_checking)
        return;
    root->due_ms = now_ms + ROOTS_MS;
    struct root_check *check = mem_calloc(1, sizeof *check + directory.len + 1);
    if (check == NULL)
        return;
    check->job = (struct offload_job){
        .run = check_run,
        .done = check_done,
        .drop = check_drop,
    };
    check->statics = statics;
    check->mount = mount;
    memcpy(check->path, directory.ptr, directory.len);
    root->is_checking = threads_put(statics, &check->job) == 0;
    if (!root->is_checking)
        mem_free(check);
}
