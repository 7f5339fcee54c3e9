/* SPDX-License-Identifier: MIT */
/* static/system_linux.c — the functions that need Linux; see system.h for the
 * contract. */
#include "static/system.h"

#include <assert.h>      /* assert */
#include <errno.h>       /* errno */
#include <fcntl.h>       /* O_RDONLY */
#include <sys/inotify.h> /* inotify_init1 */
#include <sys/syscall.h> /* SYS_openat2, SYS_preadv2 */
#include <sys/uio.h>     /* struct iovec */
#include <unistd.h>      /* syscall */

#include "base/narrow.h"

/* How often an open is retried if a concurrent rename has made it fail. */
#define OPEN_TRIES 8

/* System calls of Linux 5.6 and 6.5; the headers of the system may be older. The
 * flags are those of openat2(2) with the prefix RESOLVE. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif
#define NO_MAGICLINKS 0x02u
#define NO_SYMLINKS 0x04u
#define BENEATH 0x08u

/* ---- Opening -------------------------------------------------------------------- */

static int
open_beneath(int root, const char *path, uint64_t resolve)
{
    const struct {
        uint64_t flags, mode, resolve;
    } how = {SYSTEM_OPEN_FLAGS, 0, BENEATH | NO_MAGICLINKS | resolve};
    long fd;
    int tries = 0;

    do
        fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < OPEN_TRIES)));
    return fd >= 0 ? narrow_int(fd) : -errno;
}

int
system_open(int root, const char *path, bool *has_link)
{
    assert(path[0] != '/' && path[0] != 0);
    *has_link = false;
    int fd = open_beneath(root, path, NO_SYMLINKS);
    if (fd == -ENOSYS || fd == -EPERM) /* an old kernel, or a seccomp filter */
        return system_open_walking(root, path);
    if (fd != -ELOOP)
        return fd;
    *has_link = true;
    return open_beneath(root, path, 0);
}

/* ---- Pages in memory ------------------------------------------------------------ */

/* If one page is in memory, read-ahead has usually read this many bytes. */
#define SAMPLE_BYTES (256u * 1024)

/* Returns 1 or 0, or -1 if the file system does not report it. The function preadv2
 * is missing in musl before 1.2.5. The kernel of a 64-bit system ignores the argument
 * with the upper half of the offset. */
static int
is_byte_resident(int fd, uint64_t offset)
{
    char byte;
    struct iovec part = {&byte, 1};

    if (syscall(SYS_preadv2, fd, &part, 1ul, (unsigned long)offset,
                (unsigned long)(offset >> 32), RWF_NOWAIT) >= 0)
        return 1;
    return errno == EAGAIN ? 0 : -1;
}

/* For file systems without non-blocking reads, such as overlayfs: counts the cached
 * pages. */
static bool
has_all_pages(int fd, uint64_t offset, uint64_t n)
{
    uint64_t page = narrow_size(sysconf(_SC_PAGESIZE));
    struct {
        uint64_t offset, len;
    } range = {offset, n};
    struct {
        uint64_t ncached, ndirty, nwriteback, nevicted, nrecent;
    } counts = {0};

    if (syscall(SYS_cachestat, fd, &range, &counts, 0) != 0)
        return false;
    return counts.ncached >= (offset + n - 1) / page - offset / page + 1;
}

bool
system_is_resident(int fd, uint64_t offset, uint64_t n)
{
    assert(n > 0 && offset + n <= INT64_MAX);
    for (uint64_t at = 0; at < n; at += SAMPLE_BYTES) {
        int resident = is_byte_resident(fd, offset + at);
        if (resident < 0)
            return has_all_pages(fd, offset, n);
        if (resident == 0)
            return false;
    }
    return is_byte_resident(fd, offset + n - 1) > 0;
}

/* ---- Changes -------------------------------------------------------------------- */

#define CHANGES                                                                        \
    (IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |     \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

int
system_watch_new(void)
{
    return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

int
system_watch_directory(int watch, const char *path, bool is_link_bad)
{
    return inotify_add_watch(watch, path, CHANGES | (is_link_bad ? IN_DONT_FOLLOW : 0));
}

static struct system_change
read_change(const struct inotify_event *event)
{
    const uint32_t of_tree = IN_ISDIR | IN_Q_OVERFLOW | IN_IGNORED | IN_DELETE_SELF |
                             IN_MOVE_SELF | IN_UNMOUNT;

    return (struct system_change){
        .kind =
            (event->mask & of_tree) != 0 || event->len == 0 ? SYSTEM_TREE : SYSTEM_FILE,
        .directory = event->wd,
        .is_gone = (event->mask & IN_IGNORED) != 0,
        .name = event->len > 0 ? event->name : "",
    };
}

void
system_read_changes(int watch,
                    void (*on_change)(void *arg, const struct system_change *change),
                    void *arg)
{
    _Alignas(struct inotify_event) char room[16384];
    ssize_t n = read(watch, room, sizeof room);

    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (const void *)(room + at);
        struct system_change change = read_change(event);
        on_change(arg, &change);
        at += (ssize_t)(sizeof *event + event->len);
        assert(at <= n);
    }
}
