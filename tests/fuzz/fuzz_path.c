/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_path.c — no path of a request names a file outside of the directory, a
 * hidden one, or one whose name programs read in different ways. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "static/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Asserts what path.h promises about each name. */
static void
check_names(const char *path, size_t len, bool is_whole)
{
    const char *at = path;

    assert(strlen(path) == len); /* no NUL inside */
    assert(strchr(path, '\\') == NULL && strstr(path, "//") == NULL);
    while (*at != 0) {
        assert(*at == '/');
        at++;
        size_t n = strcspn(at, "/");
        assert(n <= PATH_NAME_MAX);
        assert(at[0] != '.' ||
               (is_whole && at == path + 1 && strncmp(at, ".well-known", n) == 0));
        for (size_t i = 0; i < n; i++)
            assert((unsigned char)at[i] >= 0x20 && at[i] != 0x7F);
        at += n;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const prefixes[] = {"", "/static", "/a/b"};
    /* The exact size, so that a read beyond it is found. */
    char *raw = malloc(n > 0 ? n : 1);

    assert(raw != NULL);
    if (n > 0)
        memcpy(raw, data, n);
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        char out[PATH_BYTES_MAX + 1], again[PATH_BYTES_MAX + 1];
        size_t len, len2;
        struct slice prefix = slice_of(prefixes[i]);
        if (path_map(slice_new(raw, n), prefix, out, &len) != PATH_GOOD)
            continue;
        assert(len <= PATH_BYTES_MAX && len + prefix.len <= n);
        check_names(out, len, prefix.len == 0);
        /* A path without escapes means itself. */
        if (memchr(out, '%', len) == NULL && len > 0 && prefix.len == 0)
            assert(path_map(slice_new(out, len), prefix, again, &len2) == PATH_GOOD &&
                   len2 == len && memcmp(out, again, len) == 0);
    }
    free(raw);
    return 0;
}
