/* SPDX-License-Identifier: MIT */
/* tests/c/test_mux_exchange.c — one exchange of a mux: its request, its response, and
 * what waits of it. */
#include "http/mux_exchange.c"

#include "mux_fake.h"

static struct http_response ok_head = {.status = 200};

/* The request */

static void
test_a_handler_may_respond_at_once(void)
{
    begin_mux();
    one.responds = true;
    begin_request(&one, true, false);
    is_called("request one, head 200 length 5 body", "the response is one call");
    is(one.mux.out.bytes, 5, "whose body waits");
    is(lib.mux.unsent, 5, "and is counted");
    one.responds = false;
    end();
    is_called("lost one, end one", "the connection ends before the response");
}

static void
begin_rejected(int err, uint64_t length)
{
    struct http_head head = {
        .method = slice_of("POST"),
        .version = HTTP_2,
        .content_length = length,
    };

    one = (struct fake_stream){.name = "one"};
    mux_exchange_init(&one.mux, &lib.mux);
    mux_exchange_begin(&one.mux, &head, false, err, NULL);
}

static void
test_a_rejected_request_has_no_handler(void)
{
    begin_mux();
    begin_rejected(ERR_TARGET, HTTP_LENGTH_NONE);
    is_called("error 400 body", "a head that is wrong");
    is(fake.complaint, ERR_TARGET, "which is logged");
    end();

    begin_mux();
    fake.service.limits.body_bytes = 10;
    begin_rejected(0, 11);
    is_called("error 413 body", "a body that will be too large");
    end();

    begin_mux();
    fake.wire.refusal = ERR_OVERLOAD;
    begin_rejected(0, 11);
    is_called("error 503 body", "a server that has no time");
    ok(!lib.mux.is_draining, "the connection continues");
    end();

    begin_mux();
    fake.wire.refusal = ERR_CONNECTION_LIMIT;
    begin_rejected(0, 11);
    is_called("error 503 body, goaway", "a connection over the limit ends");
    end();
}

static struct slice
pair_name(const char *text)
{
    return slice_of(text);
}

static void
nothing(void *owner)
{
    (void)owner;
}

