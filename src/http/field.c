/* SPDX-License-Identifier: MIT */
/* http/field.c — see field.h for the contract. */
#include "http/field.h"

#include <assert.h> /* assert */

#include "base/word.h" /* word_at, word_equal, word_less */

/* The kinds of text in which a byte may occur. */
#define VALUE 1u /* a field value: field-vchar, space and tab (RFC 9110 5.5) */
#define TOKEN 2u /* a token: tchar (RFC 9110 5.6.2) */

#define V VALUE
#define B (VALUE | TOKEN)
/* clang-format off: sixteen bytes a row */
static const uint8_t kinds[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, V, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, V, B, V, B, B, B, B, B, V, V, B, B, V, B, B, V, B, B, B, B,
    B, B, B, B, B, B, V, V, V, V, V, V, V, B, B, B, B, B, B, B, B, B, B, B, B, B,
    B, B, B, B, B, B, B, B, B, B, B, B, B, V, V, V, B, B, B, B, B, B, B, B, B, B,
    B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, V, B, V, B, 0, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
};
/* clang-format on */
#undef V
#undef B

static const struct slice names[FIELD_END] = {
#define FIELD_NAME(id, name) [FIELD_##id] = {name, sizeof name - 1},
    FIELD_LIST(FIELD_NAME)
#undef FIELD_NAME
};

/* A perfect hash of the length and the first and last two bytes; letters in lower case.
 * Two names in one slot do not compile (-Woverride-init): choose other factors then. */
#define SLOT(len, first, before_last, last)                                            \
    ((2u * (unsigned)(len) + (unsigned)(first) + 12u * (unsigned)(before_last) +       \
      14u * (unsigned)(last)) %                                                        \
     256u)

static const uint8_t slots[256] = {
    [SLOT(4, 'h', 's', 't')] = FIELD_HOST,
    [SLOT(14, 'c', 't', 'h')] = FIELD_CONTENT_LENGTH,
    [SLOT(17, 't', 'n', 'g')] = FIELD_TRANSFER_ENCODING,
    [SLOT(10, 'c', 'o', 'n')] = FIELD_CONNECTION,
    [SLOT(6, 'e', 'c', 't')] = FIELD_EXPECT,
    [SLOT(7, 'u', 'd', 'e')] = FIELD_UPGRADE,
    [SLOT(2, 't', 't', 'e')] = FIELD_TE,
    [SLOT(7, 't', 'e', 'r')] = FIELD_TRAILER,
    [SLOT(10, 'k', 'v', 'e')] = FIELD_KEEP_ALIVE,
    [SLOT(4, 'd', 't', 'e')] = FIELD_DATE,
    [SLOT(6, 's', 'e', 'r')] = FIELD_SERVER,
    [SLOT(10, 'u', 'n', 't')] = FIELD_USER_AGENT,
    [SLOT(6, 'a', 'p', 't')] = FIELD_ACCEPT,
    [SLOT(15, 'a', 'n', 'g')] = FIELD_ACCEPT_ENCODING,
    [SLOT(15, 'a', 'g', 'e')] = FIELD_ACCEPT_LANGUAGE,
    [SLOT(13, 'a', 'o', 'n')] = FIELD_AUTHORIZATION,
    [SLOT(13, 'c', 'o', 'l')] = FIELD_CACHE_CONTROL,
    [SLOT(12, 'c', 'p', 'e')] = FIELD_CONTENT_TYPE,
    [SLOT(16, 'c', 'n', 'g')] = FIELD_CONTENT_ENCODING,
    [SLOT(6, 'c', 'i', 'e')] = FIELD_COOKIE,
    [SLOT(3, 'd', 'n', 't')] = FIELD_DNT,
    [SLOT(9, 'f', 'e', 'd')] = FIELD_FORWARDED,
    [SLOT(8, 'i', 'c', 'h')] = FIELD_IF_MATCH,
    [SLOT(17, 'i', 'c', 'e')] = FIELD_IF_MODIFIED_SINCE,
    [SLOT(13, 'i', 'c', 'h')] = FIELD_IF_NONE_MATCH,
    [SLOT(6, 'o', 'i', 'n')] = FIELD_ORIGIN,
    [SLOT(6, 'p', 'm', 'a')] = FIELD_PRAGMA,
    [SLOT(8, 'p', 't', 'y')] = FIELD_PRIORITY,
    [SLOT(5, 'r', 'g', 'e')] = FIELD_RANGE,
    [SLOT(7, 'r', 'e', 'r')] = FIELD_REFERER,
    [SLOT(9, 's', 'u', 'a')] = FIELD_SEC_CH_UA,
    [SLOT(16, 's', 'l', 'e')] = FIELD_SEC_CH_UA_MOBILE,
    [SLOT(18, 's', 'r', 'm')] = FIELD_SEC_CH_UA_PLATFORM,
    [SLOT(14, 's', 's', 't')] = FIELD_SEC_FETCH_DEST,
    [SLOT(14, 's', 'd', 'e')] = FIELD_SEC_FETCH_MODE,
    [SLOT(14, 's', 't', 'e')] = FIELD_SEC_FETCH_SITE,
    [SLOT(14, 's', 'e', 'r')] = FIELD_SEC_FETCH_USER,
    [SLOT(24, 's', 'n', 's')] = FIELD_SEC_WEBSOCKET_EXTENSIONS,
    [SLOT(17, 's', 'e', 'y')] = FIELD_SEC_WEBSOCKET_KEY,
    [SLOT(22, 's', 'o', 'l')] = FIELD_SEC_WEBSOCKET_PROTOCOL,
    [SLOT(21, 's', 'o', 'n')] = FIELD_SEC_WEBSOCKET_VERSION,
    [SLOT(11, 't', 'n', 't')] = FIELD_TRACEPARENT,
    [SLOT(25, 'u', 't', 's')] = FIELD_UPGRADE_INSECURE_REQUESTS,
    [SLOT(3, 'v', 'i', 'a')] = FIELD_VIA,
    [SLOT(15, 'x', 'o', 'r')] = FIELD_X_FORWARDED_FOR,
    [SLOT(16, 'x', 's', 't')] = FIELD_X_FORWARDED_HOST,
    [SLOT(16, 'x', 'r', 't')] = FIELD_X_FORWARDED_PORT,
    [SLOT(18, 'x', 'i', 'x')] = FIELD_X_FORWARDED_PREFIX,
    [SLOT(17, 'x', 't', 'o')] = FIELD_X_FORWARDED_PROTO,
    [SLOT(9, 'x', 'i', 'p')] = FIELD_X_REAL_IP,
    [SLOT(12, 'x', 'i', 'd')] = FIELD_X_REQUEST_ID,
    [SLOT(15, 'x', 'r', 't')] = FIELD_X_REQUEST_START,
    [SLOT(16, 'x', 't', 'h')] = FIELD_X_REQUESTED_WITH,
};

