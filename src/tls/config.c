/* SPDX-License-Identifier: MIT */
/* tls/config.c — see config.h for the contract. */
#include "tls/config.h"

#include <assert.h> /* assert */
#include <errno.h>  /* errno */
#include <stdarg.h> /* va_list */
#include <stdio.h>  /* vsnprintf */

#include <openssl/err.h>

#include "base/err.h"
#include "base/system.h"

int
tls_fail(struct tls_why *why, const char *format, ...)
{
    unsigned long last = ERR_peek_last_error();
    const char *reason = last != 0 ? ERR_reason_error_string(last) : NULL;
    va_list args;

    assert(why != NULL);
    va_start(args, format);
    int n = vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    if (reason != NULL && n > 0 && (size_t)n < sizeof why->text)
        (void)snprintf(why->text + n, sizeof why->text - (size_t)n, " (%s)", reason);
    ERR_clear_error();
    return ERR_TLS_CONFIG;
}

int
tls_fail_errno(struct tls_why *why, const char *what, const char *path)
{
    char room[128];
    const char *text = system_error_text(errno, room, sizeof room);

    ERR_clear_error();
    return tls_fail(why, "the %s %s: %s", what, path, text);
}
