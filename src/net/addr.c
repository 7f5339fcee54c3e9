/* SPDX-License-Identifier: MIT */
/* net/addr.c — see addr.h for the contract. */
#include "net/addr.h"

#include "base/narrow.h"

#include <arpa/inet.h>  /* inet_ntop */
#include <netinet/in.h> /* struct sockaddr_in */
#include <stddef.h>     /* offsetof */
#include <stdio.h>      /* snprintf */
#include <sys/un.h>     /* struct sockaddr_un */

static int
family(const struct addr *addr)
{
    return addr->len == 0 ? AF_UNSPEC : addr->data.ss_family;
}

static const struct sockaddr_in *
ipv4(const struct addr *addr)
{
    return (const struct sockaddr_in *)&addr->data;
}

static const struct sockaddr_in6 *
ipv6(const struct addr *addr)
{
    return (const struct sockaddr_in6 *)&addr->data;
}

static void
unix_path(const struct addr *addr, char out[ADDR_HOST_BYTES])
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&addr->data;
    size_t n = addr->len > offsetof(struct sockaddr_un, sun_path)
                   ? addr->len - offsetof(struct sockaddr_un, sun_path)
                   : 0;
    bool is_abstract = n > 0 && un->sun_path[0] == '\0';

    /* An abstract name begins with a NUL, which is shown as "@". */
    snprintf(out, ADDR_HOST_BYTES, "%s%.*s", is_abstract ? "@" : "",
             narrow_len(is_abstract ? n - 1 : n), un->sun_path + is_abstract);
}

size_t
addr_host(const struct addr *addr, char out[ADDR_HOST_BYTES])
{
    out[0] = '\0';
    switch (family(addr)) {
    case AF_INET:
        inet_ntop(AF_INET, &ipv4(addr)->sin_addr, out, ADDR_HOST_BYTES);
        break;
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(&ipv6(addr)->sin6_addr))
            inet_ntop(AF_INET, &ipv6(addr)->sin6_addr.s6_addr[12], out,
                      ADDR_HOST_BYTES);
        else
            inet_ntop(AF_INET6, &ipv6(addr)->sin6_addr, out, ADDR_HOST_BYTES);
        break;
    case AF_UNIX:
        unix_path(addr, out);
        break;
    default:
        break;
    }
    return strlen(out);
}

int
addr_port(const struct addr *addr)
{
    switch (family(addr)) {
    case AF_INET:
        return ntohs(ipv4(addr)->sin_port);
    case AF_INET6:
        return ntohs(ipv6(addr)->sin6_port);
    default:
        return -1;
    }
}

void
addr_of_socket(int fd, struct addr *out)
{
    out->len = sizeof out->data;
    if (getsockname(fd, (struct sockaddr *)&out->data, &out->len) == -1)
        out->len = 0;
}
