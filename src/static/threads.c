/* SPDX-License-Identifier: MIT */
/* static/threads.c — see threads.h for the contract. */
#include "static/threads.h"

#include <assert.h> /* assert */

#include "static/changes.h"

static void
threads_on_ready(struct watch *watch, unsigned events)
{
    (void)events;
    offload_settle(container_of(watch, struct statics, on_done)->offload);
}

int
threads_start(struct statics *statics)
{
    struct offload *offload;

    if (LIKELY(statics->offload != NULL))
        return 0;
    assert(statics->service != NULL && statics->poller != NULL);
    int err = offload_new(STATICS_THREADS, STATICS_JOBS_MAX, &offload);
    if (err != 0)
        return err;
    watch_init(&statics->on_done, offload_fd(offload), threads_on_ready);
    err = poller_watch(statics->poller, &statics->on_done, POLLER_READ);
    if (err != 0) {
        offload_free(offload);
        return err;
    }
    statics->offload = offload;
    changes_init(statics);
    return 0;
}

int
threads_put(struct statics *statics, struct offload_job *job)
{
    int err = threads_start(statics);

    return err != 0 ? err : offload_put(statics->offload, job);
}

void
threads_fini(struct statics *statics)
{
    assert(statics->offload != NULL || !statics->on_done.is_on);
    if (statics->on_done.is_on)
        poller_unwatch(statics->poller, &statics->on_done);
    offload_free(statics->offload);
    statics->offload = NULL;
    changes_fini(statics);
}
