/* SPDX-License-Identifier: MIT */
/* tests/c/test_write.c — the framing of a response: what is written when, for bodies
 * of any length, and that the queue stays usable when memory runs out. */
#include "http1/write.c"

#include "base/file.h"
#include "base/mem.h"
#include "tap.h"

/* A response that is being written, and the text of it that may be sent. */
struct talk {
    struct h1_writer w;
    struct service service;
    struct outq_pools pools;
    struct outq q;
    char text[4096];
    uint64_t nskipped; /* lent bytes that do not fit into `text`, not read */
};

static int nlent; /* retained, not released */

static void
count_retain(void *owner)
{
    (void)owner;
    nlent++;
}

static void
count_release(void *owner)
{
    (void)owner;
    nlent--;
}

static const struct lender lender = {count_retain, count_release, 1};

static void
talk_init(struct talk *talk)
{
    memset(talk, 0, sizeof *talk);
    clock_init(&talk->service.clock);
    outq_pools_init(&talk->pools, 2);
    outq_init(&talk->q, &talk->pools);
    talk->w.keeps_alive = true;
}

static void
talk_fini(struct talk *talk)
{
    outq_clear(&talk->q);
    is(talk->pools.blocks.ntaken + talk->pools.lent.ntaken, 0, "every block came back");
    is(nlent, 0, "what was lent is released");
    outq_pools_fini(&talk->pools);
}

/* Takes what may be written. Only the ends of a long part are real memory, so of a
 * long one nothing is read. */
static const char *
talk_text(struct talk *talk)
{
    struct iovec iov[4];
    size_t len = 0;
    int n;

    while ((n = outq_iov(&talk->q, iov, 4)) > 0) {
        if (iov[0].iov_len < sizeof talk->text - len) {
            memcpy(talk->text + len, iov[0].iov_base, iov[0].iov_len);
            len += iov[0].iov_len;
        } else {
            talk->nskipped += iov[0].iov_len;
            talk->text[len++] = '~';
        }
        outq_sent(&talk->q, iov[0].iov_len);
    }
    talk->text[len] = '\0';
    return talk->text;
}

static int
head(struct talk *talk, int status)
{
    const struct http_response res = {.status = status};

    return h1_write_head(&talk->w, &talk->q, &res);
}

static struct chunk
chunk_of(size_t len)
{
    static char bytes[] = "0123456789";

    return (struct chunk){.bytes = {bytes, len}, .lender = &lender, .owner = bytes};
}

static int
body(struct talk *talk, size_t len, bool last)
{
    const struct chunk chunk = chunk_of(len);

    return h1_write_body(&talk->w, &talk->q, &talk->service, &chunk, last, false);
}

/* Lengths whose low 32 bits are small: a truncated length would be taken for
 * framing. */
static const struct {
    size_t len;
    const char *hex, *decimal;
} long_lengths[] = {
    {UINT64_C(0xffffffff), "ffffffff", "4294967295"},
    {UINT64_C(0x100000000), "100000000", "4294967296"},
    {UINT64_C(0x10000000a), "10000000a", "4294967306"},
    {UINT64_C(0x7fffffff0000000a), "7fffffff0000000a", "9223372032559808522"},
};

static void
test_long_first_chunk(void)
{
    for (size_t i = 0; i < COUNT(long_lengths); i++) {
        struct talk talk;
        char want[200];

        talk_init(&talk);
        is(head(&talk, 200), 0, "a head is written");
        is(body(&talk, long_lengths[i].len, false), 0, "a long first part is accepted");
        is(body(&talk, 3, true), 0, "and a short last one");
        snprintf(want, sizeof want,
                 "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                 "%s\r\n~\r\n3\r\n012\r\n0\r\n\r\n",
                 long_lengths[i].hex);
        is_text(talk_text(&talk), want, "the size of a first chunk of 0x%s bytes",
                long_lengths[i].hex);
        ok(talk.nskipped == long_lengths[i].len, "as many bytes follow");
        talk_fini(&talk);
    }
}

static void
test_long_later_chunk(void)
{
    for (size_t i = 0; i < COUNT(long_lengths); i++) {
        struct talk talk;
        char want[64];

        talk_init(&talk);
        is(head(&talk, 200), 0, "a head is written");
        is(body(&talk, 3, false), 0, "a first part is accepted");
        is(h1_write_release(&talk.w, &talk.q, &talk.service, false), 0, "and released");
        (void)talk_text(&talk);
        is(body(&talk, long_lengths[i].len, false), 0, "a long part is accepted");
        snprintf(want, sizeof want, "%s\r\n~\r\n", long_lengths[i].hex);
        is_text(talk_text(&talk), want, "the size of a later chunk of 0x%s bytes",
                long_lengths[i].hex);
        talk_fini(&talk);
    }
}

