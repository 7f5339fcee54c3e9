/* SPDX-License-Identifier: MIT */
/* net/udp.c — see udp.h for the contract. */
#include "net/udp.h"

#include <assert.h> /* assert */
#include <errno.h>  /* errno */
#include <fcntl.h>  /* O_NONBLOCK */
#include <string.h> /* memcpy, memset */

#include <netinet/in.h>  /* struct in6_pktinfo */
#include <netinet/ip.h>  /* IPTOS_ECN_MASK */
#include <netinet/udp.h> /* UDP_GRO, UDP_SEGMENT */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* Room for what the kernel says about a datagram, or is given: its segment, its ECN, its
 * local address. */
#define CONTROL_BYTES                                                                  \
    (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int)) +                               \
     CMSG_SPACE(sizeof(struct in6_pktinfo)))

union control {
    struct cmsghdr align;
    char bytes[CONTROL_BYTES];
};

struct udp_buffers {
    /* Reading */
    struct mmsghdr reads[UDP_READS];
    struct iovec read_iov[UDP_READS];
    struct udp_path read_path[UDP_READS];
    union control read_control[UDP_READS];
    /* Writing: messages that wait, in order */
    struct mmsghdr writes[UDP_WRITES];
    struct iovec write_iov[UDP_WRITES];
    struct addr write_peer[UDP_WRITES];
    union control write_control[UDP_WRITES];
    const struct udp_socket *writer; /* whose they are, while nwrites > 0; borrowed */
    unsigned nwrites;
    size_t used; /* bytes of `arena` */
    char arena[UDP_ARENA_BYTES];
    char read_bytes[UDP_READS][UDP_READ_BYTES];
};

int
udp_buffers_new(struct udp_buffers **out)
{
    struct udp_buffers *buffers = mem_alloc(sizeof *buffers);

    if (buffers == NULL)
        return ERR_NOMEM;
    buffers->nwrites = 0;
    buffers->used = 0;
    /* The bytes between control messages are given to the kernel as well. */
    memset(buffers->write_control, 0, sizeof buffers->write_control);
    *out = buffers;
    return 0;
}

void
udp_buffers_free(struct udp_buffers *buffers)
{
    mem_free(buffers);
}

/* Opening */

static bool
set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* Returns whether the address is a wildcard. */
static bool
is_any(const struct addr *addr)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&addr->data;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&addr->data;

    return addr->data.ss_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_ANY)
                                           : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

