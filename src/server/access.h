/* SPDX-License-Identifier: MIT */
/* server/access.h — the access log: one line per exchange in the common log format,
 * gathered in memory and written a piece at a time.  A reader that stalls costs lines,
 * which are counted, and never a request's time. */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "base/clock.h"  /* struct clock */
#include "http/stream.h" /* struct stream */

#define ACCESS_BUFFER_BYTES (64u * 1024) /* lines that may wait */
#define ACCESS_DELAY_MS 200u             /* how long a line waits at most */

struct access_log {
    int fd;          /* borrowed */
    size_t len;      /* bytes in `buffer` */
    uint64_t due_ms; /* when they have to be written; TIMER_NEVER when there are none */
    uint64_t time_ms;  /* when `time` was made */
    uint64_t ndropped; /* lines lost since the last one that was written */
    char time[27];     /* "23/Nov/2026:11:27:12 +0000" and a NUL */
    char buffer[ACCESS_BUFFER_BYTES];
};

/* Makes a log that writes to `fd`; NULL when there is no memory. */
MUST_USE struct access_log *access_log_new(int fd);

/* Writes what waits and frees; NULL is fine. */
void access_log_free(struct access_log *log);

/* Adds the line of an exchange that is over:
 * `host - - [time] "request line" status body-bytes`. */
void access_log_add(struct access_log *log, const struct clock *clock,
                    const struct stream *s, struct slice request_line);

/* Writes what waits, as far as the reader takes it without making us wait. */
void access_log_write(struct access_log *log);

#endif
