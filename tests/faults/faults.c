/* SPDX-License-Identifier: MIT */
/* tests/faults/faults.c — see faults.h.
 *
 * With --wrap=NAME the linker redirects calls of NAME to __wrap_NAME, and those of
 * __real_NAME to NAME. Each wrapper passes on sixteen arguments, more than
 * any of these functions has; the excess is ignored. None of them takes or returns a
 * floating-point number.
 *
 * A wrapper reads the excess from the caller's stack, and must not write there: the
 * caller's variables are in its place, and another thread may change one meanwhile. A
 * tail call would write, so each wrapper uses the result after its call. */
#include "faults.h"

#include <errno.h>  /* errno */
#include <stddef.h> /* NULL */
#include <string.h> /* strcmp, strlen, strncmp */

#ifdef FAULTS_OF_PYTHON
#include <Python.h>
#endif

#define EXPORT __attribute__((visibility("default")))
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

/* RULE ZERO: file-scope state, because a call of a library has no argument to hang it
 * from; it exists in builds for tests only. */
static _Thread_local struct {
    unsigned long at, count;
    int error;
    bool is_on;
    const char *name;
    const char *only; /* the function whose calls are counted; NULL: all are */
    bool is_prefix;   /* ... or what the names of several begin with */
} faults = {.name = ""};

static void
fault_start(const char *only, bool is_prefix, unsigned long n, int error)
{
    faults.only = only;
    faults.is_prefix = is_prefix;
    faults.at = n;
    faults.count = 0;
    faults.error = error;
    faults.is_on = true;
    faults.name = "";
}

EXPORT void
fault_at(unsigned long n, int error)
{
    fault_start(NULL, false, n, error);
}

EXPORT void
fault_of(const char *name, unsigned long n, int error)
{
    fault_start(name, false, n, error);
}

EXPORT void
fault_like(const char *prefix, unsigned long n, int error)
{
    fault_start(prefix, true, n, error);
}

EXPORT void
fault_pause(void)
{
    faults.is_on = false;
}

EXPORT void
fault_resume(void)
{
    faults.is_on = true;
}

EXPORT unsigned long
fault_stop(void)
{
    faults.is_on = false;
    return faults.count;
}

EXPORT const char *
fault_name(void)
{
    return faults.name;
}

static bool
is_counted(const char *name)
{
    if (!faults.is_on || faults.only == NULL)
        return faults.is_on;
    return faults.is_prefix ? strncmp(faults.only, name, strlen(faults.only)) == 0
                            : strcmp(faults.only, name) == 0;
}

static bool
must_fail(const char *name)
{
    if (!is_counted(name) || ++faults.count != faults.at)
        return false;
    faults.name = name;
    return true;
}

/* What a failing call returns, by its kind. */

static long
fail_POINTER(void)
{
    return 0;
}

#ifndef FAULTS_OF_PYTHON_ALONE
static long
fail_ZERO(void)
{
    return 0;
}

static long
fail_LIBRARY(void)
{
    return -1;
}

static long
fail_ZLIB(void)
{
    return -4; /* Z_MEM_ERROR */
}

#ifdef HAVE_ZSTD
static long
fail_ZSTD(void)
{
    return -64; /* ZSTD_error_memory_allocation */
}
#endif

static long
fail_NGHTTP2(void)
{
    return -901; /* NGHTTP2_ERR_NOMEM */
}

static long
fail_SYSTEM(void)
{
    errno = faults.error;
    return -1;
}

static long
fail_THREAD(void)
{
    return EAGAIN;
}
#endif

#define FAULT(kind, name)                                                              \
    long __real_##name(long, ...);                                                     \
    long __wrap_##name(long, long, long, long, long, long, long, long, long, long,     \
                       long, long, long, long, long, long);                            \
    UNCHECKED EXPORT long __wrap_##name(                                               \
        long a, long b, long c, long d, long e, long f, long g, long h, long i,        \
        long j, long k, long l, long m, long n, long o, long p)                        \
    {                                                                                  \
        if (must_fail(#name))                                                          \
            return fail_##kind();                                                      \
        long result = __real_##name(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);   \
        __asm__ volatile("" : "+r"(result));                                           \
        return result;                                                                 \
    }

#ifndef FAULTS_OF_PYTHON_ALONE
#include "system.def"
#endif

#ifdef FAULTS_OF_QUIC
static long
fail_NGTCP2(void)
{
    return -501; /* NGTCP2_ERR_NOMEM */
}

static long
fail_NGHTTP3(void)
{
    return -901; /* NGHTTP3_ERR_NOMEM */
}

#include "quic.def"
#endif

#ifdef FAULTS_OF_PYTHON
static long
fail_OBJECT(void)
{
    PyErr_NoMemory();
    return 0;
}

static long
fail_STATUS(void)
{
    PyErr_NoMemory();
    return -1;
}

static long
fail_ARGUMENTS(void)
{
    PyErr_NoMemory();
    return 0;
}

#include "python.def"
#endif
