/* SPDX-License-Identifier: MIT */
/* quic/ids.c — see ids.h for the contract. */
#include "quic/ids.h"

#include <assert.h> /* assert */
#include <string.h> /* memcpy */

#include <openssl/rand.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "quic/protection.h"

#define CAP_AT_FIRST 64u

enum entry_state {
    ENTRY_FREE = 0,
    ENTRY_USED,
    ENTRY_REMOVED, /* a search continues after it */
};

struct quic_ids_entry {
    void *connection;
    uint8_t state; /* enum entry_state */
    uint8_t len;
    uint8_t id[NGTCP2_MAX_CIDLEN];
};

static uint32_t
load_word(const uint8_t bytes[QUIC_ID_SEAT_BYTES])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

static void
store_word(uint8_t out[QUIC_ID_SEAT_BYTES], uint32_t word)
{
    for (unsigned i = 0; i < QUIC_ID_SEAT_BYTES; i++)
        out[i] = (uint8_t)(word >> (24 - 8 * i));
}

int
quic_seat_mask(uint32_t *out, struct slice secret)
{
    uint8_t bytes[QUIC_ID_SEAT_BYTES];
    int err = quic_expand(bytes, sizeof bytes, secret, "bolide quic seat");

    *out = err == 0 ? load_word(bytes) : 0;
    return err;
}

int
quic_id_make(ngtcp2_cid *out, uint32_t mask, uint16_t seat)
{
    out->datalen = QUIC_ID_BYTES;
    store_word(out->data, mask ^ seat);
    return RAND_bytes(out->data + QUIC_ID_SEAT_BYTES,
                      QUIC_ID_BYTES - QUIC_ID_SEAT_BYTES) == 1
               ? 0
               : ERR_IO;
}

int
quic_reset_token(uint8_t out[NGTCP2_STATELESS_RESET_TOKENLEN],
                 const struct quic_algorithms *algorithms,
                 const uint8_t key[QUIC_RESET_KEY_BYTES], struct slice id)
{
    return quic_hmac(out, NGTCP2_STATELESS_RESET_TOKENLEN, algorithms,
                     slice_new((const char *)key, QUIC_RESET_KEY_BYTES), id);
}

static size_t
hash_id(const struct quic_ids *ids, struct slice id)
{
    return (size_t)hash_bytes(&ids->key, id);
}

static bool
is_entry(const struct quic_ids_entry *entry, struct slice id)
{
    return entry->state == ENTRY_USED && entry->len == id.len &&
           memcmp(entry->id, id.ptr, id.len) == 0;
}

/* Returns the entry of `id`, or NULL. */
static struct quic_ids_entry *
find_id_entry(const struct quic_ids *ids, struct slice id)
{
    if (ids->cap == 0)
        return NULL;
    for (size_t i = hash_id(ids, id) & (ids->cap - 1);; i = (i + 1) & (ids->cap - 1)) {
        struct quic_ids_entry *entry = &ids->entries[i];
        if (entry->state == ENTRY_FREE)
            return NULL;
        if (is_entry(entry, id))
            return entry;
    }
}

static void
put_entry(struct quic_ids *ids, struct slice id, void *connection)
{
    size_t i = hash_id(ids, id) & (ids->cap - 1);

    while (ids->entries[i].state == ENTRY_USED)
        i = (i + 1) & (ids->cap - 1);
    struct quic_ids_entry *entry = &ids->entries[i];
    if (entry->state == ENTRY_FREE)
        ids->used++;
    entry->state = ENTRY_USED;
    entry->connection = connection;
    entry->len = narrow_u8(id.len);
    memcpy(entry->id, id.ptr, id.len);
    ids->n++;
    assert(ids->used < ids->cap); /* a search ends at a free entry */
}

/* Makes room for one more entry. Drops removed entries. */
static int
make_room_for_entry(struct quic_ids *ids)
{
    size_t cap = ids->cap == 0 ? CAP_AT_FIRST : ids->cap;

    if (ids->cap != 0 && (ids->used + 1) * 2 <= ids->cap)
        return 0;
    while ((ids->n + 1) * 4 > cap)
        cap *= 2;
    struct quic_ids grown = {
        .entries = mem_calloc(cap, sizeof *grown.entries),
        .cap = cap,
    };
    if (grown.entries == NULL)
        return ERR_NOMEM;
    if (RAND_bytes((uint8_t *)&grown.key, sizeof grown.key) != 1) {
        mem_free(grown.entries);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < ids->cap; i++) {
        const struct quic_ids_entry *entry = &ids->entries[i];
        if (entry->state == ENTRY_USED)
            put_entry(&grown, slice_new((const char *)entry->id, entry->len),
                      entry->connection);
    }
    mem_free(ids->entries);
    *ids = grown;
    return 0;
}

void *
quic_ids_find(const struct quic_ids *ids, struct slice id)
{
    const struct quic_ids_entry *entry = find_id_entry(ids, id);

    return entry != NULL ? entry->connection : NULL;
}

int
quic_ids_add(struct quic_ids *ids, struct slice id, void *connection)
{
    assert(id.len <= NGTCP2_MAX_CIDLEN && connection != NULL);
    if (find_id_entry(ids, id) != NULL)
        return ERR_CLOSED;
    int err = make_room_for_entry(ids);
    if (err == 0)
        put_entry(ids, id, connection);
    return err;
}

void
quic_ids_remove(struct quic_ids *ids, struct slice id)
{
    struct quic_ids_entry *entry = find_id_entry(ids, id);

    if (entry == NULL)
        return;
    entry->state = ENTRY_REMOVED;
    ids->n--;
}

void
quic_ids_remove_all(struct quic_ids *ids, const void *connection)
{
    for (size_t i = 0; i < ids->cap; i++) {
        struct quic_ids_entry *entry = &ids->entries[i];
        if (entry->state != ENTRY_USED || entry->connection != connection)
            continue;
        entry->state = ENTRY_REMOVED;
        ids->n--;
    }
}

void
quic_ids_fini(struct quic_ids *ids)
{
    mem_free(ids->entries);
    *ids = (struct quic_ids){.n = 0};
}
