/* SPDX-License-Identifier: MIT */
/* net/addr.h — socket addresses as text and numbers. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <sys/socket.h> /* struct sockaddr_storage, socklen_t */

#include "base/slice.h" /* struct slice */

/* Room for any formatted host: an IPv6 address with a scope, or a Unix path; with
 * NUL. */
#define ADDR_HOST_BYTES 128

struct addr {
    socklen_t len; /* 0: none, as for the peer of a Unix socket */
    struct sockaddr_storage data;
};

/* Writes the host without brackets or port ("127.0.0.1", "::1", "/run/a.sock", "" if
 * there is none) to out, with a NUL, and returns its length.  An IPv4 address mapped
 * into IPv6 is written as IPv4. */
size_t addr_host(const struct addr *addr, char out[ADDR_HOST_BYTES]);

/* Returns the port, 0 to 65535; -1 for a Unix socket or no address. */
int addr_port(const struct addr *addr);

/* Sets *out to the local address of a connected or listening socket; len is 0 on
 * failure. */
void addr_of_socket(int fd, struct addr *out);

#endif
