/* SPDX-License-Identifier: MIT */
/* static/entry.c — see entry.h for the contract. */
#include "static/entry.h"

#include <assert.h>   /* assert */
#include <inttypes.h> /* PRIx64 */
#include <stdio.h>    /* snprintf */
#include <unistd.h>   /* close */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

/* The coarsest resolution of the times of a file system, in seconds. */
#define NEW_S 2

/* Shorter contents are copied to the output. */
#define LEND_MIN 2048u

static const struct {
    const char *coding; /* the value of Content-Encoding */
    const char *mark;   /* the end of the entity tag */
} encodings[LOAD_ENCODINGS] = {
    [LOAD_IDENTITY] = {"", ""},
    [LOAD_BR] = {"br", "-br"},
    [LOAD_ZSTD] = {"zstd", "-zst"},
    [LOAD_GZIP] = {"gzip", "-gz"},
};

struct entry *
entry_new(struct statics *statics, unsigned mount, struct slice path)
{
    struct entry *entry = mem_alloc(sizeof *entry + path.len + 1);

    if (entry == NULL)
        return NULL;
    *entry = (struct entry){
        .statics = statics,
        .nrefs = 1,
        .mount = mount,
        .path_len = path.len,
    };
    list_init(&entry->node);
    list_init(&entry->waiters);
    if (path.len > 0)
        memcpy(entry->path, path.ptr, path.len);
    entry->path[path.len] = 0;
    return entry;
}

static void
variant_free(struct variant *variant)
{
    if (variant == NULL)
        return;
    if (variant->file != NULL)
        file_release(variant->file);
    mem_free(variant->bytes);
    mem_free(variant);
}

void
entry_release(struct entry *entry)
{
    assert(entry->nrefs > 0);
    if (--entry->nrefs > 0)
        return;
    assert(!entry->is_cached && list_is_empty(&entry->waiters));
    for (int i = 0; i < LOAD_ENCODINGS; i++)
        variant_free(entry->variants[i]);
    mem_free(entry->content_type);
    mem_free(entry);
}

static void
lend_entry(void *owner)
{
    (void)entry_retain(owner);
}

static void
lend_entry_end(void *owner)
{
    entry_release(owner);
}

const struct lender entry_lender = {lend_entry, lend_entry_end, LEND_MIN};

/* ---- Fields ---------------------------------------------------------------------- */

static void
add_value(struct variant *v, enum field_id id, const char *name, struct slice value)
{
    assert(v->nfields < VARIANT_FIELDS_MAX);
    v->fields[v->nfields++] = (struct http_field){
        .name = slice_of(name),
        .value = value,
        .id = id,
    };
}

static void
write_etag(struct variant *v, const struct loaded *file, const char *mark, bool is_weak)
{
    int n =
        snprintf(v->etag, sizeof v->etag, "W/\"%" PRIx64 ".%" PRIx32 "-%" PRIx64 "%s\"",
                 (uint64_t)file->modified_s, file->modified_ns, file->size, mark);

    assert(n > 0 && (size_t)n < sizeof v->etag);
    struct slice text = slice_new(v->etag, narrow_size(n));
    if (!is_weak)
        text = slice_skip(text, 2);
    bool is_etag = etag_read(text, &v->validators.etag);
    assert(is_etag);
    (void)is_etag;
    add_value(v, FIELD_OTHER, "etag", text);
}

/* Returns the path of the file. For a path that ends with "/", this is the path of
 * the index file. */
static struct slice
path_of_file(const struct entry *entry, const struct entry_rules *rules, char *room)
{
    struct slice path = entry_path(entry);

    if (path.len > 0 && path.ptr[path.len - 1] != '/')
        return path;
    if (path.len > 0)
        memcpy(room, path.ptr, path.len);
    if (rules->index.len > 0)
        memcpy(room + path.len, rules->index.ptr, rules->index.len);
    return slice_new(room, path.len + rules->index.len);
}

static void
add_fields(struct entry *entry, struct variant *v, enum load_encoding encoding,
           const struct loaded *file, const struct entry_rules *rules,
           struct slice cache_control)
{
    bool has_others = false;
    bool is_weak = rules->now_s - file->modified_s < NEW_S;
    int64_t date = file->modified_s < DATE_MAX_S ? file->modified_s : DATE_MAX_S;

