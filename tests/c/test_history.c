/* SPDX-License-Identifier: MIT */
/* tests/c/test_history.c — the counters of each of the last seconds. */
#include "builtin/history.c"

#include <stdlib.h> /* strtoull */

#include "base/mem.h"
#include "tap.h"

/* The rows that were written, and the first and last number at position `at` of
 * each. */
static unsigned
rows_of(const struct history *history, unsigned at, uint64_t *first, uint64_t *last)
{
    struct text text = {.err = 0};
    unsigned n = 0;

    buf_init(&text.buf);
    history_write(history, &text);
    is(text.err, 0, "there is memory");
    struct slice bytes = buf_bytes(&text.buf);
    char *all = mem_calloc(1, bytes.len + 1);
    memcpy(all, bytes.ptr, bytes.len);
    char *row = strstr(all, "\"rows\":[");
    while (row != NULL && (row = strchr(row + 1, '[')) != NULL) {
        if (row[-1] == ':')
            continue;
        const char *number = row + 1;
        for (unsigned i = 0; i < at; i++)
            number = strchr(number, ',') + 1;
        *last = strtoull(number, NULL, 10);
        if (n++ == 0)
            *first = *last;
    }
    mem_free(all);
    buf_release(&text.buf);
    return n;
}

static void
test_missed_seconds_are_filled_in(void)
{
    struct history *history = mem_calloc(1, sizeof *history);
    struct tally *tally = mem_calloc(1, sizeof *tally);
    struct tallies tallies = {.all = tally, .n = 1};
    const unsigned done = 1 + HISTORY_COUNTERS + TALLY_DONE_2 - TALLY_FIRST_COUNTER;
    uint64_t first = 0, last = 0;

    is(rows_of(history, 0, &first, &last), 0, "nothing was noted");
    tally_set(tally, TALLY_DONE_2, 5);
    history_note(history, &tallies, 7000);
    tally_set(tally, TALLY_DONE_2, 6);
    history_note(history, &tallies, 7999);
    is(rows_of(history, done, &first, &last), 1, "a second is noted once");
    is(last, 5, "at its first turn");
    history_note(history, &tallies, 10001);
    is(rows_of(history, 0, &first, &last), 4, "the seconds between are there");
    ok(first == 7000 && last == 10000, "in order");
    (void)rows_of(history, done, &first, &last);
    ok(first == 5 && last == 6, "with the old counters");
    history_note(history, &tallies, 9000);
    is(rows_of(history, 0, &first, &last), 4, "the past does not change");

    history_note(history, &tallies, 10000000);
    is(rows_of(history, 0, &first, &last), HISTORY_SECONDS,
       "after a long pause there are three minutes");
    ok(first == 9821000 && last == 10000000, "the last ones");
    atomic_store(&history->seconds[10000 % HISTORY_SECONDS].second, 0);
    is(rows_of(history, 0, &first, &last), HISTORY_SECONDS - 1,
       "what is being written is left out");
    mem_free(tally);
    mem_free(history);
}

static void
test_a_row_fits_any_number(void)
{
    struct text text = {.err = 0};
    const uint64_t numbers[] = {0, 9, 10, UINT64_MAX};

    buf_init(&text.buf);
    text_add_numbers(&text, numbers, COUNT(numbers));
    text_add_bytes(&text, slice_of("]"));
    text_add(&text, "%c", '\0');
    is_text(buf_bytes(&text.buf).ptr, "0,9,10,18446744073709551615]", "numbers");
    buf_release(&text.buf);
}

static void
test_a_row_that_is_overwritten_is_left_out(void)
{
    static struct history_second at;
    struct text text = {.err = 0};

    buf_init(&text.buf);
    atomic_store(&at.second, 6);
    ok(!write_row(&at, 5, true, &text), "another worker has begun the next second");
    is(buf_bytes(&text.buf).len, 0, "nothing is written");
    ok(write_row(&at, 6, true, &text), "which can be written");
    buf_release(&text.buf);
}

int
main(void)
{
    test_a_row_that_is_overwritten_is_left_out();
    test_missed_seconds_are_filled_in();
    test_a_row_fits_any_number();
    return tap_done();
}
