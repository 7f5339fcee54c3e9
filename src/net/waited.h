/* SPDX-License-Identifier: MIT */
/* net/waited.h — how long what a connection has sent waits for us, as the kernel knows. */
#ifndef NET_WAITED_H
#define NET_WAITED_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

/* Milliseconds since the peer's last bytes came on `fd`, or since the connection was made
 * where none have; 0 when nobody knows (a Unix socket).  *has_left: the peer has sent its
 * end, or the connection is broken.  One system call. */
uint32_t waited_ms(int fd, bool *has_left);

#endif
