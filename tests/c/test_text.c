/* SPDX-License-Identifier: MIT */
/* tests/c/test_text.c — text that is built from parts, and the resources of a
 * process. */
#include "builtin/text.c"

#include "base/err.h"
#include "base/mem.h"
#include "tap.h"

static struct slice
bytes_of(const struct text *text)
{
    return buf_bytes(&text->buf);
}

static void
test_parts_follow_each_other(void)
{
    static const uint64_t numbers[] = {0, 9, 10, UINT64_MAX};
    struct text text = {0};

    buf_init(&text.buf);
    text_add(&text, "%d-%s", 1, "a");
    text_add(&text, "%s", "");
    text_add_bytes(&text, slice_of(" b "));
    text_add_bytes(&text, slice_of(""));
    text_add_numbers(&text, numbers, 0);
    text_add_numbers(&text, numbers, 4);
    is(text.err, 0, "nothing went wrong");
    ok(slice_equal(bytes_of(&text), slice_of("1-a b 0,9,10,18446744073709551615")),
       "all that was added, in order");
    buf_release(&text.buf);
}

static void
test_a_long_reason_is_cut(void)
{
    struct text text = {0};
    char piece[TEXT_PIECE_BYTES + 8];

    memset(piece, 'x', sizeof piece);
    piece[sizeof piece - 1] = '\0';
    for (size_t n = TEXT_PIECE_BYTES - 2; n < TEXT_PIECE_BYTES + 2; n++) {
        buf_init(&text.buf);
        text_add(&text, "%.*s", (int)n, piece);
        is(bytes_of(&text).len, n < TEXT_PIECE_BYTES ? n : TEXT_PIECE_BYTES - 1,
           "a piece of %zu bytes", n);
        buf_release(&text.buf);
    }
}

static void
test_the_most_numbers_fit(void)
{
    static uint64_t numbers[TEXT_NUMBERS_MAX];
    struct text text = {0};

    memset(numbers, 0xff, sizeof numbers);
    buf_init(&text.buf);
    text_add_numbers(&text, numbers, TEXT_NUMBERS_MAX);
    is(bytes_of(&text).len, TEXT_NUMBERS_MAX * 21 - 1, "20 digits and commas");
    buf_release(&text.buf);
}

static void
test_nothing_follows_an_error(void)
{
    static const uint64_t one = 1;

    for (int way = 0; way < 3; way++) {
        struct text text = {0};
        buf_init(&text.buf);
        mem_fail_at(1);
        if (way == 0)
            text_add(&text, "x");
        else if (way == 1)
            text_add_numbers(&text, &one, 1);
        else
            text_add_bytes(&text, slice_of("x"));
        mem_fail_at(0);
        is(text.err, ERR_NOMEM, "there is no memory");
        text_add(&text, "y");
        text_add_numbers(&text, &one, 1);
        text_add_bytes(&text, slice_of("y"));
        is(text.err, ERR_NOMEM, "the error stays");
        is(bytes_of(&text).len, 0, "and nothing is appended after it");
        buf_release(&text.buf);
    }
}

static void
test_a_process(void)
{
    uint64_t self = (uint64_t)getpid();
    uint64_t nfiles = text_open_files(self);
    int fd = open("/dev/null", O_RDONLY);

    is(text_open_files(self), nfiles + 1, "one more file is open");
    close(fd);
    is(text_open_files(self), nfiles, "and closed again");
    ok(text_max_files() >= nfiles, "not more are open than allowed");
    ok(text_rss(self) >= 4096, "it has memory");
    char room[1024];
    is_text(proc_field(self, "stat", 10000, room, sizeof room), "",
            "a field that does not exist is empty");
    is(text_rss(UINT64_MAX), 0, "a process that does not exist has none");
    is(text_cpu_ms(UINT64_MAX), 0, "and has used no time");
    is(text_open_files(UINT64_MAX), 0, "and no files");
}

int
main(void)
{
    test_parts_follow_each_other();
    test_a_long_reason_is_cut();
    test_the_most_numbers_fit();
    test_nothing_follows_an_error();
    test_a_process();
    return tap_done();
}
