/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_utf8.c — every implementation agrees with a decoder by the
 * definition (RFC 3629 3), at the first byte that shows an error, however the text is
 * split. Covers src/ws/utf8_x86.c or src/ws/utf8_neon.c, whichever the machine has. */
#include "ws/utf8.c"

#include "tap.h"

/* Returns how many bytes begin with `first`; 0 if none do. */
static unsigned
sequence_length(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if ((first & 0xE0) == 0xC0)
        return 2;
    if ((first & 0xF0) == 0xE0)
        return 3;
    return (first & 0xF8) == 0xF0 ? 4 : 0;
}

/* Returns the number of bytes of p[0, n) before the first byte that no UTF-8 text
 * can have there; n if there is none. Decodes without tables. */
static size_t
slow_span(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        unsigned len = sequence_length(p[i]);
        if (len == 0)
            return i;
        uint32_t least = p[i], most = p[i];
        if (len > 1)
            least = most = p[i] & (0x7Fu >> len);
        /* The code points that the bytes so far can still become. */
        for (unsigned k = 1; k <= len; k++) {
            static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000};
            uint32_t low = least << 6 * (len - k),
                     high = (most << 6 * (len - k)) | ((1u << 6 * (len - k)) - 1);
            if (high < first[len] || low > 0x10FFFF ||
                (low >= 0xD800 && high <= 0xDFFF))
                return i + k - 1;
            if (k == len || i + k == n)
                break;
            if ((p[i + k] & 0xC0) != 0x80)
                return i + k;
            least = most = least << 6 | (p[i + k] & 0x3F);
        }
        i += len;
    }
    return n;
}

/* Returns how many bytes are accepted before the first rejected one, fed by `step`. */
static size_t
taken(const struct ws_utf8_way *way, const uint8_t *p, size_t n, size_t step)
{
    struct ws_utf8 state = {0};
    for (size_t i = 0; i < n; i += step) {
        struct slice piece = {(const char *)p + i, n - i < step ? n - i : step};
        if (!ws_utf8_check(way, &state, piece))
            return i;
    }
    return n;
}

static void
test_texts(const struct ws_utf8_way *way)
{
    static const struct {
        const char *text;
        size_t good; /* bytes before the one that is refused */
        bool is_whole;
        const char *about;
    } texts[] = {
        {"", 0, true, "nothing"},
        {"Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC", 17, true, "two bytes"},
        {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 12, true, "three bytes"},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8, true, "four bytes"},
        {"\xCE", 1, false, "a first byte alone"},
        {"\xF4\x8F\xBF", 3, false, "three of four"},
        {"\x80", 0, true, "a continuation alone"},
        {"\xC0\xAF", 0, true, "overlong in two"},
        {"\xC1\xBF", 0, true, "overlong in two"},
        {"\xE0\x9F\xBF", 1, true, "overlong in three, detected at its second byte"},
        {"\xF0\x8F\xBF\xBF", 1, true, "overlong in four, detected at its second byte"},
        {"\xED\xA0\x80", 1, true, "a surrogate, detected at its second byte"},
        {"\xF4\x90\x80\x80", 1, true, "above U+10FFFF, detected at its second byte"},
        {"\xF5\x80\x80\x80", 0, true, "F5"},
        {"\xFE", 0, true, "FE"},
        {"\xFF", 0, true, "FF"},
        {"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4\x90\x80\x80"
         "edited",
         12, true, "Autobahn 6.4.1"},
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t n = strlen(texts[i].text);
        is(taken(way, (const uint8_t *)texts[i].text, n, 1), texts[i].good, "%s: %s",
           way->name, texts[i].about);
        struct ws_utf8 state = {0};
        bool good = ws_utf8_check(way, &state, slice_new(texts[i].text, n));
        is(good, texts[i].good == n, "%s: %s, at once", way->name, texts[i].about);
        is(!good || ws_utf8_is_whole(&state), !good || texts[i].is_whole,
           "%s: %s, whole", way->name, texts[i].about);
    }
}

/* Every two bytes, and every interesting four, at every place of two vectors. */
static void
test_against_the_definition(const struct ws_utf8_way *way)
{
    static const uint8_t kinds[] = {
        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
        0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFC, 0xFF};
    unsigned ndifferent = 0;
    uint8_t text[100];
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        memset(text, 'a', sizeof text);
        size_t at = pair % 66;
        text[at] = (uint8_t)(pair >> 8);
        text[at + 1] = (uint8_t)pair;
        struct ws_utf8 state = {0};
        bool good = ws_utf8_check(way, &state, slice_new((char *)text, sizeof text));
        ndifferent += good != (slow_span(text, sizeof text) == sizeof text);
    }
    is(ndifferent, 0, "%s: every pair of bytes", way->name);
    for (size_t i = 0; i < COUNT(kinds) * COUNT(kinds) * COUNT(kinds) * COUNT(kinds);
         i++) {
        uint8_t four[4];
        size_t number = i;
        for (int k = 0; k < 4; k++, number /= COUNT(kinds))
            four[k] = kinds[number % COUNT(kinds)];
        memset(text, 'a', sizeof text);
        memcpy(text + i % 90, four, 4);
        struct ws_utf8 state = {0};
        bool good = ws_utf8_check(way, &state, slice_new((char *)text, sizeof text));
        ndifferent += good != (slow_span(text, sizeof text) == sizeof text);
        ndifferent += taken(way, four, 4, 1) != slow_span(four, 4);
    }
    is(ndifferent, 0, "%s: four bytes of every kind", way->name);
}

/* Numbers that are the same in every run (xorshift). */
static uint32_t
next_number(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static size_t
put_character(uint8_t *to, uint32_t number)
{
    static const uint32_t ranges[] = {0x80, 0x80, 0x800, 0xD800, 0x10000, 0x110000};
    uint32_t c = number % ranges[(number >> 24) % COUNT(ranges)];
    if (c >= 0xD800 && c <= 0xDFFF)
        c = 'x';
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t k = len; k-- > 1; c >>= 6)
        to[k] = (uint8_t)(0x80 | (c & 0x3F));
    to[0] = (uint8_t)((0xF00u >> len) | c);
    return len;
}

static void
test_random_texts_in_parts(const struct ws_utf8_way *way)
{
    static const size_t steps[] = {1, 3, 16, 31, 32, 33, 64, 95, 1000};
    uint32_t seed = 88172645u;
    unsigned ndifferent = 0, nbad = 0;
    uint8_t text[400];
    for (int round = 0; round < 3000; round++) {
        size_t n = 0;
        while (n < sizeof text - 4)
            n += put_character(text + n, next_number(&seed));
        if (round % 2 == 1)
            text[next_number(&seed) % n] = (uint8_t)next_number(&seed);
        size_t want = slow_span(text, n);
        nbad += want < n;
        for (size_t i = 0; i < COUNT(steps); i++)
            ndifferent += taken(way, text, n, steps[i]) / steps[i] != want / steps[i] &&
                          !(want == n && taken(way, text, n, steps[i]) == n);
    }
    is(ndifferent, 0, "%s: random texts in pieces", way->name);
    ok(nbad > 300, "%u of them were bad", nbad);
}

int
main(void)
{
    const struct ws_utf8_way *last = ws_utf8_nth(0);
    for (int i = 0; ws_utf8_nth(i) != NULL; i++) {
        last = ws_utf8_nth(i);
        test_texts(last);
        test_against_the_definition(last);
        test_random_texts_in_parts(last);
    }
    ok(ws_utf8_best() == last, "the last way is the best: %s", last->name);
    return tap_done();
}
