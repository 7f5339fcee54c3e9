/* SPDX-License-Identifier: MIT */
/* log/datagram.h — the header of a syslog or journal datagram that carries a log
 * line. Used by the access log's thread and by the Python package. */
#ifndef LOG_DATAGRAM_H
#define LOG_DATAGRAM_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

enum datagram_form {
    DATAGRAM_LOCAL_SYSLOG = 0, /* RFC 3164, for the local syslog socket */
    DATAGRAM_REMOTE_SYSLOG,    /* RFC 5424, for another machine */
    DATAGRAM_JOURNAL,          /* journald's native protocol; the line ends with LF */
};

/* The longest header, with a NUL. */
#define DATAGRAM_HEAD_BYTES 256u

#define DATAGRAM_INFORMATIONAL 6 /* a severity (RFC 5424 6.2.1) */

/* Writes the header of a line with the current time, facility daemon and `severity`,
 * 0 to 7, to `room`. `id` is the MSGID of RFC 5424, "-" for none. Returns it as a
 * slice of `room`, without a NUL. May be called on any thread. */
MUST_USE struct slice datagram_head(enum datagram_form form, int severity,
                                    const char *id, char room[DATAGRAM_HEAD_BYTES]);

/* Returns whether the LF of the line belongs to the datagram. */
static inline bool
datagram_has_newline(enum datagram_form form)
{
    return form == DATAGRAM_JOURNAL;
}

#endif
