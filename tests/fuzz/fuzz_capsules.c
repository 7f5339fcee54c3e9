/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_capsules.c — any bytes as capsules. Read whole, by bytes, and in two
 * parts, they have the same meaning; a close that is read can be written again. */
#include <stdint.h> /* uint8_t */

#include "http3/capsule.h"
#include "check.h"

/* What was read, as a sum that depends on the order. */
struct meaning {
    uint64_t sum;
    unsigned events;
    bool may_end;
};

static void
add(struct meaning *m, uint64_t value)
{
    m->sum = (m->sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
}

static void
check_close(const struct capsule_reader *r)
{
    char out[CAPSULE_BYTES];
    struct capsule_reader again = {0};
    struct slice reason = capsule_reason(r), in;

    CHECK(reason.len <= CAPSULE_REASON_BYTES);
    in = slice_new(out, capsule_write_close(out, r->code, reason));
    CHECK(capsule_read(&again, &in) == CAPSULE_IS_CLOSE && in.len == 0);
    CHECK(again.code == r->code && slice_equal(capsule_reason(&again), reason));
    CHECK(capsule_may_end(&again));
}

static void
read_part(struct meaning *m, struct capsule_reader *r, struct slice in)
{
    enum capsule_event event = CAPSULE_NEEDS_MORE;

    do {
        const size_t before = in.len;
        event = capsule_read(r, &in);
        CHECK(in.len <= before && (event != CAPSULE_NEEDS_MORE || in.len == 0));
        if (event == CAPSULE_IS_CLOSE || event == CAPSULE_IS_DRAIN) {
            m->events++;
            add(m, event);
        }
        if (event == CAPSULE_IS_CLOSE) {
            check_close(r);
            add(m, r->code);
            struct slice reason = capsule_reason(r);
            for (size_t i = 0; i < reason.len; i++)
                add(m, (uint8_t)reason.ptr[i]);
        }
    } while (event != CAPSULE_NEEDS_MORE && event != CAPSULE_IS_BAD);
    m->may_end = capsule_may_end(r);
    CHECK(event != CAPSULE_IS_BAD || !m->may_end);
}

/* Reads the first `cut` bytes, then the others `step` at a time. */
static struct meaning
read_cut(struct slice in, size_t cut, size_t step)
{
    struct capsule_reader r = {0};
    struct meaning m = {.may_end = true};

    read_part(&m, &r, slice_first(in, cut));
    for (size_t at = cut; at < in.len; at += step)
        read_part(&m, &r, slice_cut(in, at, at + step < in.len ? at + step : in.len));
    return m;
}

static bool
is_same(const struct meaning *a, const struct meaning *b)
{
    return a->sum == b->sum && a->events == b->events && a->may_end == b->may_end;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_new((const char *)data, size);
    struct meaning whole = read_cut(in, size, 1), bytes = read_cut(in, 0, 1);

    CHECK(is_same(&whole, &bytes));
    for (size_t cut = 1; cut < size && cut < 64; cut++) {
        struct meaning parts = read_cut(in, cut, size);
        CHECK(is_same(&whole, &parts));
    }
    return 0;
}
