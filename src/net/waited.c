/* SPDX-License-Identifier: MIT */
/* net/waited.c — see waited.h for the contract. */
#include "net/waited.h"

#include <netinet/in.h>  /* IPPROTO_TCP */
#include <netinet/tcp.h> /* TCP_INFO */
#include <sys/socket.h>  /* getsockopt */

uint32_t
waited_ms(int fd, bool *has_left)
{
    struct tcp_info info;
    socklen_t size = sizeof info;

    *has_left = false;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    *has_left = info.tcpi_state != TCP_ESTABLISHED;
    return info.tcpi_last_data_recv;
}
