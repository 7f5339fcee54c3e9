/* SPDX-License-Identifier: MIT */
/* tests/c/test_quic_ids.c — connection IDs, and which connection each belongs to. */
#include "quic/ids.c"

#include "tap.h"

#define MANY 5000u

static struct slice
text_of(const ngtcp2_cid *id)
{
    return slice_new((const char *)id->data, id->datalen);
}

static void
test_an_id_names_its_worker(void)
{
    const uint32_t mask = 0x12345678;
    ngtcp2_cid one, two;

    is(quic_id_make(&one, mask, 7), 0, "made");
    is(quic_id_make(&two, mask, 7), 0, "made");
    is(one.datalen, QUIC_ID_BYTES, "its length");
    ok(memcmp(one.data, "\x12\x34\x56\x7f", 4) == 0, "the seat, with the mask");
    ok(memcmp(one.data, two.data, QUIC_ID_BYTES) != 0, "the rest is random");
}

static void
test_workers_with_one_secret_have_one_mask(void)
{
    uint32_t one, two;

    is(quic_seat_mask(&one, slice_of("a secret of the supervisor")), 0, "a mask");
    is(quic_seat_mask(&two, slice_of("a secret of the supervisor")), 0, "again");
    is(one, two, "is the same");
    is(quic_seat_mask(&two, slice_of("a secret of another one")), 0, "of another");
    ok(one != two, "is another one");
}

static void
test_a_token_belongs_to_key_and_id(void)
{
    static const uint8_t key[QUIC_RESET_KEY_BYTES] = {1};
    static const uint8_t other[QUIC_RESET_KEY_BYTES] = {2};
    struct quic_algorithms algorithms;
    uint8_t a[16], b[16];

    is(quic_algorithms_init(&algorithms), 0, "the algorithms");
    is(quic_reset_token(a, &algorithms, key, slice_of("one")), 0, "a token");
    is(quic_reset_token(b, &algorithms, key, slice_of("one")), 0, "again");
    ok(memcmp(a, b, 16) == 0, "is the same in another worker");
    is(quic_reset_token(b, &algorithms, key, slice_of("two")), 0, "of another ID");
    ok(memcmp(a, b, 16) != 0, "is another one");
    is(quic_reset_token(b, &algorithms, other, slice_of("one")), 0, "with another key");
    ok(memcmp(a, b, 16) != 0, "is another one");
    is(quic_reset_token(b, &algorithms, key, slice_of("one")), 0, "with the first key");
    ok(memcmp(a, b, 16) == 0, "is the first one");
    quic_algorithms_fini(&algorithms);
}

/* Thousands come and go: each is found as long as it is in the table. */
static void
test_many_are_added_and_removed(void)
{
    static ngtcp2_cid ids[MANY];
    struct quic_ids table = {.n = 0};
    unsigned wrong = 0;

    ok(quic_ids_find(&table, slice_of("none")) == NULL, "nothing is in an empty table");
    quic_ids_remove(&table, slice_of("none"));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MANY; i++)
            wrong += quic_id_make(&ids[i], 0, 0) != 0 ||
                     quic_ids_add(&table, text_of(&ids[i]), &ids[i]) != 0;
        is(table.n, MANY, "all were added");
        for (unsigned i = 0; i < MANY; i += 2)
            quic_ids_remove(&table, text_of(&ids[i]));
        for (unsigned i = 0; i < MANY; i++)
            wrong += quic_ids_find(&table, text_of(&ids[i])) !=
                     (i % 2 == 0 ? NULL : &ids[i]);
        for (unsigned i = 1; i < MANY; i += 2)
            quic_ids_remove(&table, text_of(&ids[i]));
        is(table.n, 0, "all were removed");
    }
    is(wrong, 0, "each was found exactly while it was in the table");
    ok(table.cap <= 8 * MANY, "removed entries are dropped: %zu", table.cap);
    quic_ids_fini(&table);
}

static void
test_an_id_has_one_connection(void)
{
    struct quic_ids table = {.n = 0};
    int one, two;

    is(quic_ids_add(&table, slice_of("same"), &one), 0, "added");
    is(quic_ids_add(&table, slice_of("same"), &two), ERR_CLOSED, "not twice");
    ok(quic_ids_find(&table, slice_of("same")) == &one, "the first one keeps it");
    is(quic_ids_add(&table, slice_of(""), &two), 0, "an empty one is an ID too");
    ok(quic_ids_find(&table, slice_of("")) == &two, "and is found");
    quic_ids_fini(&table);
    mem_fail_at(1);
    is(quic_ids_add(&table, slice_of("same"), &one), ERR_NOMEM, "there is no memory");
    mem_fail_at(0);
    is(table.n, 0, "and nothing was added");
}

static void
test_all_ids_of_a_connection_are_removed(void)
{
    struct quic_ids table = {.n = 0};
    int one = 1, two = 2;

    quic_ids_remove_all(&table, &one);
    is(quic_ids_add(&table, slice_of("a"), &one), 0, "one");
    is(quic_ids_add(&table, slice_of("b"), &two), 0, "one of another connection");
    is(quic_ids_add(&table, slice_of("c"), &one), 0, "another one");
    quic_ids_remove(&table, slice_of("c"));
    quic_ids_remove_all(&table, &one);
    is(table.n, 1, "one ID is left");
    ok(quic_ids_find(&table, slice_of("b")) == &two, "of the other connection");
    quic_ids_fini(&table);
}

/* The place of an ID in one table says nothing about its place in another. */
static void
test_places_depend_on_a_secret(void)
{
    struct quic_ids one = {.n = 0}, two = {.n = 0};
    unsigned same = 0;
    char id[] = "client 0";

    is(quic_ids_add(&one, slice_of("first"), &one), 0, "a table");
    is(quic_ids_add(&two, slice_of("first"), &two), 0, "another one");
    for (char i = 0; i < 64; i++) {
        id[7] = i;
        same += hash_id(&one, slice_new(id, 8)) == hash_id(&two, slice_new(id, 8));
    }
    is(same, 0, "no ID has the same hash in both");
    quic_ids_remove(&one, slice_of("first"));
    quic_ids_remove(&two, slice_of("first"));
    quic_ids_fini(&one);
    quic_ids_fini(&two);
}

int
main(void)
{
    test_places_depend_on_a_secret();
    test_an_id_names_its_worker();
    test_workers_with_one_secret_have_one_mask();
    test_a_token_belongs_to_key_and_id();
    test_many_are_added_and_removed();
    test_an_id_has_one_connection();
    test_all_ids_of_a_connection_are_removed();
    return tap_done();
}
