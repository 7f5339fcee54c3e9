/* SPDX-License-Identifier: MIT */
/* quic/ids.h — connection IDs (RFC 9000 5.1): creates our IDs, finds the connection
 * of an ID, and computes the tokens of stateless resets. */
#ifndef QUIC_IDS_H
#define QUIC_IDS_H

#include <stdint.h> /* uint8_t */

#include <ngtcp2/ngtcp2.h>

#include "base/compiler.h" /* MUST_USE */
#include "base/hash.h"     /* struct hash_key */
#include "base/slice.h"    /* struct slice */

struct quic_algorithms;

/* Bytes of our connection IDs: the seat of the worker, XORed with a mask, as 4 bytes
 * in network byte order, then random bytes. If the first 4 bytes contain no seat,
 * the ID was chosen by a client; quic/steering.h distributes such packets by the ID. */
#define QUIC_ID_BYTES 12u
#define QUIC_ID_SEAT_BYTES 4u

/* Bytes of the key of stateless resets. */
#define QUIC_RESET_KEY_BYTES 32u

struct quic_ids_entry;

/* A hash table from connection IDs to connections, with open addressing. All zero:
 * empty. */
struct quic_ids {
    struct quic_ids_entry *entries; /* owned */
    size_t cap;                     /* a power of two, or 0 */
    size_t used;                    /* entries that have been used since the table
                                       last grew */
    size_t n;                       /* IDs in it */
    struct hash_key key;            /* random; changes when the table grows */
};

/* Derives the mask of seats from the secret that all workers share. Returns 0 or
 * ERR_NOMEM. */
MUST_USE int quic_seat_mask(uint32_t *out, struct slice secret);

/* Fills in a new connection ID that leads to the worker with `seat`. Returns 0 or
 * ERR_IO: there is no randomness. */
MUST_USE int quic_id_make(ngtcp2_cid *out, uint32_t mask, uint16_t seat);

/* Computes the token by which a peer recognizes a stateless reset of `id` (RFC 9000
 * 10.3.2); the same in all workers with the same key. Returns 0 or ERR_NOMEM. */
MUST_USE int quic_reset_token(uint8_t out[NGTCP2_STATELESS_RESET_TOKENLEN],
                              const struct quic_algorithms *algorithms,
                              const uint8_t key[QUIC_RESET_KEY_BYTES], struct slice id);

/* Returns the connection of `id`, or NULL. */
void *quic_ids_find(const struct quic_ids *ids, struct slice id);

/* Adds an ID of a connection, at most NGTCP2_MAX_CIDLEN bytes. Returns 0 or ERR_NOMEM;
 * an ID that is in the table already keeps its connection, and ERR_CLOSED is
 * returned. */
MUST_USE int quic_ids_add(struct quic_ids *ids, struct slice id, void *connection);

/* Removes an ID, if it is in the table. */
void quic_ids_remove(struct quic_ids *ids, struct slice id);

/* Removes all IDs of a connection, by a search of the whole table. */
void quic_ids_remove_all(struct quic_ids *ids, const void *connection);

void quic_ids_fini(struct quic_ids *ids);

#endif
