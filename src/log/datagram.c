/* SPDX-License-Identifier: MIT */
/* log/datagram.c — see datagram.h for the contract. */
#include "log/datagram.h"

#include <assert.h> /* assert */
#include <stdio.h>  /* snprintf */
#include <time.h>   /* localtime_r */
#include <unistd.h> /* gethostname, getpid */

#include "base/clock.h"

#define FACILITY_DAEMON 3 /* RFC 5424 6.2.1 */

static int
journal_head(int severity, char *room)
{
    return snprintf(room, DATAGRAM_HEAD_BYTES,
                    "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=bolide\n"
                    "MESSAGE=",
                    severity, FACILITY_DAEMON);
}

static int
local_syslog_head(int priority, char *room)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = time(NULL);
    struct tm tm;

    localtime_r(&now, &tm);
    return snprintf(room, DATAGRAM_HEAD_BYTES,
                    "<%d>%.3s %2d %02d:%02d:%02d bolide[%ld]: ", priority,
                    months + tm.tm_mon * 3, tm.tm_mday, tm.tm_hour, tm.tm_min,
                    tm.tm_sec, (long)getpid());
}

static int
remote_syslog_head(int priority, const char *id, char *room)
{
    struct clock_stamp stamp = {.s = -1};
    char host[65] = "-";

    clock_stamp(&stamp, &(struct clock){0});
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        memcpy(host, "-", 2);
    return snprintf(room, DATAGRAM_HEAD_BYTES, "<%d>1 %s %s bolide %ld %s - ", priority,
                    stamp.iso, host, (long)getpid(), id);
}

struct slice
datagram_head(enum datagram_form form, int severity, const char *id,
              char room[DATAGRAM_HEAD_BYTES])
{
    int priority = FACILITY_DAEMON * 8 + severity, n;

    assert(severity >= 0 && severity <= 7 && strlen(id) <= 32);
    if (form == DATAGRAM_JOURNAL)
        n = journal_head(severity, room);
    else if (form == DATAGRAM_LOCAL_SYSLOG)
        n = local_syslog_head(priority, room);
    else
        n = remote_syslog_head(priority, id, room);
    assert(n > 0 && n < (int)DATAGRAM_HEAD_BYTES);
    return slice_new(room, (size_t)n);
}
