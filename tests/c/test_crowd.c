/* SPDX-License-Identifier: MIT */
/* tests/c/test_crowd.c — workers share out connections by what they tell each other. */
#include "server/crowd.c"
#include "tap.h"

static _Alignas(CROWD_SEAT_BYTES) char memory[4 * CROWD_SEAT_BYTES];

static struct crowd
seated(unsigned own)
{
    struct crowd crowd;
    ok(crowd_init(&crowd, memory, sizeof memory, own), "seat %u is there", own);
    return crowd;
}

static void
test_a_worker_without_others_takes_all(void)
{
    struct crowd alone;

    ok(crowd_init(&alone, NULL, 0, 0), "no memory is fine");
    crowd_tell(&alone, true, 1000, 0);
    is(crowd_room(&alone, 1000), UINT_MAX, "nobody else is there");
    struct crowd first = seated(0);
    crowd_tell(&first, true, 1000, 0);
    is(crowd_room(&first, 1000), UINT_MAX, "nobody else has told that it accepts");
}

static void
test_a_seat_that_is_not_there_is_refused(void)
{
    struct crowd crowd;

    ok(!crowd_init(&crowd, memory, sizeof memory, 4), "the fifth of four");
    ok(!crowd_init(&crowd, memory + 1, sizeof memory - 1, 0), "not aligned");
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
    struct crowd own = seated(3), a = seated(1), b = seated(2);

    for (size_t i = 0; i < COUNT(cases); i++) {
        crowd_tell(&a, true, cases[i].others[0], 0);
        crowd_tell(&b, true, cases[i].others[1], 0);
        crowd_tell(&own, true, cases[i].own, 0);
        is(crowd_room(&own, cases[i].own), cases[i].room, "%s", cases[i].about);
    }
    crowd_tell(&a, false, 0, 0);
    crowd_tell(&b, true, 10, 7);
    is(crowd_room(&own, 3), 9, "one that does not accept does not count");
    is(own.seats[2].requests, 7, "requests are told as well");
}

int
main(void)
{
    test_a_worker_without_others_takes_all();
    test_a_seat_that_is_not_there_is_refused();
    test_the_least_busy_one_decides();
    return tap_done();
}
