/* SPDX-License-Identifier: MIT */
/* tests/c/test_qlog.c — the file that records a QUIC connection. */
#include "quic/qlog.c"

#include <stdlib.h> /* mkdtemp */
#include <string.h> /* memset */

#include "tap.h"

static char folder[] = "/tmp/bolide-qlog-XXXXXX";

/* Returns the text of a file in `folder`. */
static const char *
text_of(const char *name)
{
    static char text[64], path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    (void)close(fd);
    (void)unlink(path);
    return text;
}

static void
test_a_file_has_the_name_of_its_connection(void)
{
    int fd = qlog_open(slice_of(folder), slice_new("\x01\xab\xff", 3));

    ok(fd >= 0, "created");
    qlog_write(fd, slice_of("one "));
    qlog_write(fd, slice_of("two"));
    (void)close(fd);
    is_text(text_of("01abff.sqlog"), "one two", "what was written is in it");
}

static void
test_an_existing_file_is_not_overwritten(void)
{
    int fd = qlog_open(slice_of(folder), slice_new("\x01", 1));

    qlog_write(fd, slice_of("first"));
    is(qlog_open(slice_of(folder), slice_new("\x01", 1)), -1, "there is none");
    (void)close(fd);
    is_text(text_of("01.sqlog"), "first", "the first one is complete");
}

static void
test_there_may_be_no_such_file(void)
{
    static char deep[PATH_MAX];

    memset(deep, '/', sizeof deep);
    is(qlog_open(slice_of("/no/such/folder"), slice_of("id")), -1, "no folder");
    is(qlog_open(slice_new(deep, sizeof deep), slice_of("id")), -1, "too long a name");
}

static void
test_what_cannot_be_written_is_lost(void)
{
    int fds[2];

    is(pipe(fds), 0, "a pipe");
    qlog_write(fds[0], slice_of("its end for reading"));
    qlog_write(fds[1], slice_of(""));
    ok(true, "no endless loop");
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int
main(void)
{
    ok(mkdtemp(folder) != NULL, "a folder");
    test_a_file_has_the_name_of_its_connection();
    test_an_existing_file_is_not_overwritten();
    test_there_may_be_no_such_file();
    test_what_cannot_be_written_is_lost();
    is(rmdir(folder), 0, "nothing else is in it");
    return tap_done();
}
