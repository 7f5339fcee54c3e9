/* SPDX-License-Identifier: MIT */
/* tests/c/test_io_plain.c — bytes through a plain socket, and each way in which it
 * can end. */
#include "net/io_plain.c"

#include <arpa/inet.h>  /* htonl */
#include <fcntl.h>      /* fcntl */
#include <netinet/in.h> /* struct sockaddr_in */
#include <poll.h>       /* poll */
#include <signal.h>     /* sigaction */
#include <sys/time.h>   /* setitimer */

#ifdef __linux__
#include <linux/tcp.h> /* struct tcp_info with tcpi_data_segs_out */
#endif

#include "failing.h"
#include "tap.h"

/* Connects `io` and *peer over TCP; our end does not block. */
static void
connect_both(struct io *io, int *peer)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof in;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&in, sizeof in) == -1 ||
        listen(listening, 1) == -1 ||
        getsockname(listening, (struct sockaddr *)&in, &len) == -1 ||
        connect(*peer, (struct sockaddr *)&in, len) == -1)
        printf("Bail out! no connection\n");
    io_plain_init(io, accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    close(listening);
}

/* Waits until `fd` has something to read, or has ended. */
static bool
wait_readable(int fd)
{
    struct pollfd set = {.fd = fd, .events = POLLIN};
    return poll(&set, 1, 10000) == 1;
}

static void
test_bytes_are_received_as_sent(void)
{
    struct io io;
    int peer;
    char got[64];

    connect_both(&io, &peer);
    is(io.ops->read(&io, got, sizeof got), ERR_AGAIN, "nothing was received");
    is(send(peer, "hello", 5, 0), 5, "the peer sends");
    ok(wait_readable(io.fd), "it arrives");
    is(io.ops->read(&io, got, 2), 2, "not more is read than requested");
    is(io.ops->read(&io, got + 2, sizeof got - 2), 3, "then the rest");
    ok(memcmp(got, "hello", 5) == 0, "in order");
    is(shutdown(peer, SHUT_WR), 0, "the peer ends");
    ok(wait_readable(io.fd), "its end arrives");
    is(io.ops->read(&io, got, sizeof got), ERR_EOF, "and is reported");
    is(io.ops->read(&io, got, sizeof got), ERR_EOF, "for every read");
    io.ops->close(&io, false);
    is(io.fd, -1, "a closed transport has no descriptor");
    close(peer);
}

static void
test_parts_are_sent_together(void)
{
    static const struct iovec pieces[] = {{"one ", 4}, {"", 0}, {"two ", 4}, {"3", 1}};
    struct io io;
    int peer;
    char got[64];

    connect_both(&io, &peer);
    is(io.ops->writev(&io, pieces, 1), 4, "one buffer");
    is(io.ops->writev(&io, pieces, 4), 9, "four buffers");
    is(recv(peer, got, 13, MSG_WAITALL), 13, "the peer has received all");
    ok(memcmp(got, "one one two 3", 13) == 0, "in order");
    io.ops->shutdown(&io);
    is(recv(peer, got, sizeof got, 0), 0, "then our end");
    is(send(peer, "more", 4, 0), 4, "and may still send");
    ok(wait_readable(io.fd), "which arrives");
    is(io.ops->read(&io, got, sizeof got), 4, "and is read");
    is(io.ops->writev(&io, pieces, 1), ERR_RESET, "writing fails without a signal");
    io.ops->close(&io, false);
    close(peer);
}

#ifdef __linux__
/* Returns how many segments with data a head and what follows it were sent in. */
static unsigned
segments_of_two_writes(bool is_partial)
{
    static const struct iovec pieces[] = {{"head", 4}, {"body", 4}};
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    struct io io;
    int peer;
    char got[8];

    connect_both(&io, &peer);
    io.is_partial = is_partial;
    is(io.ops->writev(&io, pieces, 1), 4, "a head");
    io.is_partial = false;
    is(io.ops->writev(&io, pieces + 1, 1), 4, "what follows it");
    is(recv(peer, got, 8, MSG_WAITALL), 8, "the peer has received both");
    ok(memcmp(got, "headbody", 8) == 0, "in order");
    is(getsockopt(io.fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0, "its counters");
    io.ops->close(&io, false);
    close(peer);
    return info.tcpi_data_segs_out;
}

static void
test_a_head_leaves_with_what_follows_it(void)
{
    unsigned n = 2;

    is(segments_of_two_writes(false), 2, "without the hint it leaves alone");
    /* The kernel waits 200 ms for the rest; the process may be paused for longer. */
    for (int i = 0; i < 10 && n != 1; i++)
        n = segments_of_two_writes(true);
    is(n, 1, "with it they share a segment");
}

static bool
is_corked(int fd)
{
    int on = 0;
    socklen_t len = sizeof on;

    is(getsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, &len), 0, "the option");
    return on != 0;
}

static void
test_parts_of_a_file_leave_in_full_segments(void)
{
    static const struct iovec end = {"end", 3};
    FILE *file = tmpfile();
    struct io io;
    int peer;
    char got[13];

    ok(file != NULL && fputs("hello", file) >= 0 && fflush(file) == 0, "a file");
    connect_both(&io, &peer);
    is(io.ops->write_file(&io, fileno(file), 0, 5), 5, "a whole file");
    ok(!is_corked(io.fd), "is sent at once");
    is(recv(peer, got, 5, MSG_WAITALL), 5, "the peer has received it");
    io.is_partial = true;
    is(io.ops->write_file(&io, fileno(file), 0, 5), 5, "a file before other bytes");
    ok(is_corked(io.fd), "waits for them");
    io.is_partial = false;
    is(io.ops->writev(&io, &end, 1), 3, "which follow");
    ok(!is_corked(io.fd), "and are sent at once");
    is(io.ops->write_file(&io, fileno(file), 3, IO_FILE_BYTES), 2,
       "a file that is too short");
    ok(is_corked(io.fd), "waits for its rest");
    is(io.ops->write_file(&io, fileno(file), 5, 3), ERR_FILE, "which is missing");
    io.ops->close(&io, false);
    is(recv(peer, got, 10, MSG_WAITALL), 10, "a close sends it nevertheless");
    ok(memcmp(got, "helloendlo", 10) == 0, "in order");
    close(peer);
    fclose(file);
}
#endif

