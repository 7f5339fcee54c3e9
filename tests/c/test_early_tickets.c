/* SPDX-License-Identifier: MIT */
/* tests/c/test_early_tickets.c — each ticket opens one connection with early data. */
#include "quic/early_tickets.c"

#include <pthread.h>  /* pthread_create */
#include <sys/mman.h> /* mmap */

#include "base/mem.h"
#include "tap.h"

#define THREADS 4
#define TICKETS_EACH 20000u

static struct early_tickets *
new_register(void)
{
    return mem_calloc(1, sizeof(struct early_tickets));
}

static void
test_a_ticket_is_redeemed_once(void)
{
    struct early_tickets *tickets = new_register();
    uint64_t first = early_tickets_issue(tickets);
    uint64_t second = early_tickets_issue(tickets);

    ok(first != second, "each ticket has its number");
    ok(early_tickets_redeem(tickets, second), "the second one");
    ok(!early_tickets_redeem(tickets, second), "... not twice");
    ok(early_tickets_redeem(tickets, first), "the first one");
    ok(!early_tickets_redeem(tickets, first), "... not twice");
    mem_free(tickets);
}

static void
test_a_number_that_was_not_issued_is_not_redeemed(void)
{
    struct early_tickets *tickets = new_register();

    ok(!early_tickets_redeem(tickets, 0), "nothing was issued");
    uint64_t number = early_tickets_issue(tickets);
    ok(!early_tickets_redeem(tickets, number + 1), "the next one");
    ok(!early_tickets_redeem(tickets, number + EARLY_TICKETS), "with the same bit");
    ok(!early_tickets_redeem(tickets, UINT64_MAX), "any number");
    ok(early_tickets_redeem(tickets, number), "the one that was");
    mem_free(tickets);
}

static void
test_the_oldest_tickets_expire(void)
{
    struct early_tickets *tickets = new_register();
    uint64_t oldest = early_tickets_issue(tickets);
    uint64_t second = early_tickets_issue(tickets), last = 0;

    ok(early_tickets_redeem(tickets, second), "one is used");
    for (uint64_t i = 1; i < EARLY_TICKETS; i++)
        last = early_tickets_issue(tickets);
    is(last - oldest, EARLY_TICKETS, "as many as it keeps have followed");
    ok(!early_tickets_redeem(tickets, oldest), "the oldest one has expired");
    ok(!early_tickets_redeem(tickets, second), "the used one stays used");
    ok(early_tickets_redeem(tickets, oldest + 2), "the one after them is valid");
    ok(early_tickets_redeem(tickets, last), "the last one is valid");
    ok(early_tickets_redeem(tickets, early_tickets_issue(tickets)),
       "the next one is, which has the bit of the used one");
    mem_free(tickets);
}

/* What each thread does with the same numbers. */
struct racer {
    pthread_t thread;
    struct early_tickets *tickets;
    uint64_t redeemed;
};

static void *
race(void *arg)
{
    struct racer *racer = arg;

    for (uint64_t i = 0; i < TICKETS_EACH; i++)
        racer->redeemed += early_tickets_redeem(racer->tickets, i);
    return NULL;
}

static void
test_processes_share_it(void)
{
    struct early_tickets *tickets = mmap(NULL, sizeof *tickets, PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct racer racers[THREADS];
    uint64_t all = 0;

    for (uint64_t i = 0; i < TICKETS_EACH; i++)
        (void)early_tickets_issue(tickets);
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.tickets = tickets};
        (void)pthread_create(&racers[i].thread, NULL, race, &racers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(racers[i].thread, NULL);
        all += racers[i].redeemed;
    }
    is(all, TICKETS_EACH, "each is redeemed by one of them");
    (void)munmap(tickets, sizeof *tickets);
}

int
main(void)
{
    test_a_ticket_is_redeemed_once();
    test_a_number_that_was_not_issued_is_not_redeemed();
    test_the_oldest_tickets_expire();
    test_processes_share_it();
    return tap_done();
}
