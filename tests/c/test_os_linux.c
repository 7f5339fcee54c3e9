/* SPDX-License-Identifier: MIT */
/* tests/c/test_os_linux.c — net/os.h on Linux. */
#include "net/os_linux.c"

#include "os_cases.h"

int
main(void)
{
    test_os();
    is(os_adopt_orphans(), 0, "orphans are adopted");
    return tap_done();
}