/* Read four and two bytes of a name, at any alignment. */
static inline uint32_t
load4(const char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint16_t
load2(const char *p)
{
    uint16_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Returns whether `text` equals `lower` except for the case of letters. Known names
 * consist of letters, digits and "-"; of these only letters have bit 0x40, which,
 * shifted to 0x20, is the bit that may differ. */
static inline bool
words_match(uint64_t text, uint64_t lower)
{
    return (text | ((lower & 0x4040404040404040u) >> 1)) == lower;
}

/* Compares n >= 2 bytes word by word; the last word overlaps the one before, so that
 * nothing outside is read. */
static inline bool
name_matches(const char *text, const char *lower, size_t n)
{
    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8) {
            if (!words_match(word_at(text + i), word_at(lower + i)))
                return false;
        }
        return words_match(word_at(text + n - 8), word_at(lower + n - 8));
    }
    if (n >= 4)
        return words_match(load4(text), load4(lower)) &&
               words_match(load4(text + n - 4), load4(lower + n - 4));
    return words_match(load2(text), load2(lower)) &&
           words_match(load2(text + n - 2), load2(lower + n - 2));
}

enum field_id
field_lookup(struct slice name)
{
    if (name.len < 2)
        return FIELD_OTHER;
    const char *last = name.ptr + name.len - 1;
    enum field_id id = slots[SLOT(name.len, (uint8_t)name.ptr[0] | 0x20u,
                                  (uint8_t)last[-1] | 0x20u, (uint8_t)last[0] | 0x20u)];
    if (names[id].len != name.len || !name_matches(name.ptr, names[id].ptr, name.len))
        return FIELD_OTHER;
    return id;
}

struct slice
field_name(enum field_id id)
{
    assert(id > FIELD_OTHER && id < FIELD_END);
    return names[id];
}

size_t
token_span(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (kinds[(uint8_t)p[i]] & TOKEN) != 0)
        i++;
    return i;
}

size_t
field_value_span(const char *p, size_t n)
{
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= n; i += sizeof(uint64_t)) {
        uint64_t word = word_at(p + i);
        if ((word_less(word, 0x20) | word_equal(word, 0x7f)) != 0)
            break; /* a tab is allowed too */
    }
    while (i < n && (kinds[(uint8_t)p[i]] & VALUE) != 0)
        i++;
    return i;
}

bool
is_token_byte(unsigned char byte)
{
    return (kinds[byte] & TOKEN) != 0;
}

bool
is_token(struct slice s)
{
    return s.len > 0 && token_span(s.ptr, s.len) == s.len;
}

bool
is_field_value(struct slice s)
{
    return field_value_span(s.ptr, s.len) == s.len;
}

bool
field_list_next(struct slice *rest, struct slice *element)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->ptr, ',', rest->len);
        size_t n = comma == NULL ? rest->len : (size_t)(comma - rest->ptr);
        *element = slice_trim(slice_first(*rest, n));
        *rest = slice_skip(*rest, comma == NULL ? n : n + 1);
        if (element->len > 0)
            return true;
    }
    return false;
}

bool
field_list_has(struct slice list, const char *lower)
{
    struct slice element;

    while (field_list_next(&list, &element)) {
        if (slice_equal_folded(element, slice_of(lower)))
            return true;
    }
    return false;
}

bool
field_is_one_of(struct slice name, const char *const *lower, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_equal_folded(name, slice_of(lower[i])))
            return true;
    }
    return false;
}

bool
field_to_number(struct slice s, uint64_t *number)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (uint8_t)s.ptr[i] - (unsigned)'0';
        if (digit > 9 || sum > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return s.len > 0;
}
