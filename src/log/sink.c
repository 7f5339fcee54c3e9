/* SPDX-License-Identifier: MIT */
/* log/sink.c — see sink.h for the contract. */
#include "log/sink.h"

#include <assert.h>   /* assert */
#include <errno.h>    /* errno */
#include <fcntl.h>    /* open */
#include <limits.h>   /* PIPE_BUF */
#include <poll.h>     /* poll */
#include <sys/stat.h> /* fstat */
#include <sys/time.h> /* struct timeval */
#include <sys/uio.h>  /* struct iovec */
#include <sys/un.h>   /* struct sockaddr_un */
#include <unistd.h>   /* write */

#include "base/err.h"
#include "base/narrow.h"
#include "base/system.h"
#include "log/datagram.h"

#define FILE_MODE 0644 /* mode of a new file */

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
    /* A slow receiver of datagrams blocks the sender, which poll() does not show. */
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

/* Waits until something can be written; returns false to give up. A writable pipe
 * accepts PIPE_BUF bytes at once, so a write after this does not block. */
static bool
sink_wait_for_room(int fd, const bool *gives_up)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    while (!__atomic_load_n(gives_up, __ATOMIC_ACQUIRE)) {
        if (poll(&p, 1, SINK_LOOK_AGAIN_MS) > 0)
            return true;
    }
    errno = EAGAIN;
    return false;
}

/* Writes `bytes` to a descriptor. Returns the number of bytes written; if it is
 * smaller, errno is set. */
static size_t
write_all(int fd, struct slice bytes, const bool *gives_up)
{
    size_t done = 0;

    while (done < bytes.len) {
        ssize_t n = write(fd, bytes.ptr + done, bytes.len - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == -1 && errno == EAGAIN) {
            if (!sink_wait_for_room(fd, gives_up))
                break;
        } else if (n == 0 || errno != EINTR) {
            break;
        }
    }
    return done;
}

/* Returns as many whole lines as fit into `most` bytes, at least one. */
static struct slice
some_lines(struct slice lines, size_t most)
{
    if (lines.ptr == NULL || lines.len <= most)
        return lines;
    const char *last = system_find_last(lines.ptr, '\n', most);
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
        if (!sink_wait_for_room(sink->fd, gives_up) ||
            write_all(sink->fd, slice_of("\n"), gives_up) == 0)
            goto fail;
        sink->is_torn = false;
    }
    while (lines.len > 0) {
        struct slice some = some_lines(lines, sink->is_pipe ? PIPE_BUF : lines.len);
        if (sink->is_pipe && !sink_wait_for_room(sink->fd, gives_up))
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
    *nlost = narrow_u32(slice_count(lines, '\n'));
    return errno;
}

static enum datagram_form
form_of(const struct sink *sink)
{
    if (sink->kind == SINK_JOURNAL)
        return DATAGRAM_JOURNAL;
    return sink->address_bytes > 0 ? DATAGRAM_LOCAL_SYSLOG : DATAGRAM_REMOTE_SYSLOG;
}

static int
send_line(struct sink *sink, struct slice head, struct slice line, const bool *gives_up)
{
    struct iovec parts[] = {
        {(void *)(uintptr_t)head.ptr, head.len},
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

/* If a datagram is not accepted, only its line is lost: the next one may be
 * accepted. */
static int
write_datagrams(struct sink *sink, struct slice lines, const bool *gives_up,
                unsigned *nlost)
{
    char room[DATAGRAM_HEAD_BYTES];
    enum datagram_form form = form_of(sink);
    struct slice head = datagram_head(form, DATAGRAM_INFORMATIONAL, "access", room);
    int err = 0;

    while (lines.len > 0) {
        struct slice line = some_lines(lines, 1);
        size_t n = line.len;
        if (!datagram_has_newline(form) && line.ptr[n - 1] == '\n')
            line.len--;
        int problem = send_line(sink, head, line, gives_up);
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
