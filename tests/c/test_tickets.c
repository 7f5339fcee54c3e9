/* SPDX-License-Identifier: MIT */
/* Session tickets: keys that all workers derive alike, and that rotate. */
#include "tls/tickets.c"

#include "tap.h"

#define PERIOD_S 600u

static struct tls_tickets
tickets_of(uint8_t secret)
{
    struct tls_tickets tickets = {.period_s = PERIOD_S};

    memset(tickets.secret, secret, sizeof tickets.secret);
    return tickets;
}

static bool
is_same(const struct tls_ticket_key *a, const struct tls_ticket_key *b)
{
    return a->period == b->period && memcmp(a->name, b->name, sizeof a->name) == 0 &&
           memcmp(a->cipher, b->cipher, sizeof a->cipher) == 0 &&
           memcmp(a->mac, b->mac, sizeof a->mac) == 0;
}

/* Two workers that have never talked to each other. */
static void
test_workers_have_the_same_keys(void)
{
    struct tls_tickets one = tickets_of(1), two = tickets_of(1), other = tickets_of(2);

    ok(tls_tickets_turn(&one, 10 * PERIOD_S) == 0, "a key is derived");
    ok(tls_tickets_turn(&two, 11 * PERIOD_S - 1) == 0, "in a second worker too");
    ok(tls_tickets_turn(&other, 10 * PERIOD_S) == 0, "and from another secret");
    ok(is_same(&one.now, &two.now), "workers make tickets with the same key");
    ok(is_same(&one.before, &two.before), "they read the same older one");
    ok(!is_same(&one.now, &other.now), "another secret makes another key");
    ok(memcmp(one.now.name, other.now.name, sizeof one.now.name) != 0,
       "its name differs");
    ok(memcmp(one.now.cipher, one.now.mac, sizeof one.now.mac) != 0,
       "cipher and mac have keys of their own");
}

/* A key makes tickets for one period, reads them for one more, and is gone. */
static void
test_keys_rotate(void)
{
    struct tls_tickets tickets = tickets_of(1);

    ok(tls_tickets_turn(&tickets, 10 * PERIOD_S) == 0, "a key is derived");
    struct tls_ticket_key first = tickets.now;
    ok(tls_tickets_turn(&tickets, 11 * PERIOD_S - 1) == 0,
       "it is asked for at the end of its period");
    ok(is_same(&tickets.now, &first), "and still the same");
    ok(tls_tickets_turn(&tickets, 11 * PERIOD_S) == 0, "the next period comes");
    ok(!is_same(&tickets.now, &first), "it has another key");
    ok(is_same(&tickets.before, &first), "the first one still reads");
    ok(tls_tickets_turn(&tickets, 12 * PERIOD_S) == 0, "one more period");
    ok(!is_same(&tickets.now, &first) && !is_same(&tickets.before, &first),
       "the first one is gone");
}

/* The clock of a machine is set back: the keys of then come again. */
static void
test_the_clock_goes_back(void)
{
    struct tls_tickets tickets = tickets_of(1);

    ok(tls_tickets_turn(&tickets, 10 * PERIOD_S) == 0, "a key is derived");
    struct tls_ticket_key first = tickets.now;
    ok(tls_tickets_turn(&tickets, 20 * PERIOD_S) == 0, "the clock goes on");
    ok(tls_tickets_turn(&tickets, 10 * PERIOD_S) == 0, "the clock is set back");
    ok(is_same(&tickets.now, &first), "the key of then is there");
}

int
main(void)
{
    test_workers_have_the_same_keys();
    test_keys_rotate();
    test_the_clock_goes_back();
    return tap_done();
}
