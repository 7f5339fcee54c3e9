/* SPDX-License-Identifier: MIT */
/* builtin/history.c — see history.h for the contract. */
#include "builtin/history.h"

#include <assert.h> /* assert */

#include "base/slice.h" /* COUNT */

static const char *const gauge_names[HISTORY_COUNTERS] = {
    "connections", "websockets", "running", "rss", "cpu_ms", "workers",
};

static uint64_t
load(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void
history_take(const struct tallies *tallies, uint64_t numbers[HISTORY_NUMBERS])
{
    static const unsigned gauges[] = {TALLY_CONNECTIONS, TALLY_WEBSOCKETS,
                                      TALLY_RUNNING};

    for (unsigned i = 0; i < tallies->n; i++) {
        const struct tally *tally = &tallies->all[i];
        uint64_t pid = tally_get(tally, TALLY_PID);
        for (unsigned id = TALLY_FIRST_COUNTER; id < TALLY_END; id++)
            numbers[HISTORY_COUNTERS + id - TALLY_FIRST_COUNTER] +=
                tally_get(tally, id);
        if (pid == 0)
            continue;
        for (unsigned g = 0; g < COUNT(gauges); g++)
            numbers[g] += tally_get(tally, gauges[g]);
        numbers[HISTORY_RSS] += text_rss(pid);
        numbers[HISTORY_CPU_MS] += text_cpu_ms(pid);
        numbers[HISTORY_WORKERS]++;
    }
}

/* Readers skip a row that is being written: its second is 0. */
static void
history_put(struct history *history, uint64_t second,
            const uint64_t numbers[HISTORY_NUMBERS])
{
    struct history_second *at = &history->seconds[second % HISTORY_SECONDS];

    atomic_store_explicit(&at->second, 0, memory_order_seq_cst);
    for (unsigned i = 0; i < HISTORY_NUMBERS; i++)
        atomic_store_explicit(&at->at[i], numbers[i], memory_order_relaxed);
    atomic_store_explicit(&at->second, second, memory_order_release);
}

void
history_note(struct history *history, const struct tallies *tallies, uint64_t now_ms)
{
    uint64_t numbers[HISTORY_NUMBERS] = {0};
    uint64_t now = now_ms / 1000, last = load(&history->last);

    if (now <= last || !atomic_compare_exchange_strong(&history->last, &last, now))
        return;
    assert(now > last);
    history_take(tallies, numbers);
    uint64_t first = last + 1;
    if (last == 0)
        first = now;
    else if (now - last > HISTORY_SECONDS)
        first = now - HISTORY_SECONDS + 1;
    for (uint64_t second = first; second <= now; second++)
        history_put(history, second, numbers);
}

/* Whether there was one. */
static bool
write_row(const struct history_second *at, uint64_t second, bool is_first,
          struct text *text)
{
    uint64_t row[1 + HISTORY_NUMBERS] = {second * 1000};

    for (unsigned i = 0; i < HISTORY_NUMBERS; i++)
        row[1 + i] = load(&at->at[i]);
    atomic_thread_fence(memory_order_acquire);
    /* Another worker may have started to overwrite it with a new second. */
    if (load(&at->second) != second)
        return false;
    text_add(text, is_first ? "[" : ",[");
    text_add_numbers(text, row, COUNT(row));
    text_add(text, "]");
    return true;
}

void
history_write_deaths(const struct history *history, struct text *text)
{
    const struct history_deaths *deaths = &history->deaths;

    text_add(text,
             "\"deaths\":{\"count\":%llu,\"time\":%llu,\"pid\":%llu,\"code\":%lld,"
             "\"replaced\":%llu},",
             (unsigned long long)load(&deaths->count),
             (unsigned long long)load(&deaths->time),
             (unsigned long long)load(&deaths->pid), (long long)load(&deaths->code),
             (unsigned long long)load(&deaths->replaced));
}

void
history_write(const struct history *history, struct text *text)
{
    uint64_t last = load(&history->last);
    bool is_first = true;

    text_add(text, "\"history\":{\"names\":[\"ms\"");
    for (unsigned i = 0; i < HISTORY_COUNTERS; i++)
        text_add(text, ",\"%s\"", gauge_names[i]);
    for (unsigned id = TALLY_FIRST_COUNTER; id < TALLY_BUCKET; id++)
        text_add(text, ",\"%s\"", tally_name(id));
    for (unsigned i = 0; i < TALLY_BUCKETS; i++)
        text_add(text, ",\"latency_%u\"", i);
    text_add(text, "],\"rows\":[");
    for (uint64_t back = HISTORY_SECONDS; back-- > 0;) {
        if (back >= last)
            continue;
        uint64_t second = last - back;
        const struct history_second *at = &history->seconds[second % HISTORY_SECONDS];
        if (atomic_load_explicit(&at->second, memory_order_acquire) != second)
            continue;
        if (write_row(at, second, is_first, text))
            is_first = false;
    }
    text_add(text, "]},");
}
