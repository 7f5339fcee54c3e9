/* SPDX-License-Identifier: MIT */
/* cache/flight.c — see flight.h for the contract. */
#include "cache/flight.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"

/* The interval at which the shared memory is checked; it doubles each time. */
#define LOOK_FIRST_MS 2u
#define LOOK_LAST_MS 32u

struct flight {
    struct list_node link;    /* in cache->flights */
    struct list_node waiters; /* the longest waiting one first */
    uint64_t hash;
    uint64_t look_ms; /* when it is checked next */
    uint32_t interval_ms;
};

static struct flight *
flight_find(struct cache *cache, uint64_t hash)
{
    for (struct list_node *n = cache->flights.next; n != &cache->flights; n = n->next) {
        struct flight *flight = container_of(n, struct flight, link);
        if (flight->hash == hash)
            return flight;
    }
    return NULL;
}

static struct flight *
flight_new(struct cache *cache, uint64_t hash)
{
    struct flight *flight = mem_calloc(1, sizeof *flight);

    if (flight == NULL)
        return NULL;
    flight->hash = hash;
    flight->interval_ms = LOOK_FIRST_MS;
    flight->look_ms = clock_due(&cache->service->clock, LOOK_FIRST_MS);
    list_init(&flight->waiters);
    list_append(&cache->flights, &flight->link);
    cache_wake_at(cache, flight->look_ms);
    return flight;
}

struct waiter *
flight_waiter(struct stream *s, uint64_t due_ms)
{
    struct waiter *waiter = mem_alloc(sizeof *waiter);

    if (waiter == NULL)
        return NULL;
    *waiter = (struct waiter){.stream = s, .due_ms = due_ms};
    list_init(&waiter->link);
    return waiter;
}

int
flight_join(struct cache *cache, struct waiter *waiter, uint64_t hash)
{
    struct flight *flight = flight_find(cache, hash);

    assert(waiter->flight == NULL && list_is_empty(&waiter->link));
    if (flight == NULL)
        flight = flight_new(cache, hash);
    if (flight == NULL)
        return ERR_NOMEM;
    waiter->flight = flight;
    list_append(&flight->waiters, &waiter->link);
    return 0;
}

static void
flight_free_if_empty(struct flight *flight)
{
    if (!list_is_empty(&flight->waiters))
        return;
    list_remove(&flight->link);
    mem_free(flight);
}

void
flight_leave(struct waiter *waiter)
{
    struct flight *flight = waiter->flight;

    list_remove(&waiter->link);
    mem_free(waiter);
    if (flight != NULL)
        flight_free_if_empty(flight);
}

static void
make_ready(struct cache *cache, struct waiter *waiter)
{
    assert(waiter->flight != NULL);
    list_remove(&waiter->link);
    waiter->flight = NULL;
    list_append(&cache->ready, &waiter->link);
    cache_wake_at(cache, clock_ms(&cache->service->clock));
}

static void
flight_end(struct cache *cache, struct flight *flight)
{
    while (!list_is_empty(&flight->waiters))
        make_ready(cache, container_of(flight->waiters.next, struct waiter, link));
    flight_free_if_empty(flight);
}

void
flight_land(struct cache *cache, uint64_t hash)
{
    struct flight *flight = flight_find(cache, hash);

    if (flight != NULL)
        flight_end(cache, flight);
}

/* Returns whether requests are still waiting in it. */
static bool
flight_examine(struct cache *cache, struct flight *flight, uint64_t now_ms)
{
    if (!store_is_led(&cache->store, flight->hash)) {
        flight_end(cache, flight);
        return false;
    }
    assert(!list_is_empty(&flight->waiters));
    struct waiter *first = container_of(flight->waiters.next, struct waiter, link);
    while (first->due_ms <= now_ms) {
        make_ready(cache, first);
        if (list_is_empty(&flight->waiters)) {
            flight_free_if_empty(flight);
            return false;
        }
        first = container_of(flight->waiters.next, struct waiter, link);
    }
    if (flight->interval_ms < LOOK_LAST_MS)
        flight->interval_ms *= 2;
    flight->look_ms = now_ms + flight->interval_ms;
    return true;
}

void
flight_look(struct cache *cache, uint64_t now_ms)
{
    struct list_node *n = cache->flights.next;

    while (n != &cache->flights) {
        struct flight *flight = container_of(n, struct flight, link);
        n = n->next;
        if (flight->look_ms <= now_ms && !flight_examine(cache, flight, now_ms))
            continue;
        cache_wake_at(cache, flight->look_ms);
    }
}

struct waiter *
flight_take_ready(struct cache *cache)
{
    if (list_is_empty(&cache->ready))
        return NULL;
    struct waiter *waiter = container_of(cache->ready.next, struct waiter, link);
    assert(waiter->flight == NULL);
    list_remove(&waiter->link);
    return waiter;
}
