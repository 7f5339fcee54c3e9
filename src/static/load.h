/* SPDX-License-Identifier: MIT */
/* static/load.h — finds out, in a thread, what a path below a directory is: a file
 * with its precompressed siblings, a directory with an index file, or nothing. */
#ifndef STATIC_LOAD_H
#define STATIC_LOAD_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "net/offload.h"   /* struct offload_job */
#include "base/slice.h"    /* struct slice */

/* Files up to this size are read completely and kept in memory, without a
 * descriptor. */
#define LOAD_SMALL_BYTES 65536u

/* The maximum number of watched directories per path. */
#define LOAD_DEPTH_MAX 16u

/* The encodings of a file: itself, and its siblings. */
enum load_encoding {
    LOAD_IDENTITY = 0,
    LOAD_BR,
    LOAD_ZSTD,
    LOAD_GZIP,
    LOAD_ENCODINGS,
};

/* Returns the suffix of the sibling's name, such as ".br"; empty for LOAD_IDENTITY. */
const char *load_ending(enum load_encoding encoding);

enum load_kind {
    LOAD_FILE = 0,  /* files[LOAD_IDENTITY] is set */
    LOAD_DIRECTORY, /* a directory with an index file, and the path does not end with
                       "/" */
    LOAD_MISSING,   /* nothing that may be sent */
    LOAD_FORBIDDEN, /* no permission */
    LOAD_BUSY,      /* out of descriptors or memory */
    LOAD_FAILED,    /* any other error */
};

/* One encoding of a file: a descriptor, or its contents. */
struct loaded {
    int fd;      /* -1: none */
    char *bytes; /* NULL: none; not NULL for a file of 0 bytes */
    uint64_t size;
    int64_t modified_s;
    uint32_t modified_ns;
    bool is_there;
};

/* A directory on the way to the file that is watched for changes. */
struct load_directory {
    int number; /* of system_watch_directory() */
    size_t len; /* its path is path[0, len), which ends with "/" */
};

/* A job and its result. The caller sets the first members; all texts are copies. */
struct load {
    struct offload_job job;
    int watch;       /* of system_watch_new(); -1: none. Only its number is used */
    char *directory; /* in the same block, as are the texts below, with a NUL */
    char *index;     /* name of the index file; empty: none */
    char *path;      /* as path_map() returns it */
    size_t path_len;

    enum load_kind kind;
    struct loaded files[LOAD_ENCODINGS];
    /* LOAD_MISSING: path[0, missing_len) does not exist either, and so nothing below
     * it exists. */
    size_t missing_len;
    /* Every change that could affect the result will be reported for these
     * directories. */
    bool is_watched;
    struct load_directory directories[LOAD_DEPTH_MAX];
    unsigned ndirectories;
};

/* load_init() sets the texts of a load. The caller has allocated load_text_bytes()
 * bytes for them at `room`, after the load. */
size_t load_text_bytes(struct slice directory, struct slice index, struct slice path);
void load_init(struct load *load, char *room, struct slice directory,
               struct slice index, struct slice path);

/* Runs the load; called once, in a thread. */
void load_run(struct load *load);

/* Closes the descriptors and frees the contents that were not taken over. */
void load_fini(struct load *load);

#endif
