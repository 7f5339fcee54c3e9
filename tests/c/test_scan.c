/* SPDX-License-Identifier: MIT */
/* tests/c/test_scan.c — every scanner finds what the scalar one finds, and reads
 * nothing outside of its bytes, which end where an unreadable page begins. Covers
 * src/http1/scan_x86.c or src/http1/scan_neon.c, whichever the machine has. */
#include "http1/scan.c"

#include <string.h>   /* memcpy, memset */
#include <sys/mman.h> /* mmap, mprotect */
#include <unistd.h>   /* sysconf */

#include "tap.h"

#define LEN_MAX 200

/* Numbers that are the same in every run (xorshift). */
static uint32_t
next_number(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Maps a page between two unreadable ones; returns its first byte and sets *end. */
static char *
guarded_page(char **end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
    if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) != 0 ||
        mprotect(p + 2 * page, page, PROT_NONE) != 0)
        return NULL;
    *end = p + 2 * page;
    return p + page;
}

/* Returns whether `way` agrees with the scalar scanner on p[0, n), for all three
 * kinds. */
static bool
agrees(const struct h1_scan *way, const char *p, size_t n)
{
    return way->token(p, n) == scalar.token(p, n) &&
           way->target(p, n) == scalar.target(p, n) &&
           way->value(p, n) == scalar.value(p, n);
}

static void
test_every_byte_at_every_place(const struct h1_scan *way)
{
    char bytes[70];
    unsigned ndifferent = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < sizeof bytes; at++) {
            memset(bytes, 'a', sizeof bytes);
            bytes[at] = (char)byte;
            ndifferent += !agrees(way, bytes, sizeof bytes);
        }
    }
    is(ndifferent, 0, "%s: every byte at every place", way->name);
}

static void
test_random_bytes_at_both_ends_of_a_page(const struct h1_scan *way)
{
    char *end = NULL;
    char *page = guarded_page(&end);
    uint32_t seed = 2463534242u;
    unsigned ndifferent = 0;
    ok(page != NULL, "a guarded page");
    if (page == NULL)
        return;
    for (size_t n = 0; n <= LEN_MAX; n++) {
        for (unsigned round = 0; round < 64; round++) {
            size_t shift = round % 32; /* from the last byte: every alignment */
            for (size_t i = 0; i < n; i++) {
                uint32_t number = next_number(&seed);
                bool is_rare = number % 128 == 0;
                end[-(ptrdiff_t)(n - i)] =
                    (char)(is_rare ? number >> 8 : 'a' + (number >> 8) % 26);
            }
            ndifferent += !agrees(way, end - n, n);
            if (n >= shift)
                ndifferent += !agrees(way, end - n, n - shift);
            memcpy(page, end - n, n);
            ndifferent += !agrees(way, page, n);
        }
    }
    is(ndifferent, 0, "%s: 0 to %d bytes at both ends of a page", way->name, LEN_MAX);
}

static void
test_kinds(const struct h1_scan *way)
{
    is(way->token("Accept-Encoding: gzip, deflate, br", 34), 15, "a token");
    is(way->token("", 0), 0, "nothing");
    is(way->target("/a?b=c#\\|\x7f", 10), 9, "a target ends at DEL");
    is(way->target("/\xc3\xa9", 3), 1, "a target is ASCII");
    is(way->value("a\tb\x80\xff c\r\n", 9), 7, "a value ends at CR");
}

int
main(void)
{
    const struct h1_scan *last = h1_scan_nth(0);
    for (int i = 0; h1_scan_nth(i) != NULL; i++) {
        last = h1_scan_nth(i);
        test_kinds(last);
        test_every_byte_at_every_place(last);
        test_random_bytes_at_both_ends_of_a_page(last);
    }
    ok(h1_scan_best() == last, "the last way is the best: %s", last->name);
    return tap_done();
}
