/* SPDX-License-Identifier: MIT */
/* net/waited.h — the time for which received bytes of a connection have been
 * waiting, from the kernel. */
#ifndef NET_WAITED_H
#define NET_WAITED_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

/* Returns the milliseconds since the peer's last bytes arrived on `fd`, or since the
 * connection was established if none have; 0 if unknown (a Unix socket). Sets
 * *has_left if the peer has sent its end or the connection is broken. Takes one
 * system call. */
uint32_t waited_ms(int fd, bool *has_left);

#endif
