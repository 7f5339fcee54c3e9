/* SPDX-License-Identifier: MIT */
/* tests/c/test_datagram.c — what precedes a line in a datagram of syslog or journald. */
#include "log/datagram.c"

#include <regex.h>
#include <stdlib.h>

#include <errno.h> /* EPERM */

#include "failing.h"
#include "tap.h"

/* Whether the head matches `pattern`, an extended regular expression. */
static bool
matches(enum datagram_form form, int severity, const char *id, const char *pattern)
{
    char room[DATAGRAM_HEAD_BYTES];
    regex_t re;

    memset(room, 'x', sizeof room);
    struct slice head = datagram_head(form, severity, id, room);
    if (head.ptr != room || head.len >= sizeof room || room[head.len] != '\0' ||
        regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool is_match = regexec(&re, room, 0, NULL, 0) == 0;
    regfree(&re);
    if (!is_match)
        printf("# got %s\n", room);
    return is_match;
}

static void
test_each_format_has_its_header(void)
{
    ok(matches(DATAGRAM_LOCAL_SYSLOG, 6, "access",
               "^<30>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} bolide\\[[0-9]+\\]: $"),
       "RFC 3164");
    ok(matches(DATAGRAM_REMOTE_SYSLOG, 3, "access",
               "^<27>1 [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}[+-][0-9:]{5} "
               "[^ ]+ bolide [0-9]+ access - $"),
       "RFC 5424");
    ok(matches(DATAGRAM_REMOTE_SYSLOG, 0, "-", "^<24>1 .* - - $"), "without a MSGID");
    ok(matches(DATAGRAM_JOURNAL, 7, "access",
               "^PRIORITY=7\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=bolide\nMESSAGE=$"),
       "journald");
}

static void
test_a_host_without_a_name(void)
{
    char room[DATAGRAM_HEAD_BYTES];

    fault_of("gethostname", 1, EPERM);
    struct slice head = datagram_head(DATAGRAM_REMOTE_SYSLOG, 6, "-", room);
    (void)fault_stop();
    if (fault_name()[0] != '\0')
        ok(memmem(head.ptr, head.len, " - bolide ", 10) != NULL, "is a dash");
}

static void
test_a_line_of_the_journal_ends_with_a_newline(void)
{
    ok(datagram_has_newline(DATAGRAM_JOURNAL), "it does");
    ok(!datagram_has_newline(DATAGRAM_LOCAL_SYSLOG) &&
           !datagram_has_newline(DATAGRAM_REMOTE_SYSLOG),
       "others do not");
}

int
main(void)
{
    test_each_format_has_its_header();
    test_a_host_without_a_name();
    test_a_line_of_the_journal_ends_with_a_newline();
    return tap_done();
}