/* Short parts before a long one are held with it. */
static void
test_long_held(void)
{
    struct talk talk;

    talk_init(&talk);
    is(head(&talk, 200), 0, "a head is written");
    is(body(&talk, 5, false), 0, "a short part is held");
    is_text(talk_text(&talk), "", "nothing may be written yet");
    is(body(&talk, UINT64_C(0x100000000), false), 0, "a long one follows");
    is_text(talk_text(&talk),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            "100000005\r\n01234~\r\n",
            "both are one chunk with the sum of their lengths");
    talk_fini(&talk);
}

static void
test_long_length(void)
{
    for (size_t i = 0; i < COUNT(long_lengths); i++) {
        struct talk talk;
        char want[100];

        talk_init(&talk);
        is(head(&talk, 200), 0, "a head is written");
        is(body(&talk, long_lengths[i].len, true), 0, "a whole long body is taken");
        snprintf(want, sizeof want, "HTTP/1.1 200 OK\r\ncontent-length: %s\r\n\r\n~",
                 long_lengths[i].decimal);
        is_text(talk_text(&talk), want, "the Content-Length of 0x%s bytes",
                long_lengths[i].hex);
        talk_fini(&talk);

        talk_init(&talk);
        is(head(&talk, 200), 0, "a head is written");
        is(body(&talk, 0, false), 0, "an empty part is held");
        is(body(&talk, long_lengths[i].len, true), 0, "the whole body follows");
        is_text(talk_text(&talk), want, "the same if the first part was held");
        talk_fini(&talk);
    }
}

/* A file of any length is not held back. */
static void
test_long_file(void)
{
    struct talk talk;
    struct file *file = file_new(-1);
    struct chunk chunk = {.bytes = {NULL, UINT64_C(0x10000000a)},
                          .file = file,
                          .offset = UINT64_C(1) << 40};

    talk_init(&talk);
    is(head(&talk, 200), 0, "a head is written");
    is(h1_write_body(&talk.w, &talk.q, &talk.service, &chunk, false, false), 0,
       "a long file is queued");
    is_text(talk_text(&talk),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000000a\r\n",
            "its chunk has the size of the file");
    const struct outq_node *node = outq_file(&talk.q);
    ok(node != NULL && node->len == UINT64_C(0x10000000a) &&
           node->offset == UINT64_C(1) << 40,
       "the whole of it is queued");
    talk_fini(&talk);
    file_release(file);
}

static void
test_framing(void)
{
    struct talk talk;

    talk_init(&talk);
    is(head(&talk, 200), 0, "a head is written");
    is_text(talk_text(&talk), "", "a head alone is held back");
    is(body(&talk, 2, false), 0, "a first part is held");
    is(body(&talk, 1, true), 0, "the last part is sent at once");
    is_text(talk_text(&talk), "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n010",
            "a response that is complete in time has its length");
    talk_fini(&talk);

    talk_init(&talk);
    talk.w.is_1_0 = true;
    is(head(&talk, 200), 0, "a head for HTTP/1.0 is written");
    is(body(&talk, 2, false), 0, "a first part follows");
    is_text(talk_text(&talk), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n01",
            "HTTP/1.0 has the end of the connection");
    ok(!talk.w.keeps_alive, "which therefore ends");
    talk_fini(&talk);
}

/* Whatever allocation fails, the queue holds whole parts or nothing. */
static void
test_no_memory(void)
{
    for (unsigned at = 1; at < 8; at++) {
        struct talk talk;

        talk_init(&talk);
        mem_fail_at(at);
        int err = head(&talk, 200);
        if (err == 0)
            err = body(&talk, 5, false);
        if (err == 0)
            err = body(&talk, UINT64_C(0x100000000), false);
        mem_fail_at(0);
        ok(err == 0 || err == ERR_NOMEM, "failing allocation %u is reported", at);
        outq_take_back(&talk.q);
        is(talk.q.held, 0, "nothing is held afterwards");
        talk_fini(&talk);
    }
}

/* How many kinds play() knows, and how many of them have a short head. */
#define KINDS 8
#define SHORT_KINDS 4

static struct file *a_file;

/* A response with a short head: a tunnel, a body that is held before a file, one that
 * is held and then sent in chunks, or one in chunks. */