    for (int i = LOAD_IDENTITY + 1; i < LOAD_ENCODINGS; i++)
        has_others |= entry->variants[i] != NULL;
    add_value(v, FIELD_CONTENT_TYPE, "content-type", slice_of(entry->content_type));
    if (encoding != LOAD_IDENTITY)
        add_value(v, FIELD_CONTENT_ENCODING, "content-encoding",
                  slice_of(encodings[encoding].coding));
    add_value(v, FIELD_OTHER, "accept-ranges", slice_of("bytes"));
    v->kept = v->nfields;
    /* A time that is now or in the future is not sent: it could be later than Date
     * (RFC 9110 8.8.2.1). */
    v->validators.modified_s = date < rules->now_s ? date : -1;
    if (v->validators.modified_s >= 0)
        add_value(v, FIELD_OTHER, "last-modified", date_write(v->date, date));
    write_etag(v, file, encodings[encoding].mark, is_weak);
    if (cache_control.len > 0)
        add_value(v, FIELD_CACHE_CONTROL, "cache-control", cache_control);
    if (has_others)
        add_value(v, FIELD_OTHER, "vary", slice_of("accept-encoding"));
    v->nkept = (uint8_t)(v->nfields - v->kept);
    (void)snprintf(v->length, sizeof v->length, "%" PRIu64, v->size);
    add_value(v, FIELD_CONTENT_LENGTH, "content-length", slice_of(v->length));
}

/* ---- Filling --------------------------------------------------------------------- */

/* Takes ownership of a file. Returns false if there is no memory. */
static bool
take_file(struct entry *entry, struct loaded *file, enum load_encoding encoding)
{
    struct variant *v = mem_calloc(1, sizeof *v);

    if (v == NULL)
        return false;
    entry->variants[encoding] = v;
    v->size = file->size;
    if (file->bytes != NULL) {
        v->bytes = file->bytes;
        file->bytes = NULL;
        entry->nbytes += v->size;
        return true;
    }
    assert(file->fd >= 0);
    v->file = file_new(file->fd);
    if (v->file == NULL)
        return false;
    file->fd = -1;
    entry->nfiles++;
    return true;
}

/* Finds the media type of the file. */
static bool
find_content_type(struct entry *entry, const struct entry_rules *rules,
                  struct slice path)
{
    struct slice charset, type = types_find(rules->types, path, &charset);

    entry->content_type = mem_alloc(type.len + charset.len + 1);
    if (entry->content_type == NULL)
        return false;
    (void)snprintf(entry->content_type, type.len + charset.len + 1, "%.*s%.*s",
                   (int)type.len, type.ptr, (int)charset.len, charset.ptr);
    return true;
}

static int
fill_file(struct entry *entry, struct load *load, const struct entry_rules *rules)
{
    char room[PATH_BYTES_MAX + PATH_NAME_MAX + 1];
    struct slice path = path_of_file(entry, rules, room);
    struct slice value = pattern_find(rules->rules, rules->nrules, path);

    assert(load->files[LOAD_IDENTITY].is_there);
    if (!find_content_type(entry, rules, path))
        return ERR_NOMEM;
    for (int i = 0; i < LOAD_ENCODINGS; i++) {
        if (load->files[i].is_there &&
            !take_file(entry, &load->files[i], (enum load_encoding)i))
            return ERR_NOMEM;
    }
    for (int i = 0; i < LOAD_ENCODINGS; i++) {
        if (entry->variants[i] != NULL)
            add_fields(entry, entry->variants[i], (enum load_encoding)i,
                       &load->files[i], rules, value);
    }
    return 0;
}

int
entry_fill(struct entry *entry, struct load *load, const struct entry_rules *rules)
{
    static const enum entry_kind kinds[] = {
        [LOAD_FILE] = ENTRY_FILE,       [LOAD_DIRECTORY] = ENTRY_DIRECTORY,
        [LOAD_MISSING] = ENTRY_MISSING, [LOAD_FORBIDDEN] = ENTRY_FORBIDDEN,
        [LOAD_BUSY] = ENTRY_BUSY,       [LOAD_FAILED] = ENTRY_FAILED,
    };

    assert(entry->kind == ENTRY_LOADING && load->kind <= LOAD_FAILED);
    entry->kind = (uint8_t)kinds[load->kind];
    if (load->kind != LOAD_FILE)
        return 0;
    int err = fill_file(entry, load, rules);
    if (err != 0)
        entry->kind = ENTRY_BUSY;
    return err;
}
