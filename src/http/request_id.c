/* SPDX-License-Identifier: MIT */
/* http/request_id.c — see request_id.h for the contract. */
#include "http/request_id.h"

#include "base/clock.h"
#include "net/os.h"

/* splitmix64 (Steele, Lea and Flood 2014): a bijection, so a counter never produces the
 * same value twice. */
static uint64_t
mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void
request_ids_init(struct request_ids *ids)
{
    uint64_t random[2];

    if (!os_random(random, sizeof random))
        random[0] = random[1] = clock_now_ns();
    *ids = (struct request_ids){.seed = random[0], .next = random[1]};
}

static char *
put_hex(char *at, uint64_t number)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[number >> shift & 15];
    return at;
}

void
request_id_make(struct request_ids *ids, char out[REQUEST_ID_MADE_BYTES])
{
    uint64_t n = ids->next++;
    char *at = put_hex(out, mix(n));

    put_hex(at, mix(n ^ ids->seed));
}

bool
request_id_is_good(struct slice id)
{
    static const char others[] = "-_.:/+=@~";

    for (size_t i = 0; i < id.len; i++) {
        uint8_t byte = byte_lower((uint8_t)id.ptr[i]);
        bool is_plain = (uint8_t)(byte - 'a') < 26 || (uint8_t)(byte - '0') < 10;
        if (!is_plain && (byte == '\0' || strchr(others, byte) == NULL))
            return false;
    }
    return id.len > 0 && id.len <= REQUEST_ID_BYTES;
}
