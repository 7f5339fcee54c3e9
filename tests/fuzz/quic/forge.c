/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/forge.c — see forge.h. */
#include "quic/forge.h"

#include <string.h> /* memcpy */

#include "base/compiler.h"
#include "quic/client_tls.h" /* client_algorithms */

#define NUMBER_BYTES 4u
#define HEAD_MAX 256u

static size_t
put_bytes(uint8_t *at, size_t n, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(at + n, bytes, len);
    return n + len;
}

/* A number of variable length (RFC 9000 16). */
static size_t
put_number(uint8_t *at, size_t n, uint64_t value)
{
    unsigned log = value < 64 ? 0 : value < 16384 ? 1 : value < 1u << 30 ? 2 : 3;
    const unsigned len = 1u << log;

    for (unsigned i = 0; i < len; i++)
        at[n + i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    at[n] |= (uint8_t)(log << 6);
    return n + len;
}

/* Packets */

void
forge_initial_keys(struct forge_keys *out, uint32_t version, const ngtcp2_cid *dcid)
{
    struct quic_keys server;

    out->suite = quic_suite(client_algorithms(), AES_128_GCM_SHA256);
    CHECK(quic_keys_initial(client_algorithms(), version, dcid, &out->keys, &server) ==
          0);
    quic_keys_clear(&server);
}

static size_t
put_id(uint8_t *at, size_t n, const ngtcp2_cid *id)
{
    at[n++] = (uint8_t)id->datalen;
    return put_bytes(at, n, id->data, id->datalen);
}

/* Writes the header up to the packet number, and returns its length. */
static size_t
put_header(uint8_t *out, const struct forge_packet *packet)
{
    const bool is_v2 = packet->version == NGTCP2_PROTO_VER_V2;
    const size_t len = NUMBER_BYTES + packet->frames.len + QUIC_TAG_BYTES;
    size_t n = 0;

    if (packet->kind == FORGE_SHORT) {
        out[n++] = (uint8_t)(0x40 | (packet->key_phase ? 4 : 0) | (NUMBER_BYTES - 1));
        return put_bytes(out, n, packet->dcid.data, packet->dcid.datalen);
    }
    out[n++] = (uint8_t)(0xc0 | (((unsigned)packet->kind + is_v2) % 4) << 4 |
                         (NUMBER_BYTES - 1));
    for (unsigned i = 0; i < 4; i++)
        out[n++] = (uint8_t)(packet->version >> (24 - 8 * i));
    n = put_id(out, n, &packet->dcid);
    n = put_id(out, n, &packet->scid);
    if (packet->kind == FORGE_INITIAL) {
        n = put_number(out, n, packet->token.len);
        n = put_bytes(out, n, packet->token.ptr, packet->token.len);
    }
    out[n++] = (uint8_t)(0x40 | len >> 8);
    out[n++] = (uint8_t)len;
    return n;
}

/* Header protection (RFC 9001 5.4). */
static void
protect(uint8_t *out, size_t at, const struct forge_keys *keys, bool is_short)
{
    uint8_t mask[16];
    ngtcp2_callbacks callbacks;

    quic_set_protection(&callbacks);
    CHECK(callbacks.hp_mask(mask, &keys->suite.hp, &keys->keys.header,
                            out + at + NUMBER_BYTES) == 0);
    out[0] ^= mask[0] & (is_short ? 0x1f : 0x0f);
    for (unsigned i = 0; i < NUMBER_BYTES; i++)
        out[at + i] ^= mask[1 + i];
}

size_t
forge_write(uint8_t *out, size_t room, const struct forge_packet *packet,
            const struct forge_keys *keys)
{
    uint8_t nonce[QUIC_NONCE_BYTES];
    ngtcp2_callbacks callbacks;

    CHECK(packet->frames.len >= NUMBER_BYTES && packet->frames.len < 0x3f00);
    if (room < HEAD_MAX + packet->frames.len + QUIC_TAG_BYTES)
        return 0;
    size_t at = put_header(out, packet);
    CHECK(at + NUMBER_BYTES <= HEAD_MAX);
    size_t n = at;
    memcpy(nonce, keys->keys.iv, sizeof nonce);
    for (unsigned i = 0; i < NUMBER_BYTES; i++) {
        out[n] = (uint8_t)(packet->number >> (24 - 8 * i));
        nonce[QUIC_NONCE_BYTES - NUMBER_BYTES + i] ^= out[n++];
    }
    quic_set_protection(&callbacks);
    CHECK(callbacks.encrypt(out + n, &keys->suite.aead, &keys->keys.aead,
                            (const uint8_t *)packet->frames.ptr, packet->frames.len,
                            nonce, sizeof nonce, out, n) == 0);
    protect(out, at, keys, packet->kind == FORGE_SHORT);
    return n + packet->frames.len + QUIC_TAG_BYTES;
}

/* Frames */

/* A number that means something in some frame, or is at a limit. */
static uint64_t
choose_number(struct script *script)
{
    static const uint64_t numbers[] = {
        0,
        1,
        2,
        3,
        4,
        8,
        63,
        64,
        1000,
        16383,
        16384,
        65536,
        1u << 20,
        1u << 30,
        (UINT64_C(1) << 60),
        (UINT64_C(1) << 62) - 1,
    };
    const unsigned choice = script_byte(script);

    return choice < 192 ? numbers[choice % COUNT(numbers)] : choice - 192;
}

static size_t
put_ack(struct script *script, uint8_t *at, size_t n)
{
    const unsigned nranges = script_choice(script, 4);

    at[n++] = (uint8_t)(2 + script_choice(script, 2));
    const bool has_ecn = at[n - 1] == 3;
    n = put_number(at, n, choose_number(script));
    n = put_number(at, n, choose_number(script));
    n = put_number(at, n, script_choice(script, 8) == 0 ? 200 : nranges);
    n = put_number(at, n, choose_number(script));
    for (unsigned i = 0; i < nranges * 2; i++)
        n = put_number(at, n, script_choice(script, 4));
    for (unsigned i = 0; i < 3 && has_ecn; i++)
        n = put_number(at, n, script_choice(script, 64));
    return n;
}

static size_t
put_crypto(struct script *script, uint8_t *at, size_t n, struct slice hello)
{
    size_t from = 0, len = hello.len;

    switch (script_choice(script, 8)) {
    case 0:
        from = (size_t)choose_number(script) % (hello.len + 1);
        len = hello.len - from;
        break;
    case 1:
        len = (size_t)choose_number(script) % (hello.len + 1);
        break;
    case 2: /* not the bytes of this place */
        at[n++] = 6;
        n = put_number(at, n, choose_number(script));
        n = put_number(at, n, len);
        return put_bytes(at, n, hello.ptr, len);
    default:
        break;
    }
    at[n++] = 6;
    n = put_number(at, n, from);
    n = put_number(at, n, len);
    return put_bytes(at, n, hello.ptr + from, len);
}

/* What requests and the client's other streams begin with. */
static const struct {
    size_t len;
    const char *bytes;
} contents[] = {
    {31, "\x01\x1d\0\0\xd1\xd7\x50\x01\x61\x51\x05/1000\x27\x01x-longer\x04more"},
    {10, "\x01\x08\0\0\xd1\xd7\x50\x01\x61\xc1"},
    {9, "\x01\x07\0\0\xd1\xd7\xc1\x50\0"},
    {3, "\0\x04\0"},
    {5, "\0\3abc"},
    {2, "\x21\0"},
    {4, "\x07\x02\x40\x04"},
    {1, "\x02"},
    {4, "\x02\x3f\xe1\x1f"},
    {1, "\x03"},
    {3, "\x03\x80\xff"},
    {9, "\x01\xff\xff\xff\xff\xff\xff\xff\xff"},
};

static size_t
put_stream(struct script *script, uint8_t *at, size_t n)
{
    const unsigned choice = script_choice(script, COUNT(contents));
    const unsigned flags = script_byte(script) % 8;

    at[n++] = (uint8_t)(8 | flags | 2);
    n = put_number(at, n, choose_number(script));
    if ((flags & 4) != 0)
        n = put_number(at, n, choose_number(script));
    n = put_number(at, n, contents[choice].len);
    return put_bytes(at, n, contents[choice].bytes, contents[choice].len);
}

static size_t
put_new_id(struct script *script, uint8_t *at, size_t n)
{
    uint8_t id[20], token[16];
    const size_t len = script_choice(script, 8) == 0 ? script_byte(script) % 21 : 8;

    memset(token, script_byte(script), sizeof token);
    memset(id, script_byte(script), sizeof id);
    at[n++] = 0x18;
    n = put_number(at, n, choose_number(script));
    n = put_number(at, n, script_choice(script, 4) == 0 ? choose_number(script) : 0);
    at[n++] = (uint8_t)len;
    n = put_bytes(at, n, id, len);
    return put_bytes(at, n, token, sizeof token);
}

/* A frame that consists of its type and numbers. */
static size_t
put_plain(struct script *script, uint8_t *at, size_t n)
{
    static const struct {
        uint8_t type, nnumbers;
    } frames[] = {
        {0x04, 3},                                  /* RESET_STREAM */
        {0x05, 2},                                  /* STOP_SENDING */
        {0x10, 1},                                  /* MAX_DATA */
        {0x11, 2},                                  /* MAX_STREAM_DATA */
        {0x12, 1},                                  /* MAX_STREAMS */
        {0x13, 1}, {0x14, 1},                       /* DATA_BLOCKED */
        {0x15, 2}, {0x16, 1}, {0x17, 1}, {0x19, 1}, /* RETIRE_CONNECTION_ID */
        {0x1e, 0},                                  /* HANDSHAKE_DONE */
        {0x21, 2},                                  /* unknown */
        {0x07, 2},                                  /* NEW_TOKEN */
        {0x30, 0},                                  /* DATAGRAM */
    };
    const unsigned choice = script_choice(script, COUNT(frames));

    n = put_number(at, n, frames[choice].type);
    for (unsigned i = 0; i < frames[choice].nnumbers; i++)
        n = put_number(at, n, choose_number(script));
    return n;
}

static size_t
put_close(struct script *script, uint8_t *at, size_t n)
{
    const bool is_application = script_choice(script, 2) == 1;

    at[n++] = is_application ? 0x1d : 0x1c;
    n = put_number(at, n, choose_number(script));
    if (!is_application)
        n = put_number(at, n, choose_number(script));
    n = put_number(at, n, 3);
    return put_bytes(at, n, "why", 3);
}

static size_t
put_frame(struct script *script, uint8_t *at, size_t n, enum forge_kind kind,
          struct slice hello)
{
    unsigned choice = script_choice(script, 16);

    if (kind != FORGE_SHORT && choice >= 6 && script_choice(script, 4) != 0)
        choice = 4;
    switch (choice) {
    case 0:
        at[n++] = 0;
        return n;
    case 1:
        at[n++] = 1;
        return n;
    case 2:
    case 3:
        return put_ack(script, at, n);
    case 4:
        return put_crypto(script, at, n, hello);
    case 5:
        return script_choice(script, 8) == 0 ? put_close(script, at, n) : n;
    case 6:
        return put_new_id(script, at, n);
    case 7:
        at[n++] = (uint8_t)(0x1a + script_choice(script, 2)); /* PATH_CHALLENGE */
        return put_bytes(at, n, "12345678", 8);
    case 8:
    case 9:
    case 10:
    case 11:
        return put_stream(script, at, n);
    default:
        return put_plain(script, at, n);
    }
}

size_t
forge_frames(struct script *script, uint8_t *out, size_t room, enum forge_kind kind,
             struct slice hello)
{
    size_t n = 0;

    for (unsigned left = 1 + script_choice(script, 6);
         left > 0 && n + hello.len + 100 < room; left--)
        n = put_frame(script, out, n, kind, hello);
    while (n < NUMBER_BYTES)
        out[n++] = 0; /* PADDING */
    return n;
}