static void
test_a_peer_that_does_not_read_pauses_reading(void)
{
    static const char large[1 << 16];
    const struct iovec pieces[] = {{(void *)large, sizeof large},
                                   {(void *)large, sizeof large}};
    struct io io;
    int peer;

    for (int n = 1; n <= 2; n++) {
        ssize_t sent, all = 0;
        connect_both(&io, &peer);
        while ((sent = io.ops->writev(&io, pieces, n)) > 0 && all < (1 << 28))
            all += sent;
        is(sent, ERR_AGAIN, "with %d pieces it is full after a while", n);
        ok(all > 0, "and not before something went out");
        io.ops->close(&io, false);
        close(peer);
    }
}

static void
test_the_peer_gets_a_reset(void)
{
    struct io io;
    int peer;
    char got[8];

    connect_both(&io, &peer);
    io.ops->close(&io, true);
    is(recv(peer, got, sizeof got, 0), -1, "the peer cannot read");
    is(errno, ECONNRESET, "it was reset");
    close(peer);
    connect_both(&io, &peer);
    io.ops->close(&io, false);
    is(recv(peer, got, sizeof got, 0), 0, "an orderly end is one");
    close(peer);
}

static void
test_a_reset_by_the_peer_is_reported(void)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    const struct iovec piece = {"x", 1};
    struct io io;
    int peer;
    char got[8];

    connect_both(&io, &peer);
    is(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0, "a reset");
    close(peer);
    ok(wait_readable(io.fd), "arrives");
    is(io.ops->read(&io, got, sizeof got), ERR_RESET, "reading reports the reset");
    is(io.ops->writev(&io, &piece, 1), ERR_RESET, "so does writing");
    io.ops->close(&io, false);
}

static void
test_a_descriptor_that_is_not_a_socket_is_an_error(void)
{
    const struct iovec pieces[] = {{"x", 1}, {"y", 1}};
    struct io io;
    int fds[2];
    char got[8];

    is(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0, "a pipe");
    io_plain_init(&io, fds[0]);
    is(io.ops->read(&io, got, sizeof got), ERR_IO, "is not read");
    is(io.ops->writev(&io, pieces, 1), ERR_IO, "nor written");
    is(io.ops->writev(&io, pieces, 2), ERR_IO, "nor written as two buffers");
    io.ops->close(&io, true);
    is(fcntl(fds[0], F_GETFD), -1, "but closed");
    close(fds[1]);
}

static int interrupted; /* where the handler writes */

static void
on_alarm(int number)
{
    (void)number;
    (void)!write(interrupted, "x", 1);
}

static void
test_a_signal_does_not_end_a_read(void)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    int fds[2];
    char got[4];

    is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0,
       "sockets that block");
    interrupted = fds[1];
    is(sigaction(SIGALRM, &action, NULL), 0, "a handler");
    is(setitimer(ITIMER_REAL, &soon, NULL), 0, "an alarm");
    is(io_receive(fds[0], got, sizeof got, MSG_PEEK), 1, "the byte after it is read");
    is(io_receive(fds[0], got, sizeof got, 0), 1, "and was only peeked at");
    close(fds[0]);
    close(fds[1]);
}

static void
test_a_signal_does_not_end_a_file(void)
{
    FILE *file = tmpfile();
    struct io io;
    int peer;

    ok(file != NULL && fputs("hello", file) >= 0 && fflush(file) == 0, "a file");
    connect_both(&io, &peer);
    fault_of("sendfile64", 1, EINTR);
    is(io_plain_write_file(&io, fileno(file), 0, 5), 5, "it is sent");
    (void)fault_stop();
    fault_of("sendfile64", 1, EIO);
    ssize_t n = io_plain_write_file(&io, fileno(file), 0, 5);
    (void)fault_stop();
    if (fault_name()[0] != '\0')
        is(n, ERR_FILE, "an error of the disk is one of the file");
    io.ops->close(&io, false);
    close(peer);
    fclose(file);
}

static void
test_unread_bytes_are_reported_even_after_a_disconnect(void)
{
    struct io io;
    int peer;
    char got[4];

    connect_both(&io, &peer);
    ok(!io_has_unread(io.fd), "nothing was received");
    is(send(peer, "x", 1, 0), 1, "the peer sends");
    close(peer);
    ok(wait_readable(io.fd) && io_has_unread(io.fd), "and leaves: it is unread");
    is(io.ops->read(&io, got, sizeof got), 1, "it is read");
    ok(!io_has_unread(io.fd), "the end is nothing unread");
    io.ops->close(&io, false);
}

int
main(void)
{
    test_a_signal_does_not_end_a_read();
    test_a_signal_does_not_end_a_file();
    test_unread_bytes_are_reported_even_after_a_disconnect();
    test_bytes_are_received_as_sent();
    test_parts_are_sent_together();
#ifdef __linux__
    test_a_head_leaves_with_what_follows_it();
    test_parts_of_a_file_leave_in_full_segments();
#endif
    test_a_peer_that_does_not_read_pauses_reading();
    test_the_peer_gets_a_reset();
    test_a_reset_by_the_peer_is_reported();
    test_a_descriptor_that_is_not_a_socket_is_an_error();
    return tap_done();
}
