/* SPDX-License-Identifier: MIT */
/* builtin/text.c — see text.h for the contract. */
#include "builtin/text.h"

#include <assert.h>       /* assert */
#include <dirent.h>       /* opendir */
#include <fcntl.h>        /* open */
#include <stdarg.h>       /* va_list */
#include <stdio.h>        /* vsnprintf */
#include <stdlib.h>       /* strtoull */
#include <string.h>       /* strrchr */
#include <sys/resource.h> /* getrlimit */
#include <unistd.h>       /* sysconf */

void
text_add(struct text *text, const char *format, ...)
{
    va_list args;
    char *at;

    if (text->err == 0)
        text->err = buf_reserve(&text->buf, TEXT_PIECE_BYTES, &at);
    if (text->err != 0)
        return;
    va_start(args, format);
    int n = vsnprintf(at, TEXT_PIECE_BYTES, format, args);
    va_end(args);
    if (n > 0)
        buf_commit(&text->buf,
                   (size_t)n < TEXT_PIECE_BYTES ? (size_t)n : TEXT_PIECE_BYTES - 1);
}

#define NUMBER_BYTES 20 /* most bytes of a number */

void
text_add_numbers(struct text *text, const uint64_t *numbers, size_t n)
{
    char *begin, *at;

    assert(n <= TEXT_NUMBERS_MAX);
    if (text->err == 0)
        text->err = buf_reserve(&text->buf, n * (NUMBER_BYTES + 1), &begin);
    if (text->err != 0)
        return;
    at = begin;
    for (size_t i = 0; i < n; i++) {
        char digits[NUMBER_BYTES], *p = digits + NUMBER_BYTES;
        uint64_t number = numbers[i];
        if (i > 0)
            *at++ = ',';
        do
            *--p = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        size_t len = (size_t)(digits + NUMBER_BYTES - p);
        memcpy(at, p, len);
        at += len;
    }
    buf_commit(&text->buf, (size_t)(at - begin));
}

void
text_add_bytes(struct text *text, struct slice bytes)
{
    if (text->err == 0)
        text->err = buf_append(&text->buf, bytes);
}

uint64_t
text_open_files(uint64_t pid)
{
    char path[64];
    uint64_t n = 0;

    snprintf(path, sizeof path, "/proc/%llu/fd", (unsigned long long)pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

uint64_t
text_max_files(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

/* Reads /proc/`pid`/`name` and returns the text after its `nth` space, "" if there
 * is none. The process's name, in brackets, may contain spaces. */
static const char *
proc_field(uint64_t pid, const char *name, int nth, char *room, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%llu/%s", (unsigned long long)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, room, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return "";
    room[n] = '\0';
    const char *at = strrchr(room, ')');
    at = at != NULL ? at + 1 : room;
    while (nth-- > 0) {
        at = strchr(at, ' ');
        if (at == NULL)
            return "";
        at++;
    }
    return at;
}

uint64_t
text_rss(uint64_t pid)
{
    char room[256];
    const char *pages = proc_field(pid, "statm", 1, room, sizeof room);

    return strtoull(pages, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t
text_cpu_ms(uint64_t pid)
{
    char room[1024];
    char *end;
    /* After the name, state is the first field and utime the 12th (proc(5)). */
    const char *at = proc_field(pid, "stat", 12, room, sizeof room);
    uint64_t user = strtoull(at, &end, 10);
    uint64_t system = strtoull(end, NULL, 10);

    return (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}
