/* SPDX-License-Identifier: MIT */
/* http/cache_control.c — see cache_control.h for the contract. */
#include "http/cache_control.h"

#include <assert.h> /* assert */
#include <stddef.h> /* offsetof */

#include "base/compiler.h"

#define NO_MEMBER SIZE_MAX

/* Describes a directive: where its number and its flag are stored. */
static const struct directive {
    const char *name;
    size_t number; /* NO_MEMBER: it has none */
    size_t flag;
    uint32_t invalid; /* what a malformed or missing number means */
} directives[] = {
#define AT(member) offsetof(struct cache_control, member)
    {"max-age", AT(max_age), NO_MEMBER, 0},
    {"s-maxage", AT(s_maxage), NO_MEMBER, 0},
    {"stale-while-revalidate", AT(stale_while_revalidate), NO_MEMBER, 0},
    {"stale-if-error", AT(stale_if_error), NO_MEMBER, 0},
    {"min-fresh", AT(min_fresh), NO_MEMBER, CACHE_SECONDS_MAX},
    {"max-stale", AT(max_stale), NO_MEMBER, CACHE_SECONDS_MAX},
    {"no-cache", NO_MEMBER, AT(no_cache), 0},
    {"no-store", NO_MEMBER, AT(no_store), 0},
    {"only-if-cached", NO_MEMBER, AT(only_if_cached), 0},
    {"private", NO_MEMBER, AT(is_private), 0},
    {"public", NO_MEMBER, AT(is_public), 0},
    {"must-revalidate", NO_MEMBER, AT(must_revalidate), 0},
    {"proxy-revalidate", NO_MEMBER, AT(proxy_revalidate), 0},
    {"must-understand", NO_MEMBER, AT(must_understand), 0},
#undef AT
};

void
cache_control_init(struct cache_control *cc)
{
    *cc = (struct cache_control){
        .max_age = CACHE_SECONDS_NONE,
        .s_maxage = CACHE_SECONDS_NONE,
        .min_fresh = CACHE_SECONDS_NONE,
        .max_stale = CACHE_SECONDS_NONE,
        .stale_while_revalidate = CACHE_SECONDS_NONE,
        .stale_if_error = CACHE_SECONDS_NONE,
    };
}

bool
cache_seconds(struct slice text, uint32_t *seconds)
{
    uint64_t n = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.ptr[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        n = n * 10 + digit;
        n = n < CACHE_SECONDS_MAX ? n : CACHE_SECONDS_MAX;
    }
    *seconds = (uint32_t)n;
    assert(*seconds <= CACHE_SECONDS_MAX);
    return true;
}

/* Returns the length of the element at the start of `rest`: up to the next comma that
 * is not quoted. A quoted string that has no end extends to the end. */
static size_t
element_span(struct slice rest)
{
    bool is_quoted = false;

    for (size_t i = 0; i < rest.len; i++) {
        char byte = rest.ptr[i];
        if (is_quoted && byte == '\\')
            i++;
        else if (byte == '"')
            is_quoted = !is_quoted;
        else if (byte == ',' && !is_quoted)
            return i;
    }
    return rest.len;
}

/* Removes the quotes of "60"; other text is left as it is. */
static struct slice
unquote(struct slice text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return slice_cut(text, 1, text.len - 1);
    return text;
}

static void
set_number(const struct directive *d, struct cache_control *cc, struct slice text)
{
    uint32_t seconds, *member = (uint32_t *)(void *)((char *)cc + d->number);

    if (*member != CACHE_SECONDS_NONE)
        return;
    *member = cache_seconds(unquote(text), &seconds) ? seconds : d->invalid;
    assert(*member != CACHE_SECONDS_NONE);
}

static void
read_directive(struct cache_control *cc, struct slice element)
{
    struct slice name = element, text = {"", 0};
    const char *equals = element.len > 0 ? memchr(element.ptr, '=', element.len) : NULL;

    if (equals != NULL) {
        name = slice_first(element, (size_t)(equals - element.ptr));
        text = slice_skip(element, name.len + 1);
    }
    /* "max-age = 60" is malformed. It is still taken for a lifetime, an invalid one. */
    bool is_malformed = slice_trim(name).len != name.len;
    for (size_t i = 0; i < COUNT(directives); i++) {
        const struct directive *d = &directives[i];
        if (!slice_equal_folded(slice_trim(name), slice_of(d->name)))
            continue;
        cc->is_present = true;
        if (d->number != NO_MEMBER)
            set_number(d, cc, is_malformed ? slice_of("") : text);
        else
            *((bool *)cc + d->flag) = true;
        return;
    }
}

void
cache_control_read(struct cache_control *cc, struct slice value)
{
    while (value.len > 0) {
        size_t n = element_span(value);
        assert(n <= value.len);
        read_directive(cc, slice_trim(slice_first(value, n)));
        value = slice_skip(value, n < value.len ? n + 1 : n);
    }
}

uint32_t
cache_age(struct slice value)
{
    uint32_t seconds;
    size_t n = element_span(value);

    return cache_seconds(slice_trim(slice_first(value, n)), &seconds) ? seconds : 0;
}