/* An IPv6 socket may carry IPv4 too, so both are set on it. */
static void
set_ip_options(struct udp_socket *socket)
{
    const int fd = socket->fd;

    (void)set(fd, IPPROTO_IP, IP_RECVTOS, 1);
    (void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    if (socket->local.data.ss_family == AF_INET6) {
        (void)set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        (void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    }
    if (!socket->is_wildcard)
        return;
    if (socket->local.data.ss_family == AF_INET6)
        (void)set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    else
        (void)set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

/* Returns whether the port has other sockets, of other processes. The kernel would join
 * datagrams of one address for all of them before it chooses a socket by the first. */
static bool
is_shared(int fd)
{
    int value = 0;
    socklen_t n = sizeof value;

    return getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, &n) == 0 && value != 0;
}

int
udp_open(struct udp_socket *socket, int fd, int buffer_bytes)
{
    socklen_t n = sizeof socket->receive_bytes;
    int flags = fcntl(fd, F_GETFL);

    *socket = (struct udp_socket){.fd = fd};
    addr_of_socket(fd, &socket->local);
    if (socket->local.len == 0 || flags == -1 ||
        fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
        return ERR_IO;
    socket->is_wildcard = is_any(&socket->local);
    set_ip_options(socket);
    (void)set(fd, SOL_UDP, UDP_GRO, !is_shared(fd));
    socket->has_gso = set(fd, SOL_UDP, UDP_SEGMENT, 0);
    (void)set(fd, SOL_SOCKET, SO_RCVBUF, buffer_bytes);
    (void)set(fd, SOL_SOCKET, SO_SNDBUF, buffer_bytes);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &socket->receive_bytes, &n) != 0)
        return ERR_IO;
    socket->receive_bytes /= 2; /* the kernel doubles it for its own use */
    return 0;
}

/* Receiving */

static void
prepare_read(struct udp_buffers *buffers, unsigned i)
{
    buffers->read_iov[i] = (struct iovec){buffers->read_bytes[i], UDP_READ_BYTES};
    buffers->reads[i].msg_hdr = (struct msghdr){
        .msg_name = &buffers->read_path[i].peer.data,
        .msg_namelen = sizeof buffers->read_path[i].peer.data,
        .msg_iov = &buffers->read_iov[i],
        .msg_iovlen = 1,
        .msg_control = buffers->read_control[i].bytes,
        .msg_controllen = sizeof buffers->read_control[i].bytes,
    };
}

static void
set_local(struct addr *local, const struct cmsghdr *header)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&local->data;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&local->data;
    struct in_pktinfo info4;
    struct in6_pktinfo info6;

    if (header->cmsg_level == IPPROTO_IP && local->data.ss_family == AF_INET) {
        memcpy(&info4, CMSG_DATA(header), sizeof info4);
        v4->sin_addr = info4.ipi_addr;
    } else if (header->cmsg_level == IPPROTO_IPV6 &&
               local->data.ss_family == AF_INET6) {
        memcpy(&info6, CMSG_DATA(header), sizeof info6);
        v6->sin6_addr = info6.ipi6_addr;
    }
}

/* What the control data of one message says. */
struct facts {
    size_t segment;
    udp_ecn ecn;
};

static bool
is_ecn(const struct cmsghdr *header)
{
    return (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS) ||
           (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS);
}

static bool
is_local(const struct cmsghdr *header)
{
    return (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) ||
           (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO);
}

static struct facts
read_control(struct mmsghdr *message, struct udp_path *path)
{
    struct facts facts = {.segment = message->msg_len};
    struct msghdr *header = &message->msg_hdr;
    int segment;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL;
         c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            if (segment > 0)
                facts.segment = (size_t)segment;
        } else if (is_ecn(c)) {
            facts.ecn = *(const uint8_t *)CMSG_DATA(c) & IPTOS_ECN_MASK;
        } else if (is_local(c)) {
            set_local(&path->local, c);
        }
    }
    return facts;
}

int
udp_receive(struct udp_socket *socket, struct udp_buffers *buffers, unsigned max,
            udp_on_datagram *on_datagram, void *arg)
{
    assert(max > 0 && max <= UDP_READS);
    for (unsigned i = 0; i < max; i++)
        prepare_read(buffers, i);
    int n = recvmmsg(socket->fd, buffers->reads, max, MSG_DONTWAIT, NULL);
    if (n < 0) /* errors are those of earlier datagrams, and mean nothing for others */
        return 0;
    for (int i = 0; i < n; i++) {
        struct mmsghdr *message = &buffers->reads[i];
        struct udp_path *path = &buffers->read_path[i];
        struct slice bytes = slice_new(buffers->read_bytes[i], message->msg_len);

        path->peer.len = message->msg_hdr.msg_namelen;
        path->local = socket->local;
        struct facts facts = read_control(message, path);
        while (bytes.len > 0) {
            size_t len = bytes.len < facts.segment ? bytes.len : facts.segment;
            on_datagram(arg, path, slice_new(bytes.ptr, len), facts.ecn);
            bytes = slice_skip(bytes, len);
        }
    }
    return n == (int)max;
}

/* Sending */

static void
take_off(struct udp_buffers *buffers, unsigned n)
{
    memmove(buffers->writes, buffers->writes + n,
            (buffers->nwrites - n) * sizeof *buffers->writes);
    buffers->nwrites -= n;
}

