/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_session.c — whole sessions: a real server and connection between a client,
 * a transport, a clock and an application that do anything in any order.  An input is a list
 * of choices (session/script.h), so every mutation is a session as well.  The parts check
 * what they are promised; at the end nothing may be left of the connection. */
#include "session/app.h"
#include "session/client.h"
#include "session/socket.h"
#include "session/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes that the transport gives or takes next. */
static size_t
choose_bytes(void)
{
    static const size_t sizes[] = {0, 1, 9, 100, 1000, 16384, 70000, SIZE_MAX / 2};

    return sizes[script_choice(&world.script, COUNT(sizes))];
}

static void
let_time_pass(void)
{
    static const uint32_t waits[] = {1, 50, 500, 1100, 6000, 31000, 100000};

    world_wait(waits[script_choice(&world.script, COUNT(waits))]);
}

static void
end_somehow(void)
{
    switch (script_choice(&world.script, 16)) {
    case 0:
        world.is_reset = true;
        break;
    case 1:
        world.client_shut = true;
        break;
    case 2:
        server_leave(world.server);
        break;
    case 3:
        server_retire(world.server);
        break;
    case 4:
        server_stop(world.server);
        break;
    case 5:
        app_fail_all();
        break;
    default:
        break;
    }
}

static void
step(bool speaks_h2)
{
    switch (script_choice(&world.script, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        if (!world.client_shut)
            speaks_h2 ? client2_act() : client1_act();
        break;
    case 5:
        world.may_read = choose_bytes();
        break;
    case 6:
    case 7:
        world.may_write = choose_bytes();
        break;
    case 8:
        let_time_pass();
        break;
    case 9:
    case 10:
    case 11:
    case 12:
        app_act();
        break;
    case 13:
        end_somehow();
        break;
    default:
        world_turn();
        return;
    }
    if (script_choice(&world.script, 2) == 0)
        world_turn();
    else
        world_flush();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    app_begin();
    world_begin(&app_handler, data, size);
    socket_begin(world_clock());
    bool speaks_h2 = script_choice(&world.script, 2) == 0;
    if (speaks_h2)
        client2_begin();
    world.may_read = SIZE_MAX / 2;
    while (!script_is_over(&world.script))
        step(speaks_h2);
    app_fail_all();
    world_end(speaks_h2 ? client2_check : client1_check);
    app_end();
    socket_end();
    return 0;
}
