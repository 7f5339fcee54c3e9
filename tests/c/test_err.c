/* SPDX-License-Identifier: MIT */
/* tests/c/test_err.c — every error has its own number and text, and errno is mapped
 * to an error. */
#include "base/err.c"

#include <limits.h> /* INT_MIN */

#include "tap.h"

static const struct {
    const char *name, *text;
    int err;
} errs[] = {
#define ERR_ROW(name, text) {#name, text, ERR_##name},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

static void
test_errors_are_negative_without_gaps(void)
{
    for (size_t i = 0; i < COUNT(errs); i++)
        is(errs[i].err, -1 - (int)i, "ERR_%s", errs[i].name);
}

/* The text ends a sentence in a log line and in a refusal. */
static void
test_the_text_of_an_error_fits_into_a_sentence(void)
{
    for (size_t i = 0; i < COUNT(errs); i++) {
        const char *text = err_text(errs[i].err);
        size_t len = strlen(text);
        is_text(text, errs[i].text, "ERR_%s has a text", errs[i].name);
        ok(len > 0 && len < 64, "which are short");
        ok(len > 0 && text[len - 1] != '.' && strpbrk(text, "\r\n") == NULL,
           "one line without a full stop");
        for (size_t k = 0; k < i; k++) {
            if (strcmp(text, errs[k].text) == 0)
                ok(false, "ERR_%s has the text of ERR_%s", errs[i].name, errs[k].name);
        }
    }
}

static void
test_any_number_has_a_text(void)
{
    static const struct {
        int err;
        const char *text;
    } rows[] = {
        {0, "no error"},
        {1, "an unknown error"},
        {INT_MAX, "an unknown error"},
        {-ERR_POSITIVE_END, "an unknown error"},
        {-INT_MAX, "an unknown error"},
        {INT_MIN, "an unknown error"},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        is_text(err_text(rows[i].err), rows[i].text, "%d", rows[i].err);
}

static void
test_errno_is_mapped_to_an_error(void)
{
    static const struct {
        int number, err;
    } rows[] = {
        {EAGAIN, ERR_AGAIN},
        {EWOULDBLOCK, ERR_AGAIN},
        {EPIPE, ERR_RESET},
        {ECONNRESET, ERR_RESET},
        {ETIMEDOUT, ERR_RESET},
        {ENOMEM, ERR_NOMEM},
        {ENOBUFS, ERR_NOMEM},
        {EMFILE, ERR_FD_LIMIT},
        {ENFILE, ERR_FD_LIMIT},
        {EADDRINUSE, ERR_ADDRESS_IN_USE},
        {EACCES, ERR_ADDRESS_DENIED},
        {EPERM, ERR_ADDRESS_DENIED},
        {EADDRNOTAVAIL, ERR_ADDRESS},
        {EBADF, ERR_IO},
        {EINVAL, ERR_IO},
        {0, ERR_IO},
        {-1, ERR_IO},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        is(err_from_errno(rows[i].number), rows[i].err, "%s", strerror(rows[i].number));
}

int
main(void)
{
    test_errors_are_negative_without_gaps();
    test_the_text_of_an_error_fits_into_a_sentence();
    test_any_number_has_a_text();
    test_errno_is_mapped_to_an_error();
    return tap_done();
}
