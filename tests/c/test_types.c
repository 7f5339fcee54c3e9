/* SPDX-License-Identifier: MIT */
/* tests/c/test_types.c — media types by the endings of names. */
#include "static/types.c"

#include "tap.h"

static const char system_text[] = "# comment\n"
                                  "application/x-made-up  made up2\r\n"
                                  "text/x-made\tmtxt # not this\n"
                                  "application/other made\n"
                                  "text/old css js\n"
                                  "not-a-type x\n"
                                  "a/b:c y\n"
                                  "application/none\n"
                                  "application/long abcdefghijklmnopqrstuvwxyz\n"
                                  "application/last LAST";

static void
is_type(const struct types *types, const char *name, const char *want)
{
    char text[256];
    struct slice charset, type = types_find(types, slice_of(name), &charset);

    snprintf(text, sizeof text, "%.*s%.*s", (int)type.len, type.ptr, (int)charset.len,
             charset.ptr);
    is_text(text, want, "%s", name);
}

static void
test_known(const struct types *types)
{
    is_type(types, "/index.html", "text/html; charset=utf-8");
    is_type(types, "/a.b/INDEX.HTM", "text/html; charset=utf-8");
    is_type(types, "/a.css", "text/css; charset=utf-8");
    is_type(types, "/a.min.js", "text/javascript; charset=utf-8");
    is_type(types, "/a.json", "application/json");
    is_type(types, "/a.svg", "image/svg+xml");
    is_type(types, "/a.woff2", "font/woff2");
    is_type(types, "/a.wasm", "application/wasm");
    is_type(types, "/a.avif", "image/avif");
    is_type(types, "/a.zst", "application/zstd");
    is_type(types, "/a", "application/octet-stream");
    is_type(types, "/a.", "application/octet-stream");
    is_type(types, "/a.html/b", "application/octet-stream");
    is_type(types, "/a.abcdefghijklmnopqrstuvwxyz", "application/octet-stream");
    is_type(types, "", "application/octet-stream");
}

static void
test_the_table_is_sorted(void)
{
    bool good = true;

    for (size_t i = 1; i < COUNT(known); i++)
        good &= strcmp(known[i - 1].ending, known[i].ending) < 0;
    ok(good, "each built-in ending is found");
}

static void
test_system(void)
{
    struct types types;

    is(types_init(&types, slice_of(system_text)), 0, "a file of types");
    test_known(&types);
    is_type(&types, "/a.made", "application/x-made-up");
    is_type(&types, "/a.up2", "application/x-made-up");
    is_type(&types, "/a.mtxt", "text/x-made; charset=utf-8");
    is_type(&types, "/a.Last", "application/last");
    is_type(&types, "/a.x", "application/octet-stream");
    is_type(&types, "/a.y", "application/octet-stream");
    is_type(&types, "/a.this", "application/octet-stream");
    types_fini(&types);
    types_fini(&types);
    mem_fail_at(1);
    is(types_init(&types, slice_of(system_text)), ERR_NOMEM, "no memory");
    mem_fail_at(0);
}

int
main(void)
{
    struct types none;

    is(types_init(&none, slice_of("")), 0, "no file of types");
    test_known(&none);
    test_the_table_is_sorted();
    test_system();
    return tap_done();
}
