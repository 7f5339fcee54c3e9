/* SPDX-License-Identifier: MIT */
/* server/sink.h — where lines go: a descriptor, a file that can be opened again, the
 * system's log, or systemd's journal.  Its calls may wait for a slow reader or disk, so
 * they belong to a thread of their own (writer.h). */
#ifndef SERVER_SINK_H
#define SERVER_SINK_H

#include <stdbool.h>    /* bool */
#include <sys/socket.h> /* struct sockaddr_storage */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

enum sink_kind {
    SINK_STREAM = 0, /* a descriptor: standard output */
    SINK_FILE,       /* a file at `path` */
    SINK_SYSLOG,     /* a datagram a line: RFC 3164 to the socket at `path`, or without
                        one RFC 5424 over a connected socket */
    SINK_JOURNAL,    /* a datagram a line, in journald's own form, to `path` */
};

#define SINK_PATH_BYTES 4096u

struct sink_config {
    enum sink_kind kind;
    int fd;           /* borrowed: the sink takes a copy */
    const char *path; /* borrowed; NULL: there is none */
};

struct sink {
    enum sink_kind kind;
    int fd;       /* owned */
    bool is_torn; /* a line was cut off by an error: the next one begins a new line */
    bool is_pipe; /* what is written at once must not be more than PIPE_BUF */
    bool is_terminal;                /* somebody reads along */
    struct sockaddr_storage address; /* of `path`, for datagrams */
    socklen_t address_bytes;         /* 0: the socket is connected */
    char path[SINK_PATH_BYTES];      /* "" for none */
};

/* Fills *sink in the caller's memory.  Returns 0, ERR_IO (the descriptor cannot be used), or
 * ERR_ADDRESS (a path that is too long). */
MUST_USE int sink_init(struct sink *sink, const struct sink_config *config);

/* Closes what it owns. */
void sink_fini(struct sink *sink);

/* How long a sink that waits takes to see that *gives_up has become true. */
#define SINK_LOOK_AGAIN_MS 100

/* Writes whole lines, each with its newline.  Waits for a reader that is slow until
 * *gives_up is true; a file on a disk that stalls is waited for in any case.  Returns 0 or
 * the errno that ended it; *nlost is how many lines did not go out, exactly. */
MUST_USE int sink_write(struct sink *sink, struct slice lines, const bool *gives_up,
                        unsigned *nlost);

/* Opens the file at `path` again, for whoever has moved it away.  Returns 0, or an errno
 * and goes on with the old one.  Does nothing where there is no file. */
MUST_USE int sink_reopen(struct sink *sink);

#endif
