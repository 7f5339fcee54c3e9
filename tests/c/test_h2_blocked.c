/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_blocked.c — HTTP/2 over a socket that blocks at any byte: bytes
 * promised to nghttp2 are available when it asks for them, whatever has happened to the
 * stream. */
#include "http2/send.c"

#include <stdlib.h> /* mkstemp */
#include <unistd.h> /* ftruncate */

#include "base/file.h"
#include "h2_app.h"

static void
open_windows(void)
{
    h2_put_frame(&script, NGHTTP2_SETTINGS, 0, 0, H2_LITERAL("\0\4\x0f\xff\xff\xff"));
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 0, 1 << 28);
}

/* Begins to stream on stream 1 until frames wait; the socket has accepted `taken`
 * bytes. */
static void
begin_streaming(bool has_body, size_t taken)
{
    struct http_response res = {.status = 200};
    struct chunk chunk = {.bytes = {body, BODY_BYTES}};

    begin();
    open_windows();
    if (has_body)
        H2_PUT_HEADERS(&script, 1, H2_POST, false);
    else
        H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    fake.nout = 0;
    fake.takes = 0;
    is(stream_send_head(app.stream, &res), 0, "a head");
    is(stream_send_body(app.stream, &chunk, false), 0, "a body");
    is(stream_send_body(app.stream, &chunk, false), ERR_AGAIN, "that waits");
    fake_serve(&fake);
    (void)fake_take(&fake, taken, SIZE_MAX);
}

/* The other stream responds, and the socket accepts everything, `step` bytes at a
 * time. */
static void
expect_reset(uint32_t code, int why, size_t step)
{
    app.body_bytes = 5;
    H2_PUT_HEADERS(&script, 3, H2_GET, true);
    feed();
    (void)fake_take(&fake, SIZE_MAX, step);
    is(app.first_why, why, "the handler learns why");
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).frames, 1, "one reset");
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).code, code, "of this code");
    ok(!h2_look(&fake, NGHTTP2_DATA, 1).ended, "the response does not look complete");
    is(fake.aborted + fake.finished, 0, "the connection continues");
    is(h2_look(&fake, NGHTTP2_DATA, 3).bytes, 5, "and serves");
    is(fake.service.h2_streams.ntaken, 0, "both exchanges are over");
}

static void
fail_it(void)
{
    stream_fail(app.stream, ERR_APP_FAILED);
}

static void
exceed_the_body(void)
{
    fake.service.limits.body_bytes = 10;
    h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_of("more than ten"));
    feed();
}

static void
exceed_the_trailers(void)
{
    fake.service.limits.fields = 1;
    h2_put_frame(&script, NGHTTP2_HEADERS, 5, 1, H2_LITERAL(H2_TE H2_TE));
    feed();
}

static void
notify(void)
{
    h2_protocol.ops->notify(&fake.wire, fake.session, false);
}

/* The ways in which a streaming response ends early. Input is read when the socket
 * has accepted some output. */
static const struct {
    const char *about;
    void (*act)(void);
    uint32_t code;
    int why;
    bool has_body;
} ends[] = {
    {"the application fails", fail_it, NGHTTP2_INTERNAL_ERROR, ERR_APP_FAILED, false},
    {"the body is too large", exceed_the_body, NGHTTP2_CANCEL, ERR_BODY_TOO_LARGE,
     true},
    {"the trailers are too large", exceed_the_trailers, NGHTTP2_CANCEL,
     ERR_TRAILER_TOO_LARGE, true},
    {"the server stops", notify, NGHTTP2_CANCEL, ERR_SHUTDOWN, false},
};

static void
test_a_reset_keeps_what_was_promised(void)
{
    static const size_t taken[] = {0, 1, 8, 9, 10, 60000, 66000, 80000};
    static const size_t steps[] = {SIZE_MAX, 16384, 997};

    for (size_t i = 0; i < COUNT(ends); i++) {
        for (size_t t = 0; t < COUNT(taken); t++) {
            printf("# %s after %zu bytes\n", ends[i].about, taken[t]);
            begin_streaming(ends[i].has_body, taken[t]);
            ends[i].act();
            expect_reset(ends[i].code, ends[i].why, steps[t % COUNT(steps)]);
            end();
        }
    }
}

static void
test_a_reset_by_the_peer_drops_what_was_promised(void)
{
    begin_streaming(false, 9);
    h2_put_number(&script, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
    app.body_bytes = 5;
    H2_PUT_HEADERS(&script, 3, H2_GET, true);
    feed();
    (void)fake_take(&fake, SIZE_MAX, 1000);
    is(h2_look(&fake, NGHTTP2_DATA, 3).bytes, 5, "and served");
    is(fake.service.h2_streams.ntaken, 0, "both exchanges are over");
    is(fake.aborted + fake.finished, 0, "the connection continues");
    end();
}

static void
test_the_end_of_a_connection_with_a_promise(void)
{
    begin_streaming(false, 0);
    h2_protocol.ops->drain(&fake.wire, fake.session);
    h2_protocol.ops->notify(&fake.wire, fake.session, false);
    fake_serve(&fake);
    fake.wire.at_eof = true;
    h2_protocol.ops->on_eof(&fake.wire, fake.session);
    (void)fake_take(&fake, SIZE_MAX, 997);
    is(fake.aborted, 0, "no error");
    end();
}

/* A file of `n` bytes without a name. */
static struct file *
make_file(off_t n)
{
    char name[] = "/tmp/bolide-XXXXXX";
    int fd = mkstemp(name);

    ok(fd >= 0 && unlink(name) == 0 && ftruncate(fd, n) == 0, "a file");
    return file_new(fd);
}

static void
test_a_file_that_shrinks_ends_only_its_stream(void)
{
    static const off_t lengths[] = {0, 1, 16384, 16385, 65000, 100000};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct http_response res = {.status = 200};
        struct file *file = make_file(200000);
        struct chunk chunk = {.bytes = {NULL, 200000},
                              .lender = &file_lender,
                              .owner = file,
                              .file = file};

        begin();
        open_windows();
        H2_PUT_HEADERS(&script, 1, H2_GET, true);
        feed();
        fake.takes = 0;
        ok(ftruncate(file->fd, lengths[i]) == 0, "shrinks to %d", (int)lengths[i]);
        is(stream_send_head(app.stream, &res), 0, "a head");
        is(stream_send_body(app.stream, &chunk, true), 0, "the file");
        (void)fake_take(&fake, SIZE_MAX, 997);
        is(fake.complaint, ERR_FILE, "the reason is logged");
        ok(h2_look(&fake, NGHTTP2_DATA, 1).bytes <= (size_t)lengths[i], "nothing else");
        expect_reset(NGHTTP2_INTERNAL_ERROR, ERR_FILE, 997);
        end();
        is(file->nrefs, 1, "the file is released");
        file_release(file);
    }
}

int
main(void)
{
    h2_app_fill_body();
    test_a_reset_keeps_what_was_promised();
    test_a_reset_by_the_peer_drops_what_was_promised();
    test_the_end_of_a_connection_with_a_promise();
    test_a_file_that_shrinks_ends_only_its_stream();
    return tap_done();
}
