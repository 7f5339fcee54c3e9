/* SPDX-License-Identifier: MIT */
/* server/sink.c — see sink.h for the contract. */
#include "server/sink.h"

#include <assert.h>   /* assert */
#include <errno.h>    /* errno */
#include <fcntl.h>    /* open */
#include <limits.h>   /* PIPE_BUF */
#include <poll.h>     /* poll */
#include <stdio.h>    /* snprintf */
#include <sys/stat.h> /* fstat */
#include <sys/time.h> /* struct timeval */
#include <sys/uio.h>  /* struct iovec */
#include <sys/un.h>   /* struct sockaddr_un */
#include <time.h>     /* localtime_r */
#include <unistd.h>   /* write */

#include "base/clock.h"
#include "base/err.h"

#define FILE_MODE 0644   /* of a file that is made */
#define PREFIX_BYTES 256 /* what stands in front of a line in a datagram */

/* Facility daemon, severity informational (RFC 5424 6.2.1). */
#define PRIORITY (3 * 8 + 6)

static int
set_address(struct sink *sink)
{
    struct sockaddr_un *address = (struct sockaddr_un *)(void *)&sink->address;
    size_t n = strlen(sink->path);

    if (n == 0)
        return 0;
    if (n >= sizeof address->sun_path)
        return ERR_ADDRESS;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, sink->path, n + 1);
    sink->address_bytes = sizeof *address;
    return 0;
}

int
sink_init(struct sink *sink, const struct sink_config *config)
{
    const struct timeval look_again = {.tv_usec = SINK_LOOK_AGAIN_MS * 1000};
    struct stat status;

    *sink = (struct sink){.kind = config->kind, .fd = -1};
    if (config->path != NULL) {
        if (strlen(config->path) >= SINK_PATH_BYTES)
            return ERR_ADDRESS;
        memcpy(sink->path, config->path, strlen(config->path) + 1);
    }
    if (sink->kind == SINK_SYSLOG || sink->kind == SINK_JOURNAL) {
        int err = set_address(sink);
        if (err != 0)
            return err;
    }
    sink->fd = fcntl(config->fd, F_DUPFD_CLOEXEC, 3);
    if (sink->fd == -1 || fstat(sink->fd, &status) != 0)
        return ERR_IO;
    sink->is_pipe = !S_ISREG(status.st_mode);
    sink->is_terminal = isatty(sink->fd) == 1;
    /* A datagram whose receiver is slow makes the sender wait, which poll() does not show. */
    if (sink->kind == SINK_SYSLOG || sink->kind == SINK_JOURNAL)
        (void)setsockopt(sink->fd, SOL_SOCKET, SO_SNDTIMEO, &look_again,
                         sizeof look_again);
    return 0;
}

void
sink_fini(struct sink *sink)
{
    if (sink->fd != -1)
        close(sink->fd);
    sink->fd = -1;
}

int
sink_reopen(struct sink *sink)
{
    if (sink->kind != SINK_FILE)
        return 0;
    int fd = open(sink->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, FILE_MODE);
    if (fd == -1)
        return errno;
    close(sink->fd);
    sink->fd = fd;
    sink->is_torn = false;
    return 0;
}

static unsigned
count_lines(struct slice lines)
{
    unsigned n = 0;

    for (size_t i = 0; i < lines.len; i++)
        n += lines.ptr[i] == '\n';
    return n;
}

/* Waits until something can be written; false: to give up.  A pipe that has room takes
 * PIPE_BUF bytes at once, so that a write after this does not wait. */
static bool
wait_for_room(int fd, const bool *gives_up)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    while (!__atomic_load_n(gives_up, __ATOMIC_ACQUIRE)) {
        if (poll(&p, 1, SINK_LOOK_AGAIN_MS) > 0)
            return true;
    }
    errno = EAGAIN;
    return false;
}

/* Writes `bytes` to a descriptor, and returns how many, fewer with errno set. */
static size_t
write_all(int fd, struct slice bytes, const bool *gives_up)
{
    size_t done = 0;

    while (done < bytes.len) {
        ssize_t n = write(fd, bytes.ptr + done, bytes.len - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == -1 && errno == EAGAIN) {
            if (!wait_for_room(fd, gives_up))
                break;
        } else if (n == 0 || errno != EINTR) {
            break;
        }
    }
    return done;
}

