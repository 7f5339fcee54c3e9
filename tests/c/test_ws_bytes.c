/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_bytes.c — memory of a message grows with what was received, stays
 * within its limit, and is reused for the next message. */
#include "ws/bytes.c"

#include "tap.h"

static void
test_growth(void)
{
    struct ws_spares spares = {0};
    struct ws_bytes bytes = {0};
    is(ws_bytes_reserve(&bytes, &spares, 1, 1 << 20, 1 << 24), 0,
       "a byte of a megabyte");
    is(bytes.cap, WS_BYTES_FIRST, "takes the smallest block");
    is(ws_bytes_reserve(&bytes, &spares, 600, 1 << 20, 1 << 24), 0, "600 bytes");
    is(bytes.cap, 600 * AHEAD_FACTOR, "take slightly more memory than they need");
    is(ws_bytes_reserve(&bytes, &spares, 1 << 18, 1 << 20, 1 << 24), 0, "a quarter");
    is(bytes.cap, 1 << 20, "takes what is requested");
    is(ws_bytes_reserve(&bytes, &spares, (1 << 20) + 1, (1 << 20) + 1, 1 << 24), 0,
       "more than that");
    is(bytes.cap, 1 << 21, "doubles the memory");
    is(ws_bytes_reserve(&bytes, &spares, (1 << 21) + 1, (1 << 21) + 1, (1 << 21) + 5),
       0, "close to the limit");
    is(bytes.cap, (1 << 21) + 5, "does not exceed the limit");
    ws_bytes_give(&bytes, &spares);
    ok(bytes.ptr == NULL && spares.bytes[0].cap == 0, "a large buffer is not kept");
    is(ws_bytes_reserve(&bytes, &spares, 10, 10, 100), 0, "a small limit");
    is(bytes.cap, WS_BYTES_FIRST, "does not matter");
    ws_bytes_give(&bytes, &spares);
    ws_spares_fini(&spares);
}

static void
test_spares(void)
{
    struct ws_spares spares = {0};
    struct ws_bytes bytes[WS_SPARES + 1] = {{0}};
    for (int i = 0; i <= WS_SPARES; i++)
        is(ws_bytes_reserve(&bytes[i], &spares, 1000, 1000, 5000), 0, "piece %d", i);
    char *first = bytes[0].ptr;
    bytes[0].len = 7;
    for (int i = 0; i <= WS_SPARES; i++)
        ws_bytes_give(&bytes[i], &spares);
    mem_fail_at(0);
    is(ws_bytes_reserve(&bytes[0], &spares, 1000, 1000, 5000), 0, "again");
    is(mem_count(), 0, "without an allocation");
    ok(bytes[0].ptr == first && bytes[0].len == 0, "the buffer is empty");
    mem_fail_at(1);
    is(ws_bytes_reserve(&bytes[0], &spares, 2000, 2000, 5000), ERR_NOMEM, "no memory");
    mem_fail_at(0);
    ok(bytes[0].ptr == first && bytes[0].cap == 1000, "leaves it as it was");
    ws_bytes_give(&bytes[0], &spares);
    ws_spares_fini(&spares);
    ok(spares.bytes[0].ptr == NULL, "nothing is left");
}

int
main(void)
{
    test_growth();
    test_spares();
    return tap_done();
}
