/* SPDX-License-Identifier: MIT */
/* tests/c/test_file.c — a file that is sent: its references, and reading it
 * completely. */
#include "base/file.c"

#include <fcntl.h>  /* fcntl */
#include <stdlib.h> /* mkstemp */

#include "tap.h"

static int
open_file(const char *text)
{
    char path[] = "/tmp/bolide-test-file-XXXXXX";
    int fd = mkstemp(path);

    unlink(path);
    ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
       "there is a file");
    return fd;
}

static bool
is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static void
test_the_last_reference_closes_the_descriptor(void)
{
    int fd = open_file("x");
    struct file *file = file_new(fd);

    ok(file != NULL, "a file");
    file_lender.retain(file);
    file_lender.retain(file);
    file_release(file);
    file_lender.release(file);
    ok(is_open(fd), "it is open as long as a queue has it");
    file_lender.release(file);
    ok(!is_open(fd), "the last reference closes it");
}

static void
test_without_memory_the_descriptor_is_the_callers(void)
{
    int fd = open_file("x");

    mem_fail_at(1);
    ok(file_new(fd) == NULL, "there is no memory");
    mem_fail_at(0);
    ok(is_open(fd), "the descriptor is still open");
    close(fd);
}

static void
test_it_is_read_exactly(void)
{
    static const struct {
        uint64_t offset;
        size_t n;
        int err;
        const char *text;
    } cases[] = {
        {0, 10, 0, "0123456789"}, {3, 4, 0, "3456"},
        {9, 1, 0, "9"},           {10, 0, 0, ""},
        {99, 0, 0, ""},           {9, 2, ERR_FILE, NULL},
        {10, 1, ERR_FILE, NULL},  {INT64_MAX, 1, ERR_FILE, NULL},
    };
    struct file *file = file_new(open_file("0123456789"));

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[16] = "";
        is(file_read(file, cases[i].offset, out, cases[i].n), cases[i].err,
           "%zu bytes at %llu", cases[i].n, (unsigned long long)cases[i].offset);
        if (cases[i].text != NULL)
            is_text(out, cases[i].text, "are these");
    }
    file_release(file);
}

static void
test_an_unreadable_file_is_an_error(void)
{
    int fds[2];
    char out[1];

    is(pipe(fds), 0, "a pipe has no offset");
    struct file *file = file_new(fds[0]);
    is(file_read(file, 0, out, 1), ERR_FILE, "so it is no file to send");
    file_release(file);
    close(fds[1]);
}

int
main(void)
{
    test_the_last_reference_closes_the_descriptor();
    test_without_memory_the_descriptor_is_the_callers();
    test_it_is_read_exactly();
    test_an_unreadable_file_is_an_error();
    return tap_done();
}