/* As many whole lines as `most` bytes hold, one at least. */
static struct slice
some_lines(struct slice lines, size_t most)
{
    if (lines.ptr == NULL || lines.len <= most)
        return lines;
    const char *last = memrchr(lines.ptr, '\n', most);
    if (last == NULL)
        last = memchr(lines.ptr, '\n', lines.len);
    return slice_first(lines,
                       last == NULL ? lines.len : (size_t)(last - lines.ptr) + 1);
}

static int
write_stream(struct sink *sink, struct slice lines, const bool *gives_up,
             unsigned *nlost)
{
    if (sink->is_torn) {
        if (!wait_for_room(sink->fd, gives_up) ||
            write_all(sink->fd, slice_of("\n"), gives_up) == 0)
            goto fail;
        sink->is_torn = false;
    }
    while (lines.len > 0) {
        struct slice some = some_lines(lines, sink->is_pipe ? PIPE_BUF : lines.len);
        if (sink->is_pipe && !wait_for_room(sink->fd, gives_up))
            goto fail;
        size_t n = write_all(sink->fd, some, gives_up);
        assert(n <= some.len);
        if (n < some.len) {
            sink->is_torn = n > 0 && some.ptr[n - 1] != '\n';
            lines = slice_skip(lines, n);
            goto fail;
        }
        lines = slice_skip(lines, n);
    }
    return 0;

fail:
    *nlost = count_lines(lines);
    return errno;
}

/* What stands in front of each line. */
static struct slice
write_prefix(const struct sink *sink, char out[PREFIX_BYTES])
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct clock_stamp stamp = {.s = -1};
    struct tm tm;
    time_t now = time(NULL);
    char host[65] = "-";
    int n;

    if (sink->kind == SINK_JOURNAL) {
        n = snprintf(out, PREFIX_BYTES,
                     "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=bolide\n"
                     "MESSAGE=");
    } else if (sink->address_bytes > 0) {
        localtime_r(&now, &tm);
        n = snprintf(out, PREFIX_BYTES,
                     "<%d>%.3s %2d %02d:%02d:%02d bolide[%ld]: ", PRIORITY,
                     months + tm.tm_mon * 3, tm.tm_mday, tm.tm_hour, tm.tm_min,
                     tm.tm_sec, (long)getpid());
    } else {
        clock_stamp(&stamp, &(struct clock){0});
        if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
            memcpy(host, "-", 2);
        n = snprintf(out, PREFIX_BYTES, "<%d>1 %s %s bolide %ld access - ", PRIORITY,
                     stamp.iso, host, (long)getpid());
    }
    return slice_new(out, n < PREFIX_BYTES ? (size_t)n : PREFIX_BYTES - 1);
}

static int
send_line(struct sink *sink, struct slice prefix, struct slice line,
          const bool *gives_up)
{
    struct iovec parts[] = {
        {(void *)(uintptr_t)prefix.ptr, prefix.len},
        {(void *)(uintptr_t)line.ptr, line.len},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = COUNT(parts)};

    if (sink->address_bytes > 0) {
        message.msg_name = &sink->address;
        message.msg_namelen = sink->address_bytes;
    }
    while (!__atomic_load_n(gives_up, __ATOMIC_ACQUIRE)) {
        if (sendmsg(sink->fd, &message, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR && errno != EAGAIN)
            return errno;
    }
    return EAGAIN;
}

/* A datagram that is not taken costs its line alone: the next one may be. */
static int
write_datagrams(struct sink *sink, struct slice lines, const bool *gives_up,
                unsigned *nlost)
{
    char room[PREFIX_BYTES];
    struct slice prefix = write_prefix(sink, room);
    int err = 0;

    while (lines.len > 0) {
        struct slice line = some_lines(lines, 1);
        size_t n = line.len;
        if (sink->kind != SINK_JOURNAL && line.ptr[n - 1] == '\n')
            line.len--;
        int problem = send_line(sink, prefix, line, gives_up);
        if (problem != 0) {
            (*nlost)++;
            err = problem;
        }
        lines = slice_skip(lines, n);
    }
    return err;
}

int
sink_write(struct sink *sink, struct slice lines, const bool *gives_up, unsigned *nlost)
{
    *nlost = 0;
    if (sink->kind == SINK_STREAM || sink->kind == SINK_FILE)
        return write_stream(sink, lines, gives_up, nlost);
    return write_datagrams(sink, lines, gives_up, nlost);
}
