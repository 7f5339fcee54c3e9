/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/script.h — the bytes of one input, read as choices: what the
 * client sends, what the transport accepts, what the application does, how time
 * passes. */
#ifndef FUZZ_SESSION_SCRIPT_H
#define FUZZ_SESSION_SCRIPT_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint8_t */

#include "check.h" /* CHECK */

struct script {
    const uint8_t *bytes; /* [at, n) are left; borrowed */
    size_t at, n;
};

static inline bool
script_is_over(const struct script *script)
{
    return script->at == script->n;
}

/* Returns the next byte; 0 if none is left. */
static inline uint8_t
script_byte(struct script *script)
{
    return script->at < script->n ? script->bytes[script->at++] : 0;
}

/* Returns a choice among `n` <= 256 alternatives: 0 to n - 1. */
static inline unsigned
script_choice(struct script *script, unsigned n)
{
    return script_byte(script) % n;
}

#endif
