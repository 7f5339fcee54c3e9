/* SPDX-License-Identifier: MIT */
/* tests/c/test_capsule.c — numbers of variable length, and the capsules of a session of
 * WebTransport. */
#include "http3/capsule.c"
#include "http3/varint.c"

#include "tap.h"

/* Bytes without a NUL at their end. */
#define BYTES(text) {text, sizeof(text) - 1}

/* What was read, until the bytes end or are malformed. */
struct found {
    unsigned closes, drains;
    bool is_bad, may_end;
    uint32_t code;
    char reason[CAPSULE_REASON_BYTES + 1];
};

static void
read_part(struct found *found, struct capsule_reader *r, struct slice in)
{
    enum capsule_event event;

    while ((event = capsule_read(r, &in)) != CAPSULE_NEEDS_MORE && !found->is_bad) {
        found->is_bad = event == CAPSULE_IS_BAD;
        found->drains += event == CAPSULE_IS_DRAIN;
        if (event != CAPSULE_IS_CLOSE)
            continue;
        found->closes++;
        found->code = r->code;
        struct slice reason = capsule_reason(r);
        memcpy(found->reason, reason.ptr, reason.len);
        found->reason[reason.len] = '\0';
    }
}

/* Reads `in` in parts of `step` bytes. */
static struct found
read_in_steps(struct slice in, size_t step)
{
    struct found found = {0};
    struct capsule_reader r = {0};

    for (size_t at = 0; at < in.len && !found.is_bad; at += step)
        read_part(&found, &r,
                  slice_cut(in, at, at + step < in.len ? at + step : in.len));
    found.may_end = !found.is_bad && capsule_may_end(&r);
    return found;
}

static void
test_numbers(void)
{
    static const struct {
        uint64_t value;
        struct slice bytes;
    } cases[] = {
        {37, {"\x25", 1}},
        {63, {"\x3f", 1}},
        {64, {"\x40\x40", 2}},
        {15293, {"\x7b\xbd", 2}},
        {16384, {"\x80\x00\x40\x00", 4}},
        {494878333, {"\x9d\x7f\x3e\x7d", 4}},
        {UINT64_C(151288809941952652), {"\xc2\x19\x7c\x5e\xff\x14\xe8\x8c", 8}},
        {(UINT64_C(1) << 62) - 1, {"\xff\xff\xff\xff\xff\xff\xff\xff", 8}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[VARINT_BYTES];
        uint64_t value = 0;
        struct slice in = cases[i].bytes;
        size_t n = varint_write(out, cases[i].value);
        ok(slice_equal(slice_new(out, n), in), "case %zu is written", i);
        ok(varint_take(&in, &value) && in.len == 0, "case %zu is read whole", i);
        ok(value == cases[i].value, "its value");
        in = slice_first(cases[i].bytes, cases[i].bytes.len - 1);
        ok(!varint_take(&in, &value) && in.len == cases[i].bytes.len - 1,
           "nothing is taken if a byte is missing");
    }
}

static void
test_written_capsules_are_read(void)
{
    char out[CAPSULE_BYTES], long_reason[CAPSULE_REASON_BYTES];
    size_t n = capsule_write_close(out, 0xfedcba98, slice_of("see you"));
    struct found found = read_in_steps(slice_new(out, n), n);

    is(found.closes, 1, "a close");
    is(found.code, 0xfedcba98, "its code");
    is_text(found.reason, "see you", "its reason");
    ok(found.may_end, "the stream may end after it");
    found = read_in_steps(slice_new(out, capsule_write_drain(out)), 1);
    is(found.drains, 1, "a drain");
    memset(long_reason, 'x', sizeof long_reason);
    n = capsule_write_close(out, 0, slice_new(long_reason, sizeof long_reason));
    found = read_in_steps(slice_new(out, n), 100);
    is(strlen(found.reason), CAPSULE_REASON_BYTES, "the longest reason");
    n = capsule_write_close(out, 1, slice_new("", 0));
    found = read_in_steps(slice_new(out, n), 1);
    ok(found.closes == 1 && found.reason[0] == '\0', "no reason");
}

static void
test_malformed_capsules(void)
{
    static const struct {
        const char *what;
        struct slice in;
    } cases[] = {
        {"a close without a code", BYTES("\x68\x43\x00")},
        {"a close with half a code", BYTES("\x68\x43\x03\x00\x00\x00")},
        {"a close with a reason that is too long", BYTES("\x68\x43\x44\x05")},
        {"a close without an end", BYTES("\x68\x43\xff\xff\xff\xff\xff\xff\xff\xff")},
        {"a drain with a value", BYTES("\x80\x00\x78\xae\x01\x00")},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ok(read_in_steps(cases[i].in, cases[i].in.len).is_bad, "%s", cases[i].what);
        ok(read_in_steps(cases[i].in, 1).is_bad, "... by bytes");
    }
}

static void
test_nothing_is_read_after_a_malformed_capsule(void)
{
    struct capsule_reader r = {0};
    struct slice in = BYTES("\x68\x43\x00\x80\x00\x78\xae\x00");

    is(capsule_read(&r, &in), CAPSULE_IS_BAD, "malformed");
    is(capsule_read(&r, &in), CAPSULE_IS_BAD, "and it stays so");
    ok(!capsule_may_end(&r), "the stream may not end well");
}

static void
test_where_a_stream_may_end(void)
{
    struct slice in = BYTES("\x40\x41\x02xy\x80\x00\x78\xae\x00");

    for (size_t n = 0; n <= in.len; n++) {
        bool may = n == 0 || n == 5 || n == in.len;
        is(read_in_steps(slice_first(in, n), 1).may_end, may, "after %zu bytes", n);
    }
}

/* Capsules of unknown types are skipped, whatever their length is. */
static void
test_any_segmentation_has_the_same_result(void)
{
    struct slice in = BYTES("\x00\x05"
                            "datum"
                            "\x99\x0b\x4d\x38\x00"
                            "\x80\x00\x78\xae\x40\x00"
                            "\x68\x43\x40\x07\x00\x00\x00\x09"
                            "bye"
                            "\x17\x01z");

    for (size_t step = 1; step <= in.len; step++) {
        struct found found = read_in_steps(in, step);
        ok(!found.is_bad && found.closes == 1 && found.drains == 1, "steps of %zu",
           step);
        is(found.code, 9, "the code");
        is_text(found.reason, "bye", "the reason");
    }
}

int
main(void)
{
    test_numbers();
    test_written_capsules_are_read();
    test_malformed_capsules();
    test_nothing_is_read_after_a_malformed_capsule();
    test_where_a_stream_may_end();
    test_any_segmentation_has_the_same_result();
    return tap_done();
}
