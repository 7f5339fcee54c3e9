/* SPDX-License-Identifier: MIT */
/* http/tally.c — see tally.h for the contract. */
#include "http/tally.h"

#include <assert.h> /* assert */
#include <limits.h> /* UINT_MAX */
#include <time.h>   /* time */
#include <unistd.h> /* getpid */

#include "base/err.h"
#include "base/narrow.h"

bool
tallies_init(struct tallies *tallies, void *memory, size_t bytes, unsigned own)
{
    size_t n = bytes / sizeof(struct tally);

    if (own >= n || n >= UINT_MAX || (uintptr_t)memory % _Alignof(struct tally) != 0)
        return false;
    *tallies = (struct tallies){.all = memory, .n = narrow_u32(n), .own = own};
    return true;
}

static void
reset_state(struct tally *tally)
{
    for (unsigned id = 0; id < TALLY_FIRST_COUNTER; id++)
        tally_set(tally, id, 0);
}

void
tally_begin(struct tally *tally)
{
    reset_state(tally);
    tally_set(tally, TALLY_STARTED, (uint64_t)time(NULL));
    tally_set(tally, TALLY_PID, (uint64_t)getpid());
}

void
tally_end(struct tally *tally)
{
    reset_state(tally);
}

const char *
tally_name(unsigned id)
{
    static const char *const names[] = {
#define NAME(id, name) name,
        TALLY_LIST(NAME)
#undef NAME
#define NAME(id, name) "refused_" name,
            TALLY_REFUSED_LIST(NAME)
#undef NAME
    };
    static_assert(COUNT(names) == TALLY_BUCKET, "one name for each, in the same order");

    assert(id < TALLY_BUCKET);
    return names[id];
}

uint64_t
tally_bucket_end_ns(unsigned i)
{
    if (i >= TALLY_BUCKETS - 1)
        return UINT64_MAX;
    return (UINT64_C(2) + i % 2) << (TALLY_LATENCY_LOW - 1 + i / 2);
}

static enum tally_id
class_of(int why)
{
    switch (why) {
    case ERR_CONNECTION_LIMIT:
    case ERR_TARGET_TOO_LONG:
    case ERR_HEAD_TOO_LARGE:
    case ERR_TOO_MANY_FIELDS:
    case ERR_CHUNK_OVERHEAD:
    case ERR_TRAILER_TOO_LARGE:
    case ERR_TOO_MANY_TRAILERS:
    case ERR_BODY_TOO_LARGE:
    case ERR_BODY_DECODED:
    case ERR_DECODERS:
        return TALLY_REFUSED_LIMIT;
    case ERR_BODY_CODING:
        return TALLY_REFUSED_BODY;
    case ERR_OVERLOAD:
        return TALLY_REFUSED_OVERLOAD;
    case ERR_TLS_TIMEOUT:
    case ERR_WS_PING_TIMEOUT:
        return TALLY_REFUSED_TIMEOUT;
    default:
        break;
    }
    /* The others are adjacent in the list of errors, whose numbers decrease. */
    if (why <= ERR_TLS && why >= ERR_TLS_CONFIG)
        return TALLY_REFUSED_TLS;
    if (why <= ERR_REQUEST_LINE && why >= ERR_PROTOCOL_UNKNOWN)
        return TALLY_REFUSED_HEAD;
    if (why <= ERR_H2 && why >= ERR_H2_FLOOD)
        return TALLY_REFUSED_HTTP2;
    if (why <= ERR_QUIC && why >= ERR_WT_STREAM)
        return TALLY_REFUSED_HTTP3;
    if (why <= ERR_CHUNK_SIZE && why >= ERR_TRAILER)
        return TALLY_REFUSED_BODY;
    if (why <= ERR_WS_HANDSHAKE && why >= ERR_WS_CLOSE_CODE)
        return TALLY_REFUSED_WEBSOCKET;
    if (why <= ERR_HEAD_TIMEOUT && why >= ERR_IDLE_TIMEOUT)
        return TALLY_REFUSED_TIMEOUT;
    return TALLY_REFUSED_OTHER;
}

void
tally_refused(struct tally *tally, int why)
{
    assert(why < 0);
    tally_add(tally, class_of(why), 1);
}
