/* SPDX-License-Identifier: MIT */
/* static/types.c — see types.h for the contract. */
#include "static/types.h"

#include <assert.h>  /* assert */
#include <stdbool.h> /* bool */
#include <stdlib.h>  /* bsearch, qsort */

#include "base/err.h"
#include "base/mem.h"
#include "http/field.h"

struct types_row {
    struct slice ending; /* in any case */
    struct slice type;
    size_t number; /* of the row in the text */
};

/* Types on which web software agrees, sorted by suffix. The types of systems for
 * these suffixes are often outdated. */
static const struct {
    char ending[12];
    const char *type;
} known[] = {
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"br", "application/octet-stream"},
    {"cjs", "text/javascript"},
    {"css", "text/css"},
    {"csv", "text/csv"},
    {"eot", "application/vnd.ms-fontobject"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"ico", "image/x-icon"},
    {"ics", "text/calendar"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"jxl", "image/jxl"},
    {"m4a", "audio/mp4"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown"},
    {"mjs", "text/javascript"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"rss", "application/rss+xml"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain"},
    {"vtt", "text/vtt"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "text/xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

static int
compare_folded(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int x = byte_lower((uint8_t)a.ptr[i]), y = byte_lower((uint8_t)b.ptr[i]);
        if (x != y)
            return x - y;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int
compare_rows(const void *a, const void *b)
{
    const struct types_row *x = a, *y = b;
    int order = compare_folded(x->ending, y->ending);

    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

/* Removes the next word from the front of `line`. */
static bool
types_take_word(struct slice *line, struct slice *word)
{
    size_t n = 0;

    *line = slice_trim(*line);
    while (n < line->len && line->ptr[n] != ' ' && line->ptr[n] != '\t')
        n++;
    *word = slice_first(*line, n);
    *line = slice_skip(*line, n);
    return n > 0;
}

static bool
take_line(struct slice *text, struct slice *line)
{
    if (text->len == 0)
        return false;
    const char *lf = memchr(text->ptr, '\n', text->len);
    size_t n = lf == NULL ? text->len : (size_t)(lf - text->ptr);
    *line = slice_first(*text, n);
    *text = slice_skip(*text, lf == NULL ? n : n + 1);
    if (line->len > 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    const char *hash = line->len == 0 ? NULL : memchr(line->ptr, '#', line->len);
    if (hash != NULL)
        line->len = (size_t)(hash - line->ptr);
    return true;
}

/* Returns whether `text` is type "/" subtype (RFC 9110 8.3.1). */
static bool
is_media_type(struct slice s)
{
    const char *slash = s.len == 0 ? NULL : memchr(s.ptr, '/', s.len);

    if (slash == NULL)
        return false;
    size_t n = (size_t)(slash - s.ptr);
    return is_token(slice_first(s, n)) && is_token(slice_skip(s, n + 1));
}

/* Reads the rows. Returns their number; stores them if `rows` is not NULL. */
static size_t
read_rows(struct slice text, struct types_row *rows)
{
    struct slice line, type, ending;
    size_t n = 0;

    while (take_line(&text, &line)) {
        if (!types_take_word(&line, &type) || type.len > TYPES_TYPE_MAX ||
            !is_media_type(type))
            continue;
        while (types_take_word(&line, &ending)) {
            if (ending.len > TYPES_ENDING_MAX)
                continue;
            if (rows != NULL)
                rows[n] = (struct types_row){ending, type, n};
            n++;
        }
    }
    return n;
}

int
types_init(struct types *types, struct slice text)
{
    size_t n = read_rows(text, NULL);

    *types = (struct types){0};
    if (n == 0)
        return 0;
    types->rows = mem_calloc(n, sizeof *types->rows);
    if (types->rows == NULL)
        return ERR_NOMEM;
    types->nrows = read_rows(text, types->rows);
    assert(types->nrows == n);
    qsort(types->rows, n, sizeof *types->rows, compare_rows);
    return 0;
}

void
types_fini(struct types *types)
{
    mem_free(types->rows);
    *types = (struct types){0};
}

static int
compare_known(const void *key, const void *row)
{
    return compare_folded(*(const struct slice *)key, slice_of(row));
}

/* Returns the first of the rows with `ending`, or NULL. */
static const struct types_row *
find_row(const struct types *types, struct slice ending)
{
    size_t low = 0, high = types->nrows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_folded(types->rows[middle].ending, ending) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low <= types->nrows);
    if (low == types->nrows || compare_folded(types->rows[low].ending, ending) != 0)
        return NULL;
    return &types->rows[low];
}

static struct slice
find_type(const struct types *types, struct slice ending)
{
    const char *row =
        bsearch(&ending, known, COUNT(known), sizeof known[0], compare_known);
    if (row != NULL)
        return slice_of(
            known[(row - known[0].ending) / (ptrdiff_t)sizeof known[0]].type);
    const struct types_row *found = find_row(types, ending);
    return found != NULL ? found->type : slice_of("application/octet-stream");
}

static bool
is_text_type(struct slice type)
{
    return type.len > 5 && slice_equal_folded(slice_first(type, 5), slice_of("text/"));
}

struct slice
types_find(const struct types *types, struct slice name, struct slice *charset)
{
    struct slice ending = {"", 0};

    for (size_t i = name.len; i > 0 && name.ptr[i - 1] != '/'; i--) {
        if (name.ptr[i - 1] == '.') {
            ending = slice_skip(name, i);
            break;
        }
    }
    struct slice type = ending.len > 0 && ending.len <= TYPES_ENDING_MAX
                            ? find_type(types, ending)
                            : slice_of("application/octet-stream");
    *charset = is_text_type(type) ? slice_of("; charset=utf-8") : slice_of("");
    return type;
}
