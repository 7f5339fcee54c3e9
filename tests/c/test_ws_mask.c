/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_mask.c — every implementation of masking gives the bytes of RFC
 * 6455 5.3, in place and from another buffer, whole and in parts, and writes nothing
 * outside. */
#include "ws/mask.c"

#include "tap.h"

#define LEN_MAX 300

/* The definition: octet i of the payload and octet i modulo 4 of the key. */
static void
fill(char *plain, char *masked, size_t n, const char key[4])
{
    for (size_t i = 0; i < n; i++) {
        plain[i] = (char)(i * 7 + n);
        masked[i] = (char)(plain[i] ^ key[i % 4]);
    }
}

static void
test_every_length_at_every_alignment(const struct ws_mask *way, const char bytes[4])
{
    char plain[LEN_MAX], masked[LEN_MAX], memory[LEN_MAX + 64];
    unsigned nwrong = 0, noutside = 0;
    uint32_t key;
    memcpy(&key, bytes, sizeof key);
    for (size_t n = 0; n < LEN_MAX; n++) {
        size_t shift = n % 32;
        fill(plain, masked, n, bytes);
        memset(memory, '#', sizeof memory);
        char *at = memory + 1 + shift;
        memcpy(at, masked, n);
        way->apply(at, at, n, key);
        nwrong += memcmp(at, plain, n) != 0;
        noutside += at[-1] != '#' || at[n] != '#';
        memset(memory, '#', sizeof memory);
        way->apply(at, masked, n, key);
        nwrong += memcmp(at, plain, n) != 0;
        noutside += at[-1] != '#' || at[n] != '#';
    }
    is(nwrong, 0, "%s: 0 to %d bytes, in place and not", way->name, LEN_MAX - 1);
    is(noutside, 0, "%s: nothing outside is written", way->name);
}

static void
test_parts(const struct ws_mask *way, const char bytes[4])
{
    char plain[LEN_MAX], masked[LEN_MAX], out[LEN_MAX];
    unsigned nwrong = 0;
    fill(plain, masked, LEN_MAX, bytes);
    for (size_t step = 1; step < 80; step++) {
        uint32_t key;
        memcpy(&key, bytes, sizeof key);
        for (size_t i = 0; i < LEN_MAX; i += step) {
            size_t n = LEN_MAX - i < step ? LEN_MAX - i : step;
            way->apply(out + i, masked + i, n, key);
            key = ws_mask_turn(key, n);
        }
        nwrong += memcmp(out, plain, LEN_MAX) != 0;
    }
    is(nwrong, 0, "%s: pieces of 1 to 79 bytes", way->name);
}

int
main(void)
{
    const struct ws_mask *last = ws_mask_nth(0);
    for (int i = 0; ws_mask_nth(i) != NULL; i++) {
        last = ws_mask_nth(i);
        test_every_length_at_every_alignment(last, "\x12\x34\x56\x78");
        test_every_length_at_every_alignment(last, "\xFF\x00\x80\x01");
        test_parts(last, "\x37\xfa\x21\x3d");
    }
    ok(ws_mask_best() == last, "the last way is the best: %s", last->name);
    return tap_done();
}
