/* SPDX-License-Identifier: MIT */
/* tests/c/test_os_portable.c — net/os.h on macOS and the BSDs. */
#include "net/os_portable.c"

#include "failing.h"
#include "os_cases.h"

#define LARGE_BYTES ((size_t)4 << 20)

/* The lowest free descriptor: the same again if nothing was left open. */
static int
lowest(void)
{
    int fd = dup(1);

    close(fd);
    return fd;
}

static void
test_descriptors_that_cannot_be_made_private(void)
{
    int pair[2], low = lowest();

    fault_of("socketpair", 1, EMFILE);
    int made = os_socket_pair(pair);
    (void)fault_stop();
    if (fault_name()[0] == '\0') { /* no call fails in this build */
        close(pair[0]);
        close(pair[1]);
        return;
    }
    is(made, -1, "no pair");
    for (unsigned long n = 1; n <= 6; n++) {
        errno = 0;
        fault_of("fcntl64", n, ENOMEM);
        is(os_socket_pair(pair), -1, "fcntl %lu", n);
        (void)fault_stop();
        is(errno, ENOMEM, "its error is kept");
        is(lowest(), low, "nothing is left open");
    }
}

static void
test_an_accepted_descriptor_that_cannot_be_made_private(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0),
        peer = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 &&
           listen(listener, 4) == 0 &&
           getsockname(listener, (struct sockaddr *)&at, &size) == 0 &&
           connect(peer, (struct sockaddr *)&at, sizeof at) == 0,
       "a connection");
    int low = lowest();
    fault_of("fcntl64", 1, ENOMEM);
    int fd = os_accept(listener, NULL, NULL);
    (void)fault_stop();
    if (fault_name()[0] != '\0') {
        is(fd, -1, "it is not accepted");
        is(errno, ENOMEM, "its error is kept");
        is(lowest(), low, "nothing is left open");
    } else {
        close(fd);
    }
    close(listener);
    close(peer);
}

static void
test_a_file_is_sent_as_far_as_the_socket_takes_it(void)
{
    static char piece[65536];
    FILE *file = tmpfile();
    int pair[2];
    size_t sent = 0, received = 0;

    ok(file != NULL && fseek(file, (long)LARGE_BYTES - 1, SEEK_SET) == 0 &&
           fputc('x', file) == 'x' && fflush(file) == 0 && os_socket_pair(pair) == 0,
       "a file and sockets");
    while (sent < LARGE_BYTES) {
        ssize_t n =
            os_send_file(pair[0], fileno(file), narrow_off(sent), LARGE_BYTES - sent);
        sent += n > 0 ? (size_t)n : 0;
        n = recv(pair[1], piece, 1 + sent % 3000, 0);
        received += n > 0 ? (size_t)n : 0;
    }
    ssize_t n;
    while ((n = recv(pair[1], piece, sizeof piece, 0)) > 0)
        received += (size_t)n;
    is(received, LARGE_BYTES, "all of it arrives");
    close(pair[0]);
    close(pair[1]);
    fclose(file);
}

int
main(void)
{
    test_os();
    test_descriptors_that_cannot_be_made_private();
    test_an_accepted_descriptor_that_cannot_be_made_private();
    test_a_file_is_sent_as_far_as_the_socket_takes_it();
    is(os_adopt_orphans(), -1, "orphans cannot be adopted");
    is(errno, ENOSYS, "by no system of these");
    return tap_done();
}
