/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_session.c — whole sessions: a real server and connection, plain or
 * over TLS, with a client, a socket, a clock and an application that do anything in any
 * order. An input is a list of choices (session/script.h), so every mutation is a
 * session as well. Each part checks its contracts; at the end nothing may be left of
 * the connection. */
#include "session/app.h"
#include "session/client.h"
#include "session/memory.h"
#include "session/secure.h"
#include "session/socket.h"
#include "session/world.h"
#include "check.h"

/* What the socket provides or accepts next; over TLS also up to the end of a record,
 * or some bytes of the next one. */
static void
choose_room(struct room *room)
{
    static const size_t sizes[] = {0, 1, 9, 100, 1000, 16384, 70000, SIZE_MAX / 2};
    uint8_t byte = script_byte(&world.script);

    room->by_record = world.is_tls && (byte & 0x80) != 0;
    room->beyond = room->by_record ? byte % COUNT(sizes) : 0;
    room->bytes = room->by_record ? SIZE_MAX / 2 : sizes[byte % COUNT(sizes)];
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
    case 6:
        app_cancel();
        break;
    case 7:
        if (world.is_tls)
            secure_change_key();
        break;
    case 8:
        if (world.is_tls && script_choice(&world.script, 8) == 0)
            secure_tamper();
        break;
    case 9:
        if (world.is_tls)
            secure_close();
        world.client_shut = true;
        break;
    case 10:
        world_settle();
        app_check_owed();
        break;
    default:
        break;
    }
}

static void
step(void)
{
    switch (script_choice(&world.script, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        if (!world.client_shut)
            world.speaks_h2 ? client2_act() : client1_act();
        break;
    case 5:
        choose_room(&world.may_read);
        break;
    case 6:
    case 7:
        choose_room(&world.may_write);
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
    world.speaks_h2 ? client2_begin() : client1_begin();
    while (!script_is_over(&world.script))
        step();
    world_settle();
    app_check_owed();
    app_fail_all();
    world_end(world.speaks_h2 ? client2_check : client1_check);
    app_end();
    socket_end();
    CHECK(memory_held() == world.held_before);
    return 0;
}
