/* SPDX-License-Identifier: MIT */
/* tests/c/tap.h — checks that print in the Test Anything Protocol.  Header only: a test
 * is one program. */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdarg.h>  /* va_list */
#include <stdbool.h> /* bool */
#include <stdio.h>   /* printf */
#include <string.h>  /* strcmp */

static int tap_checks, tap_failures;

/* Prints one result; `format` describes what was promised. */
static bool __attribute__((format(printf, 4, 5), unused))
tap_result(bool good, const char *file, int line, const char *format, ...)
{
    va_list args;

    tap_checks++;
    if (!good)
        tap_failures++;
    printf("%sok %d - ", good ? "" : "not ", tap_checks);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    if (!good)
        printf("# at %s:%d\n", file, line);
    return good;
}

/* Checks that `condition` holds. */
#define ok(condition, ...) tap_result((condition), __FILE__, __LINE__, __VA_ARGS__)

/* Checks that two integers are equal. */
#define is(got, want, ...)                                                             \
    do {                                                                               \
        long long tap_got = (long long)(got), tap_want = (long long)(want);            \
        if (!ok(tap_got == tap_want, __VA_ARGS__))                                     \
            printf("# got %lld, want %lld\n", tap_got, tap_want);                      \
    } while (0)

/* Checks that two C strings are equal. */
#define is_text(got, want, ...)                                                        \
    do {                                                                               \
        const char *tap_got = (got), *tap_want = (want);                               \
        if (!ok(strcmp(tap_got, tap_want) == 0, __VA_ARGS__))                          \
            printf("# got  %s\n# want %s\n", tap_got, tap_want);                       \
    } while (0)

/* Prints the plan; returns the exit status of main. */
static int __attribute__((unused))
tap_done(void)
{
    printf("1..%d\n", tap_checks);
    return tap_failures != 0;
}

#endif
