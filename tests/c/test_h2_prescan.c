/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_prescan.c — the prescan of frames: where it stops, however they
 * are split. */
#include "../../src/http2/prescan.c"
#include "tap.h"

#define MAGIC NGHTTP2_CLIENT_MAGIC
#define PRIORITY(id, on)                                                               \
    "\0\0\5\2\0"                                                                       \
    "\0\0\0" id "\0\0\0" on "\x10"
#define DATA "\0\0\3\0\0\0\0\0\1abc"
#define LITERAL(text) slice_new(text, sizeof(text) - 1)

/* Scans in steps of `step` bytes; what is left over is scanned again. Returns how
 * many bytes were passed. */
static size_t
walk_by(struct slice bytes, size_t step, int *err)
{
    struct h2_prescan prescan;
    struct h2_guard guard = {0};
    size_t at = 0, end = 0;

    h2_prescan_init(&prescan);
    *err = 0;
    while (end < bytes.len && *err == 0) {
        size_t n;
        end = bytes.len - end < step ? bytes.len : end + step;
        do {
            struct slice seen = slice_new(bytes.ptr + at, end - at);
            struct budget budget = {.points = 1};
            n = h2_prescan_frames(&prescan, &guard, seen, &budget, err);
            at += n;
        } while (n > 0 && *err == 0);
    }
    return at;
}

static void
check(struct slice bytes, size_t wanted, int err, const char *about)
{
    for (size_t step = 1; step <= bytes.len; step++) {
        int got;
        size_t n = walk_by(bytes, step, &got);
        if (!ok(n == wanted && got == err, "%s, by %zu", about, step)) {
            printf("# got %zu and %d, want %zu and %d\n", n, got, wanted, err);
            return;
        }
    }
}

/* Scans `bytes`, with a cost per frame; returns how many steps that took. */
static int
steps_over(struct slice bytes, struct budget *budget, size_t *at)
{
    struct h2_prescan prescan;
    struct h2_guard guard = {0};
    int n = 0, err;

    h2_prescan_init(&prescan);
    for (*at = 0; *at < bytes.len; n++) {
        size_t taken =
            h2_prescan_frames(&prescan, &guard, slice_skip(bytes, *at), budget, &err);
        if (taken == 0)
            break;
        *at += taken;
    }
    return n;
}

static void
test_a_walk_ends_with_its_budget(void)
{
    struct slice bytes = LITERAL(MAGIC DATA DATA "\0\0\4\10\0\0\0\0\1\0\0\0\1" DATA);
    struct budget budget = {.points = BUDGET_POINTS};
    size_t at;

    is(steps_over(bytes, &budget, &at), 3, "a step ends after each frame of a body");
    is(at, bytes.len, "and they reach the end");
    is(BUDGET_POINTS - budget.points,
       3 * BUDGET_MESSAGE + BUDGET_FRAME + (int64_t)budget_of_bytes(3 * 3 + 4),
       "each frame has cost what it costs");
    budget.points = 2 * BUDGET_MESSAGE;
    is(steps_over(bytes, &budget, &at), 2, "without a budget no frame begins");
    is(at, 24 + 2 * 12, "and the rest is left");
}

int
main(void)
{
    test_a_walk_ends_with_its_budget();
    check(LITERAL(MAGIC), 24, 0, "a preface");
    check(LITERAL(MAGIC DATA DATA), 48, 0, "data");
    check(LITERAL(MAGIC DATA "\0\0\3\0"), 36, 0, "the begin of a head is left");
    check(LITERAL(MAGIC DATA "\0\0\3\0\0\0\0\0\1a"), 46, 0, "that of a payload is not");
    check(LITERAL(MAGIC PRIORITY("\3", "\1") DATA), 50, 0, "a priority");
    check(LITERAL(MAGIC PRIORITY("\3", "\1") "\0\0\5\2\0\0\0\0\1\0"), 38, 0,
          "half of one is left");
    check(LITERAL(MAGIC DATA PRIORITY("\3", "\3") DATA), 36, ERR_H2,
          "one that depends on itself");
    check(LITERAL(MAGIC DATA PRIORITY("\0", "\3") DATA), 36, ERR_H2, "one of stream 0");
    check(LITERAL(MAGIC DATA "\0\0\4\2\0\0\0\0\1abcd"), 49, 0,
          "one of another length is left to nghttp2");
    check(LITERAL(MAGIC DATA "\0\0\4\3\0\0\0\0\1\0\0\0\0" DATA), 49, ERR_H2_ENDED,
          "what the guard refuses");
    return tap_done();
}