/* Returns whether the kernel's reason concerns GSO, which a device may not have. */
static bool
is_gso_refused(const struct udp_socket *socket, int error)
{
    return socket->has_gso && (error == EIO || error == EINVAL);
}

void
udp_flush(struct udp_socket *socket, struct udp_buffers *buffers)
{
    unsigned done = 0;

    assert(buffers->nwrites == 0 || buffers->writer == socket);
    socket->is_blocked = false;
    while (done < buffers->nwrites) {
        int n = sendmmsg(socket->fd, buffers->writes + done, buffers->nwrites - done,
                         MSG_DONTWAIT);
        if (n > 0) {
            done += (unsigned)n;
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            socket->is_blocked = true;
            break;
        }
        if (errno == EINTR)
            continue;
        if (is_gso_refused(socket, errno))
            socket->has_gso = false;
        done++; /* this one is lost */
    }
    if (done < buffers->nwrites) {
        take_off(buffers, done);
        return;
    }
    buffers->nwrites = 0;
    buffers->used = 0;
}

char *
udp_send_room(struct udp_socket *socket, struct udp_buffers *buffers, size_t n)
{
    assert(n <= UDP_PACKET_BYTES && !socket->is_blocked);
    assert(buffers->nwrites == 0 || buffers->writer == socket);
    if (buffers->used + n > sizeof buffers->arena || buffers->nwrites == UDP_WRITES)
        udp_flush(socket, buffers);
    if (buffers->used + n > sizeof buffers->arena || buffers->nwrites == UDP_WRITES)
        return NULL;
    return buffers->arena + buffers->used;
}

/* Appends one control message, and returns where the next one goes. */
static size_t
put_control(char *at, size_t used, int level, int type, const void *data, size_t n)
{
    struct cmsghdr *header = (struct cmsghdr *)(void *)(at + used);

    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(header), data, n);
    return used + CMSG_SPACE(n);
}

static size_t
put_local(char *at, size_t used, const struct addr *local)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&local->data;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&local->data;

    if (local->data.ss_family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = v4->sin_addr};
        return put_control(at, used, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
    struct in6_pktinfo info = {.ipi6_addr = v6->sin6_addr};
    return put_control(at, used, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

void
udp_send(struct udp_socket *socket, struct udp_buffers *buffers,
         const struct udp_path *path, size_t n, size_t segment, udp_ecn ecn)
{
    assert(buffers->nwrites < UDP_WRITES && n > 0 && segment > 0);
    assert(buffers->used + n <= sizeof buffers->arena);
    unsigned i = buffers->nwrites++;
    char *control = buffers->write_control[i].bytes;
    const bool is_v4 = path->peer.data.ss_family == AF_INET;
    size_t used = 0;

    if (n > segment) {
        const uint16_t value = narrow_u16(segment);
        used = put_control(control, used, SOL_UDP, UDP_SEGMENT, &value, sizeof value);
    }
    if (ecn != 0) {
        const int value = ecn;
        used = put_control(control, used, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
                           is_v4 ? IP_TOS : IPV6_TCLASS, &value, sizeof value);
    }
    if (socket->is_wildcard)
        used = put_local(control, used, &path->local);
    buffers->writer = socket;
    buffers->write_peer[i] = path->peer;
    buffers->write_iov[i] = (struct iovec){buffers->arena + buffers->used, n};
    buffers->writes[i].msg_hdr = (struct msghdr){
        .msg_name = &buffers->write_peer[i].data,
        .msg_namelen = path->peer.len,
        .msg_iov = &buffers->write_iov[i],
        .msg_iovlen = 1,
        .msg_control = used > 0 ? control : NULL,
        .msg_controllen = used,
    };
    buffers->used += n;
}

bool
udp_same_addr(const struct addr *a, const struct addr *b)
{
    return a->len == b->len && memcmp(&a->data, &b->data, a->len) == 0;
}
