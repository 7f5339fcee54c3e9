/* SPDX-License-Identifier: MIT */
/* tests/c/test_wt_datagram.c — the datagrams of sessions of WebTransport that wait. */
#include "http3/wt_datagram.c"

#include "tap.h"

static char bytes[WT_DATAGRAM_LONGEST];
static struct tally tally;

static void
touch(struct wire *wire)
{
    (void)wire;
}

static const struct wire_ops wire_ops = {.touch = touch};

/* A connection with one session. */
static struct {
    struct service service;
    struct wire wire;
    struct h3_session h;
    struct h3_exchange x;
    struct wt_mux mux;
    struct wt_session session;
} world;

static void
begin(uint32_t most)
{
    memset(&world, 0, sizeof world);
    memset(&tally, 0, sizeof tally);
    world.service.limits.wt_datagrams = most;
    world.service.tally = &tally;
    world.wire.ops = &wire_ops;
    world.wire.service = &world.service;
    world.h.mux.wire = &world.wire;
    world.h.wt = &world.mux;
    world.mux.h = &world.h;
    world.session.mux = &world.mux;
    world.session.x = &world.x;
    list_init(&world.mux.datagrams);
    list_init(&world.mux.news);
    list_init(&world.session.news);
    list_init(&world.session.datagrams);
}

static void
end(void)
{
    wt_datagram_drop_unsent(&world.session);
    wt_datagram_drop(&world.session);
    is(world.session.nsending, 0, "nothing waits");
}

/* Queues datagrams of `n` bytes until the next one has to wait; returns their number. */
static unsigned
fill(size_t n)
{
    unsigned count = 0;

    while (count < 1000 && !wt_datagram_is_full(&world.session)) {
        ok(wt_datagram_queue(&world.session, slice_new(bytes, n)) == 0, "queued");
        count++;
    }
    return count;
}

static void
test_a_sender_that_waits_loses_no_datagram(void)
{
    static const size_t sizes[] = {1, 1100, 5000, WT_DATAGRAM_LONGEST - 1};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        begin(1000);
        unsigned count = fill(sizes[i]);
        is(tally_get(&tally, TALLY_WT_UNSENT), 0, "none was dropped");
        is(world.session.nsending, count, "all wait");
        ok(world.session.sending_bytes <= WT_DATAGRAM_BYTES, "within the limit");
        end();
    }
}

static void
test_the_number_of_datagrams_is_a_limit(void)
{
    begin(4);
    is(fill(100), 4, "four wait");
    ok(wt_datagram_queue(&world.session, slice_new(bytes, 1)) == 0, "one more");
    is(world.session.nsending, 4, "instead of the oldest");
    is(tally_get(&tally, TALLY_WT_UNSENT), 1, "which was dropped");
    end();
}

static void
test_a_datagram_that_is_too_long_displaces_no_other(void)
{
    begin(4);
    fill(100);
    ok(wt_datagram_queue(&world.session, slice_new(bytes, sizeof bytes)) == 0, "taken");
    is(world.session.nsending, 4, "the others wait");
    is(tally_get(&tally, TALLY_WT_TOO_LONG), 1, "it was dropped");
    world.session.wants_room = true;
    while (wt_datagram_first(&world.mux).len > 0)
        wt_datagram_remove(&world.mux, true);
    ok(world.session.has_room, "who waits is woken");
    list_remove(&world.session.news);
    end();
}

int
main(void)
{
    test_a_sender_that_waits_loses_no_datagram();
    test_the_number_of_datagrams_is_a_limit();
    test_a_datagram_that_is_too_long_displaces_no_other();
    return tap_done();
}
