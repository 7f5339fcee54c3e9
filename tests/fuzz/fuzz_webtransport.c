/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_webtransport.c — sessions of WebTransport over a scripted transport
 * (session/quic.h), with a client that sends streams, datagrams and capsules in any order
 * (session/wt_client.h), and an application that does anything (session/wt_app.h). */
#include "session/memory.h"
#include "session/quic.h"
#include "session/world.h"
#include "session/wt_app.h"
#include "session/wt_client.h"
#include "session/wt_client_input.h"
#include "check.h"

/* Rare things. */
static void
step_rarely(void)
{
    static const uint32_t waits[] = {1, 50, 500, 1100, 2100, 6000, 31000};

    switch (script_choice(&world.script, 16)) {
    case 0:
        quic_drain();
        break;
    case 1:
        wt_app_cancel();
        break;
    case 2:
        quic_settle();
        break;
    case 3:
        if (script_choice(&world.script, 4) == 0)
            quic_notify();
        break;
    case 4:
    case 5:
        quic_establish();
        break;
    default:
        world_wait(waits[script_choice(&world.script, COUNT(waits))]);
    }
}

static void
step(void)
{
    switch (script_choice(&world.script, 16)) {
    case 0:
        step_rarely();
        break;
    case 1:
    case 2:
    case 3:
    case 4:
        quic_act();
        break;
    case 5:
    case 6:
    case 7:
        wt_app_act();
        break;
    case 8:
    case 9:
    case 10:
        quic_turn();
        break;
    default:
        wt_client_act();
    }
}

/* Called when all packets have arrived. Checks that the application has had every callback,
 * and can receive all data. */
static void
check_settled(void)
{
    quic_settle();
    if (quic_is_over())
        return;
    wt_app_check_owed();
    wt_app_drain();
    wt_app_check_all();
    quic_settle();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t held = memory_held();

    world_reset(data, size);
    wt_app_begin();
    wt_client_begin();
    quic_begin_webtransport(&wt_app_handler, wt_client_on_bytes, wt_client_on_datagram);
    while (!script_is_over(&world.script) && !quic_is_over())
        step();
    check_settled();
    if (size % 2 == 0) /* otherwise the connection ends before the application does */
        wt_app_cancel_all();
    quic_finish();
    wt_client_input_end();
    wt_app_end();
    CHECK(memory_held() == held);
    return 0;
}
