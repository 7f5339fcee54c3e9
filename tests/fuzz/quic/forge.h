/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/forge.h — QUIC packets with any contents, encrypted with the keys of a
 * client (RFC 9000 17, RFC 9001 5). */
#ifndef FUZZ_QUIC_FORGE_H
#define FUZZ_QUIC_FORGE_H

#include <ngtcp2/ngtcp2.h>
#include <stdbool.h> /* bool */

#include "base/slice.h"      /* struct slice */
#include "quic/protection.h" /* struct quic_keys */
#include "session/script.h"

/* Kinds of packets with a long header, numbered as in version 1. */
enum forge_kind {
    FORGE_INITIAL = 0,
    FORGE_0RTT,
    FORGE_HANDSHAKE,
    FORGE_SHORT = 4, /* a packet of 1-RTT */
};

struct forge_packet {
    enum forge_kind kind;
    uint32_t version;
    ngtcp2_cid dcid, scid; /* any lengths up to 255: only NGTCP2_MAX_CIDLEN are kept */
    struct slice token;    /* of FORGE_INITIAL */
    uint32_t number;
    bool key_phase; /* of FORGE_SHORT */
    struct slice frames;
};

/* The keys of one direction with their algorithms. */
struct forge_keys {
    ngtcp2_crypto_ctx suite;
    struct quic_keys keys;
};

/* Sets the client's keys of Initial packets. The caller frees them with
 * quic_keys_clear(). */
void forge_initial_keys(struct forge_keys *out, uint32_t version,
                        const ngtcp2_cid *dcid);

/* Writes an encrypted packet to out[0, room). Returns its length; 0: too little room. */
size_t forge_write(uint8_t *out, size_t room, const struct forge_packet *packet,
                   const struct forge_keys *keys);

/* Writes frames as the script says to out[0, room). `hello` is what CRYPTO frames
 * contain. Returns their length, at least 4. */
size_t forge_frames(struct script *script, uint8_t *out, size_t room,
                    enum forge_kind kind, struct slice hello);

#endif
