/* SPDX-License-Identifier: MIT */
/* static/state.h — the state of the files that a server serves, which the modules of
 * static/ share; see statics.h for what they do together. */
#ifndef STATIC_STATE_H
#define STATIC_STATE_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "net/offload.h"    /* struct offload */
#include "base/slice.h"     /* struct slice */
#include "http/handler.h"   /* struct handler */
#include "http/session.h"   /* struct service */
#include "net/poller.h"     /* struct watch */
#include "static/entries.h" /* struct entries */
#include "static/pattern.h" /* struct pattern_rule */
#include "static/types.h"   /* struct types */

/* The number of threads of one server, and the maximum number of paths or parts of
 * files that wait for them. */
#define STATICS_THREADS 4u
#define STATICS_JOBS_MAX 1024u

/* How long an entry is used before it is read again: if the file system reports
 * changes, and if it does not. */
#define STATICS_WATCHED_MS 30000u
#define STATICS_UNWATCHED_MS 1000u

/* Files below `directory` are served at the paths below `prefix`. */
struct static_mount {
    struct slice prefix; /* empty, or begins with "/" and does not end with it */
    struct slice directory;
};

/* All borrowed. */
struct statics_config {
    const struct static_mount *mounts; /* the longest prefix first */
    size_t nmounts;                    /* 0: nothing is served */
    const struct pattern_rule *rules;  /* of Cache-Control */
    size_t nrules;
    struct slice index; /* name of the index file of a directory; empty: none */
    struct slice
        fallback; /* path below the directory, beginning with "/", of the file that
                     is sent to clients that accept HTML if the requested file does
                     not exist; empty: none */
    struct slice types;   /* text of a mime.types file; may be empty */
    bool is_last;         /* a path without a file gets a 404, not the application */
    uint32_t entries_max; /* the most files that are kept; as many paths without a
                             file are kept too */
    uint64_t bytes_max;   /* the most bytes of contents that are kept */
};

/* Nothing is served. */
#define STATIC_CONFIG_DEFAULT                                                          \
    ((struct statics_config){                                                          \
        .entries_max = 16384,                                                          \
        .bytes_max = 67108864,                                                         \
    })

/* The path of a watched directory. */
struct statics_directory;

/* The static files of a server. All zero: off. */
struct statics {
    struct handler handler; /* the link; registered by the server */
    struct statics_config config;
    struct service *service; /* borrowed; set before the first request */
    struct poller *poller;   /* the same */
    struct entries entries;
    struct types types;
    struct offload *offload;               /* owned; NULL until it is needed */
    struct watch on_done;                  /* of the threads */
    struct watch on_change;                /* of the file system */
    int changes;                           /* owned; of system_watch_new(); -1: none */
    uint64_t generation;                   /* number of changes reported so far */
    struct statics_directory *directories; /* owned; by number; see changes.c */
    size_t ndirectories;
    struct statics_root *roots; /* owned; one for each mount; see roots.c */
};

static inline bool
statics_is_on(const struct statics *statics)
{
    return statics->config.nmounts > 0;
}

#endif
