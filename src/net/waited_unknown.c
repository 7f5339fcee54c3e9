/* SPDX-License-Identifier: MIT */
/* net/waited_unknown.c — see waited.h for the contract. The implementation for
 * systems that do not report how long bytes have been waiting. */
#include "net/waited.h"

uint32_t
waited_ms(int fd, bool *has_left)
{
    (void)fd;
    *has_left = false;
    return 0;
}