static void
test_a_field_section_becomes_a_request(void)
{
    static const char *const fields[][2] = {
        {":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}};
    const struct lender lender = {nothing, nothing, 0};
    struct request_section section = {.pairs = NULL};

    for (int good = 0; good < 2; good++) {
        begin_mux();
        one = (struct fake_stream){.name = "one"};
        for (size_t i = 0; i < (good ? COUNT(fields) : 3); i++) {
            struct section_pair pair = {pair_name(fields[i][0]),
                                        pair_name(fields[i][1]), NULL, NULL};
            is(request_section_add(&section, &fake.service.limits, &lender, &pair), 0,
               "a field");
        }
        mux_exchange_init(&one.mux, &lib.mux);
        mux_exchange_begin_section(&one.mux, &section, true, NULL);
        is_called(good ? "request one" : "error 400 body",
                  good ? "is passed to the handler" : "without a path it is rejected");
        request_section_clear(&section);
        end();
        lib.log[0] = '\0';
    }
}

/* Heads */

static void
test_a_head_without_a_body_is_complete(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    is_called("", "is held");
    is(send_part(&one, 0, true), 0, "until the end");
    is_called("head 200 length 0", "no body follows");
    ok(list_is_empty(&one.mux.held), "and it is held no more");
    end();
}

static void
test_a_part_commits_the_head_without_a_length(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    is(send_part(&one, 7, false), 0, "a part");
    is_called("head 200 length - body", "more will follow");
    is(send_part(&one, 0, false), 0, "nothing");
    is(send_part(&one, 3, false), 0, "and more");
    is_called("", "the library has not asked yet");
    lib_take(&one, 10);
    one.mux.is_deferred = true;
    is(send_part(&one, 0, false), 0, "nothing");
    is_called("", "does not resume it");
    is(send_part(&one, 3, false), 0, "a part");
    is_called("resume 3", "does");
    is(send_part(&one, 0, true), 0, "the end");
    is_called("", "is found when it asks");
    lib_take(&one, 3);
    end();
}

static void
test_trailers_resume_the_library(void)
{
    struct http_response res = {.status = 200, .has_trailers = true};
    struct http_field sum = {.name = slice_of("X-Sum"), .value = slice_of("1")};
    struct stream *s = &one.mux.core.stream;

    begin();
    is(stream_send_head(s, &res), 0, "a head");
    is(send_part(&one, 3, true), 0, "a body");
    lib_take(&one, 3);
    one.mux.is_deferred = true;
    lib.log[0] = '\0';
    is(stream_send_trailers(s, &sum, 1), 0, "and trailers");
    is_called("resume 0 last", "which the library asks for");
    is(one.mux.trailers->nlines, 1, "they are kept");
    end();
}

static void
test_interim_heads(void)
{
    struct stream *s = &one.mux.core.stream;

    begin_mux();
    begin_request(&one, false, false);
    lib.log[0] = '\0';
    is(stream_send_interim(s, 103, NULL, 0), 0, "one of the handler");
    is_called("interim 103", "is sent");
    s->expect_continue = true;
    is(send_head(&one), 0, "a final head is held");
    is(stream_pull_body(s), 0, "when the body is asked for");
    is_called("interim 100", "100 Continue comes before it");
    s->expect_continue = true;
    is(send_part(&one, 3, false), 0, "a part");
    is_called("head 200 length - body", "commits the head");
    is(mux_send_continue(&one.mux.core), 0, "after that");
    is_called("", "nothing else comes");
    end();

    begin();
    lib.has_no_memory = true;
    is(stream_send_interim(s, 103, NULL, 0), ERR_NOMEM, "without memory");
    lib.has_no_memory = false;
    is(send_head(&one), 0, "the final head");
    is(send_part(&one, 0, true), 0, "is still possible");
    is(fake.aborted, 0, "and the connection continues");
    end();
}

static void
test_a_tunnel_without_memory_leaves_the_exchange(void)
{
    begin_mux();
    begin_request(&one, false, true);
    lib.has_no_memory = true;
    is(stream_open_tunnel(&one.mux.core.stream, &ok_head), ERR_NOMEM, "no memory");
    ok(one.mux.response.lines == NULL, "no head is left");
    is(one.mux.core.tx, EXCHANGE_OPEN, "nothing was sent");
    lib.has_no_memory = false;
    lib.log[0] = '\0';
    is(stream_open_tunnel(&one.mux.core.stream, &ok_head), 0, "with memory");
    is_called("head 200 length - body", "it opens");
    is(one.mux.core.stream.status, 200, "with its status");
    end();
}

static void
test_connection_close_ends_the_connection(void)
{
    struct http_field close = {.name = slice_of("Connection"),
                               .value = slice_of("close")};
    struct http_response res = {.status = 200, .fields = &close, .nfields = 1};

    begin();
    is(stream_send_head(&one.mux.core.stream, &res), 0, "a head");
    is(send_part(&one, 0, true), 0, "and its end");
    is_called("head 200 length 0, goaway", "are followed by a GOAWAY");
    end();

    begin();
    is(stream_send_head(&one.mux.core.stream, &res), 0, "a head that waits");
    for (unsigned i = 0; i <= HTTP_HEAD_TURNS; i++)
        mux_release_heads(&lib.mux);
    is_called("head 200 length - body, goaway", "does the same");
    end();
}

/* What waits */

static void
test_a_sender_waits_for_the_library(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    is(send_part(&one, HTTP_OUT_HIGH_BYTES, false), 0, "as much as may wait");
    is(send_part(&one, 1, false), ERR_AGAIN, "and more");
    is(lib.mux.unsent, HTTP_OUT_HIGH_BYTES + 1, "all of it is counted");
    lib.log[0] = '\0';
    lib_take(&one, HTTP_OUT_HIGH_BYTES - HTTP_OUT_LOW_BYTES);
    ok(!mux_settle(&lib.mux), "too much is left");
    lib_take(&one, 1);
    ok(mux_settle(&lib.mux), "until the low-water mark");
    is_called("writable one", "the sender continues once");
    is(one.mux.unsent, HTTP_OUT_LOW_BYTES, "the rest is counted");
    lib_take(&one, 1);
    ok(!mux_settle(&lib.mux), "there are no other events");
    end();
    is(lib.mux.unsent, 0, "nothing is left of it");
}

static void
test_the_last_part_waits_only_for_all_streams(void)
{
    begin();
    fake.service.limits.h2_output_bytes = 150000;
    begin_request(&two, true, false);
    is(send_head(&one), 0, "a head");
    is(send_part(&one, 100000, true), 0, "the last part does not wait");
    is(send_head(&two), 0, "another head");
    is(send_part(&two, 100000, true), ERR_AGAIN, "unless all streams hold too much");
    end();
}

static void
test_a_reset_drops_what_waits(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    is(send_part(&one, 1000, false), 0, "and a part");
    lib.log[0] = '\0';
    lib.keeps = 300;
    stream_fail(&one.mux.core.stream, ERR_APP_FAILED);
    is_called("reset 1", "a handler that fails is an error of the server");
    is(one.mux.out.bytes, 300, "what the library needs stays");
    is(lib.mux.unsent, 300, "and is counted");
    ok(one.mux.out_ended && one.mux.is_reset, "nothing is added");
    mux_exchange_reset(&one.mux, 2);
    is_called("", "a second reset does nothing");
    end();

    begin();
    is(send_head(&one), 0, "a head");
    is(send_part(&one, 1000, false), 0, "and a part");
    lib.log[0] = '\0';
    (void)exchange_on(&one.mux.core, EXCHANGE_ON_SEND_DUE, ERR_SEND_TIMEOUT);
    is_called("lost one, reset 2", "any other end cancels the stream");
    is(fake.complaint, ERR_SEND_TIMEOUT, "and is logged");
    end();
}

static void
test_a_response_of_which_nothing_is_committed_is_replaced(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    stream_fail(&one.mux.core.stream, ERR_APP_FAILED);
    is_called("error 500 body", "that is held");
    is(fake.complaint, 0, "the peer is not to blame");
    end();

    begin();
    is(send_head(&one), 0, "a head");
    fake.wire.is_dead = true;
    stream_fail(&one.mux.core.stream, ERR_APP_FAILED);
    is_called("", "nothing is sent on a dead connection");
    end();
}

static void
test_a_body_that_cannot_be_read_ends_its_stream(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    is(send_part(&one, 1000, false), 0, "and a part");
    lib.log[0] = '\0';
    mux_exchange_lose_body(&one.mux, ERR_FILE);
    is(one.mux.core.tx, EXCHANGE_BROKEN, "the response is broken");
    is(one.mux.out.bytes + lib.mux.unsent, 0, "nothing is left");
    is(fake.complaint, ERR_FILE, "the reason is logged");
    mux_exchange_reset(&one.mux, 1);
    is_called("", "the stream is reset by the protocol");
    lib_close(&one);
    ok(mux_settle(&lib.mux), "then it is closed");
    is_called("lost one, end one", "for its handler too");
    is(fake.aborted, 0, "the connection continues");
    end();
}

static void
test_a_lack_of_memory_ends_the_connection(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    lib.has_no_memory = true;
    is(send_part(&one, 10, true), ERR_NOMEM, "that cannot be sent");
    is(fake.aborted, 1, "ends the connection");
    end();

    begin();
    is(send_head(&one), 0, "a head");
    is(send_part(&one, 10, false), 0, "and a part");
    lib_take(&one, 10);
    one.mux.is_deferred = lib.has_no_memory = true;
    is(send_part(&one, 10, false), ERR_NOMEM, "as does a part");
    is(fake.aborted, 1, "that the library cannot ask for");
    end();
}

int
main(void)
{
    test_a_handler_may_respond_at_once();
    test_a_rejected_request_has_no_handler();
    test_a_field_section_becomes_a_request();
    test_a_head_without_a_body_is_complete();
    test_a_part_commits_the_head_without_a_length();
    test_trailers_resume_the_library();
    test_interim_heads();
    test_a_tunnel_without_memory_leaves_the_exchange();
    test_connection_close_ends_the_connection();
    test_a_sender_waits_for_the_library();
    test_the_last_part_waits_only_for_all_streams();
    test_a_reset_drops_what_waits();
    test_a_response_of_which_nothing_is_committed_is_replaced();
    test_a_body_that_cannot_be_read_ends_its_stream();
    test_a_lack_of_memory_ends_the_connection();
    return tap_done();
}
