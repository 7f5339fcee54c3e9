/* SPDX-License-Identifier: MIT */
/* tests/c/test_balance.c — workers distribute connections by the numbers they
 * publish. */
#include "server/balance.c"
#include "tap.h"

static _Alignas(BALANCE_SEAT_BYTES) char memory[4 * BALANCE_SEAT_BYTES];

static struct balance
seated(unsigned own)
{
    struct balance balance;
    ok(balance_init(&balance, memory, sizeof memory, own), "seat %u is there", own);
    return balance;
}

static void
test_a_single_worker_accepts_all(void)
{
    struct balance alone;

    ok(balance_init(&alone, NULL, 0, 0), "no memory is fine");
    balance_publish(&alone, true, 1000, 0);
    is(balance_room(&alone, 1000), UINT_MAX, "there is no other worker");
    struct balance first = seated(0);
    balance_publish(&first, true, 1000, 0);
    is(balance_room(&first, 1000), UINT_MAX, "no limit if no other worker accepts");
}

static void
test_a_missing_seat_is_rejected(void)
{
    struct balance balance;

    ok(!balance_init(&balance, memory, sizeof memory, 4), "the fifth of four");
    ok(!balance_init(&balance, memory + 1, sizeof memory - 1, 0), "not aligned");
}

static void
test_the_least_busy_one_decides(void)
{
    static const struct {
        unsigned others[2], own, room;
        const char *about;
    } cases[] = {
        {{0, 0}, 0, 2, "all idle: a little ahead is fine"},
        {{0, 9}, 2, 0, "two ahead of the least busy one: its turn"},
        {{0, 9}, 7, 0, "far ahead"},
        {{64, 70}, 64, 6, "some more where there are many"},
        {{64, 70}, 70, 0, "a sixteenth and two ahead"},
    };
    struct balance own = seated(3), a = seated(1), b = seated(2);

    for (size_t i = 0; i < COUNT(cases); i++) {
        balance_publish(&a, true, cases[i].others[0], 0);
        balance_publish(&b, true, cases[i].others[1], 0);
        balance_publish(&own, true, cases[i].own, 0);
        is(balance_room(&own, cases[i].own), cases[i].room, "%s", cases[i].about);
    }
    balance_publish(&a, false, 0, 0);
    balance_publish(&b, true, 10, 7);
    is(balance_room(&own, 3), 9, "a worker that does not accept is ignored");
    is(own.seats[2].requests, 7, "requests are published as well");
}

static void
test_clients_of_http3_go_to_the_worker_with_most_room(void)
{
    struct balance alone, own = seated(3), a = seated(1), b = seated(2);

    ok(balance_init(&alone, NULL, 0, 0), "no memory is fine");
    balance_publish_quic(&alone, 7, 5);
    is(balance_quic_seat(&alone), -1, "there is no other worker");
    balance_publish(&a, true, 0, 0);
    balance_publish(&b, true, 0, 0);
    balance_publish_quic(&own, 3, 9);
    is(balance_quic_seat(&own), -1, "no other worker has said that it has room");
    balance_publish_quic(&a, 17, 1);
    is(balance_quic_seat(&own), 17, "one has");
    balance_publish_quic(&b, 0, 4);
    is(balance_quic_seat(&own), 0, "another one has more");
    is(balance_quic_seat(&b), 3, "no worker finds itself");
    balance_publish(&b, false, 0, 0);
    is(balance_quic_seat(&own), 17, "one that does not accept gets none");
    balance_publish_quic(&a, 17, 0);
    is(balance_quic_seat(&own), -1, "nor one that is full");
}

int
main(void)
{
    test_a_single_worker_accepts_all();
    test_a_missing_seat_is_rejected();
    test_the_least_busy_one_decides();
    test_clients_of_http3_go_to_the_worker_with_most_room();
    return tap_done();
}