static int
play_short(struct talk *talk, int kind)
{
    const struct http_response res = {.status = 200};
    const struct chunk from_file = {.bytes = {NULL, 9}, .file = a_file};
    static char bytes[150];
    const struct chunk copied = {.bytes = {bytes, sizeof bytes}};
    int err;

    talk->w.fields_sent = slice_of("x-sent: 0123456789012345678901234567890123456789"
                                   "01234567890123456789012345678901234567890123\r\n");
    if (kind == 0) {
        err = h1_write_tunnel(&talk->w, &talk->q, &talk->service, &res);
    } else {
        err = h1_write_head(&talk->w, &talk->q, &res);
        if (err == 0 && kind == 3)
            err = h1_write_release(&talk->w, &talk->q, &talk->service, false);
        err = err != 0 ? err : body(talk, 5, false);
        if (err == 0 && kind == 2)
            err = h1_write_release(&talk->w, &talk->q, &talk->service, false);
        if (err == 0)
            err = h1_write_body(&talk->w, &talk->q, &talk->service,
                                kind == 1 ? &from_file : &copied, false, false);
        err = err != 0 ? err : body(talk, 5, true);
    }
    return err;
}

/* A response of some kind; the first four have a head that fits into no block. */
static int
play(struct talk *talk, int kind)
{
    static char value[5000];
    struct http_field fields[] = {
        {.name = slice_of("upgrade"), .value = slice_of("x"), .id = FIELD_UPGRADE},
        {.name = slice_of("x-long"), .value = slice_new(value, sizeof value)},
    };
    struct http_response res = {.status = 200, .fields = fields, .nfields = 2};
    struct notice page;
    struct h1_notice notice = {.notice = &page};
    int err;

    if (kind >= KINDS - SHORT_KINDS)
        return play_short(talk, kind - (KINDS - SHORT_KINDS));
    memset(value, 'v', sizeof value);
    notice_init(&page, 404, 0);
    talk->w.fields_sent = slice_of("x-sent: 1\r\n");
    talk->w.owes_continue = kind == 0;
    if (kind == 1)
        return h1_write_tunnel(&talk->w, &talk->q, &talk->service, &res);
    if (kind == 2) {
        res.status = 103;
        return h1_write_interim(&talk->q, &res);
    }
    if (kind == 3) {
        notice.fields_sent = slice_new(value, sizeof value);
        return h1_write_notice(&talk->q, &talk->service, &notice);
    }
    err = h1_write_head(&talk->w, &talk->q, &res);
    err = err != 0 ? err : h1_write_continue(&talk->w, &talk->q);
    err = err != 0 ? err : body(talk, 5, false);
    err = err != 0 ? err : body(talk, 5000, false);
    return err != 0 ? err
                    : h1_write_trailers(&talk->w, &talk->q, &talk->service, fields, 2);
}

/* Each allocation fails in turn, after `pad` bytes that fill the first block. */
static void
fail_each(int kind, size_t pad)
{
    static char filler[OUTQ_BLOCK_BYTES];
    bool is_over = false;

    for (unsigned at = 1; !is_over && at < 100; at++) {
        struct talk talk;
        talk_init(&talk);
        is(outq_copy(&talk.q, slice_new(filler, pad)), 0, "what is queued before");
        mem_fail_at(at);
        int err = play(&talk, kind);
        is_over = mem_count() < at;
        mem_fail_at(0);
        is(err, is_over ? 0 : ERR_NOMEM, "allocation %u of kind %d", at, kind);
        if (talk.q.holding)
            outq_take_back(&talk.q);
        ok(err == 0 || kind == 0 || kind == 3 || kind > 4 || talk.q.bytes == pad,
           "the queue is as it was");
        talk_fini(&talk);
    }
    ok(is_over, "all have failed");
}

static void
test_each_allocation_may_fail(void)
{
    static const size_t pads[] = {0, 3800, 3950, 4000, 4030, 4045};

    for (int kind = 0; kind < KINDS - SHORT_KINDS; kind++) {
        for (size_t i = 0; i < COUNT(pads); i++)
            fail_each(kind, pads[i]);
    }
    a_file = file_new(-1);
    for (int kind = KINDS - SHORT_KINDS; kind < KINDS; kind++) {
        for (size_t pad = 3600; pad < OUTQ_BLOCK_BYTES; pad += 3)
            fail_each(kind, pad);
    }
    file_release(a_file);
}

static void
test_what_is_not_held_back_is_not_released(void)
{
    struct talk talk;

    talk_init(&talk);
    is(h1_write_release(&talk.w, &talk.q, &talk.service, false), 0, "no head");
    is(head(&talk, 200), 0, "a head, without a place for 100 Continue");
    is(h1_write_continue(&talk.w, &talk.q), 0, "which therefore is not sent");
    ok(!talk.w.has_continue, "nor counted as sent");
    is(body(&talk, 2, true), 0, "a body");
    is_text(talk_text(&talk), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n01",
            "is all there is");
    talk_fini(&talk);
}

int
main(void)
{
    test_each_allocation_may_fail();
    test_long_first_chunk();
    test_long_later_chunk();
    test_long_held();
    test_long_length();
    test_long_file();
    test_framing();
    test_no_memory();
    test_what_is_not_held_back_is_not_released();
    return tap_done();
}
