/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/transport.c — see transport.h. */
#include "session/transport.h"

#include <errno.h>      /* errno */
#include <stdarg.h>     /* va_list */
#include <string.h>     /* memcpy */
#include <sys/ioctl.h>  /* FIONREAD */
#include <sys/socket.h> /* MSG_PEEK */
#include <sys/types.h>  /* ssize_t */
#include <unistd.h>     /* pread */

#include "base/slice.h"
#include "session/world.h"

#define RECORD_HEAD_BYTES 5u

/* The linker renames the calls of the engine and of OpenSSL to these. */
ssize_t __real_recv(int fd, void *at, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *at, size_t n, int flags);
ssize_t __real_send(int fd, const void *at, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *at, size_t n, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendfile64(int fd, int file, off_t *at, size_t n);
ssize_t __wrap_sendfile(int fd, int file, off_t *at, size_t n);
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t n);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t n);
int __wrap_ioctl(int fd, unsigned long request, ...);

static void
begin_call(int fd)
{
    CHECK(fd == WORLD_FD && !world.is_closed);
    world_step();
}

/* Records */

/* Returns how many of the `n` bytes belong to the record that they continue. */
static size_t
to_record_end(const struct room *room, const char *bytes, size_t n)
{
    uint8_t head[RECORD_HEAD_BYTES];
    size_t missing = RECORD_HEAD_BYTES - room->nhead;

    if (missing == 0)
        return room->left < n ? room->left : n;
    if (n <= missing)
        return n;
    memcpy(head, room->head, room->nhead);
    memcpy(head + room->nhead, bytes, missing);
    size_t end = missing + ((size_t)head[3] << 8 | head[4]);
    return end < n ? end : n;
}

/* Returns how many of the `n` bytes, n > 0, pass now. */
static size_t
pass_of(const struct room *room, const char *bytes, size_t n)
{
    n = n < room->bytes ? n : room->bytes;
    if (!room->by_record || n == 0)
        return n;
    size_t end = to_record_end(room, bytes, n) + room->beyond;
    return end < n ? end : n;
}

/* `n` bytes have passed. */
static void
take_room(struct room *room, const char *bytes, size_t n)
{
    room->bytes = room->by_record ? 0 : room->bytes - n;
    while (n > 0) {
        size_t some = 1;
        if (room->nhead < RECORD_HEAD_BYTES) {
            room->head[room->nhead++] = (uint8_t)*bytes;
            room->left = (size_t)room->head[3] << 8 | room->head[4];
        } else {
            some = room->left < n ? room->left : n;
            room->left -= some;
        }
        if (room->nhead == RECORD_HEAD_BYTES && room->left == 0) {
            room->nhead = 0;
            memset(room->head, 0, sizeof room->head);
        }
        bytes += some;
        n -= some;
    }
}

/* Reading */

bool
transport_is_readable(void)
{
    return (world.may_read.bytes > 0 && world.to_server.len > 0) || world.is_reset ||
           (world.client_shut && world.to_server.len == 0);
}

ssize_t
__wrap_recv(int fd, void *at, size_t n, int flags)
{
    struct slice in = buf_bytes(&world.to_server);

    if (fd != WORLD_FD)
        return __real_recv(fd, at, n, flags);
    begin_call(fd);
    CHECK(n > 0);
    if (in.len == 0 && world.is_reset) {
        errno = ECONNRESET;
        return -1;
    }
    if (in.len == 0 && world.client_shut)
        return 0;
    in = slice_first(in, pass_of(&world.may_read, in.ptr, in.len < n ? in.len : n));
    if (in.len == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(at, in.ptr, in.len);
    if ((flags & MSG_PEEK) != 0)
        return (ssize_t)in.len;
    take_room(&world.may_read, in.ptr, in.len);
    buf_consume(&world.to_server, in.len);
    return (ssize_t)in.len;
}

int
__wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;

    begin_call(fd);
    CHECK(request == FIONREAD);
    va_start(arguments, request);
    *va_arg(arguments, int *) = (int)world.to_server.len;
    va_end(arguments);
    return 0;
}

/* Writing */

/* Writes as much as the socket has room for; returns the number of bytes, or -1. */
static ssize_t
take(const char *bytes, size_t n)
{
    CHECK(!world.server_shut);
    if (world.is_reset) {
        errno = ECONNRESET;
        return -1;
    }
    n = pass_of(&world.may_write, bytes, n);
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    CHECK(buf_append(&world.sent, slice_new(bytes, n)) == 0);
    take_room(&world.may_write, bytes, n);
    return (ssize_t)n;
}

ssize_t
__wrap_send(int fd, const void *at, size_t n, int flags)
{
    if (fd != WORLD_FD)
        return __real_send(fd, at, n, flags);
    begin_call(fd);
    CHECK(n > 0 && (flags & MSG_NOSIGNAL) != 0);
    return take(at, n);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t done = 0;

    begin_call(fd);
    CHECK(message->msg_iovlen > 0 && (flags & MSG_NOSIGNAL) != 0);
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *iov = &message->msg_iov[i];
        ssize_t taken = iov->iov_len == 0 ? 0 : take(iov->iov_base, iov->iov_len);
        if (taken < 0)
            return done > 0 ? done : -1;
        done += taken;
        if ((size_t)taken < iov->iov_len)
            break;
    }
    return done;
}

ssize_t
__wrap_sendfile64(int fd, int file, off_t *at, size_t n)
{
    static char bytes[65536];

    begin_call(fd);
    CHECK(n > 0);
    ssize_t got = pread(file, bytes, n < sizeof bytes ? n : sizeof bytes, *at);
    if (got <= 0)
        return got;
    ssize_t taken = take(bytes, (size_t)got);
    if (taken > 0)
        *at += taken;
    return taken;
}

ssize_t
__wrap_sendfile(int fd, int file, off_t *at, size_t n)
{
    return __wrap_sendfile64(fd, file, at, n);
}

struct slice
transport_sent(void)
{
    return buf_bytes(&world.sent);
}

void
transport_sent_done(void)
{
    buf_consume(&world.sent, world.sent.len);
}

/* The end */

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    if (fd != WORLD_FD)
        return __real_setsockopt(fd, level, name, value, n);
    begin_call(fd);
    if (level == SOL_SOCKET && name == SO_LINGER)
        world.was_reset = true;
    return 0;
}

int
__wrap_shutdown(int fd, int how)
{
    if (fd != WORLD_FD)
        return __real_shutdown(fd, how);
    begin_call(fd);
    CHECK(how == SHUT_WR);
    world.server_shut = true;
    return 0;
}

int
__wrap_close(int fd)
{
    if (fd != WORLD_FD)
        return __real_close(fd);
    begin_call(fd);
    world.is_closed = true;
    return 0;
}
