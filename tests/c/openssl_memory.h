/* SPDX-License-Identifier: MIT */
/* tests/c/openssl_memory.h — lets an allocation of OpenSSL fail. Header only. */
#ifndef TESTS_OPENSSL_MEMORY_H
#define TESTS_OPENSSL_MEMORY_H

#include <stdbool.h> /* bool */
#include <stdlib.h>  /* malloc */

#include <openssl/crypto.h>

/* Counts down to the allocation that fails; 0: none does. */
static unsigned long openssl_memory_left;

static bool
openssl_memory_fails(void)
{
    return openssl_memory_left > 0 && --openssl_memory_left == 0;
}

static void *
openssl_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return openssl_memory_fails() ? NULL : malloc(n);
}

static void *
openssl_realloc(void *at, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return openssl_memory_fails() ? NULL : realloc(at, n);
}

static void
openssl_free(void *at, const char *file, int line)
{
    (void)file, (void)line;
    free(at);
}

/* Called before everything else of OpenSSL. Returns 1 if allocations are counted. */
static int
openssl_memory_prepare(void)
{
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free);
}

#endif
