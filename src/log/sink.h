/* SPDX-License-Identifier: MIT */
/* log/sink.h — a destination of lines: a descriptor, a file that can be reopened,
 * syslog, or systemd's journal. Its functions may block on a slow reader or disk, so
 * they are called on a separate thread (writer.h). */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include <stdbool.h>    /* bool */
#include <sys/socket.h> /* struct sockaddr_storage */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

enum sink_kind {
    SINK_STREAM = 0, /* a descriptor: standard output */
    SINK_FILE,       /* a file at `path` */
    SINK_SYSLOG,     /* one datagram per line: RFC 3164 to the socket at `path`, or
                        without a path RFC 5424 over a connected socket */
    SINK_JOURNAL,    /* one datagram per line in journald's format, to `path` */
};

#define SINK_PATH_BYTES 4096u

struct sink_config {
    enum sink_kind kind;
    int fd;           /* borrowed: the sink duplicates it */
    const char *path; /* borrowed; NULL: none */
};

struct sink {
    enum sink_kind kind;
    int fd;       /* owned */
    bool is_torn; /* an error truncated a line: the next one starts with a newline */
    bool is_pipe; /* a single write must not exceed PIPE_BUF */
    bool is_terminal;                /* a terminal */
    struct sockaddr_storage address; /* of `path`, for datagrams */
    socklen_t address_bytes;         /* 0: the socket is connected */
    char path[SINK_PATH_BYTES];      /* "" for none */
};

/* Initializes *sink in the caller's memory.  Returns 0, ERR_IO (the descriptor
 * cannot be used), or ERR_ADDRESS (a path that is too long). */
MUST_USE int sink_init(struct sink *sink, const struct sink_config *config);

/* Closes the sink. */
void sink_fini(struct sink *sink);

/* The longest time until a blocked sink notices that *gives_up has become true. */
#define SINK_LOOK_AGAIN_MS 100

/* Writes whole lines, each with its newline.  Waits for a slow reader until
 * *gives_up is true; it always waits for a slow disk. Returns 0 or the errno of the
 * failure, and sets *nlost to the exact number of lines that were not written. */
MUST_USE int sink_write(struct sink *sink, struct slice lines, const bool *gives_up,
                        unsigned *nlost);

/* Reopens the file at `path`, after log rotation. Returns 0, or an errno and
 * continues with the old file. Does nothing if the sink is not a file. */
MUST_USE int sink_reopen(struct sink *sink);

#endif
