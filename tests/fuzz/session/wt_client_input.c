/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_client_input.c — see wt_client_input.h. Responses are read by
 * nghttp3, which does not know the streams of WebTransport. */
#include "session/wt_client_input.h"

#include <nghttp3/nghttp3.h>
#include <string.h> /* strlen */

#include "session/script.h"
#include "session/wt_app.h"
#include "session/wt_client.h"

static struct {
    nghttp3_conn *ng; /* what it would send is not used */
    bool is_read[WT_IDS];
} input;

/* Responses */

void
wt_client_expect(int64_t id)
{
    nghttp3_nv fields[] = {
        {(uint8_t *)(uintptr_t)":method", (uint8_t *)(uintptr_t)"GET", 7, 3, 0},
        {(uint8_t *)(uintptr_t)":scheme", (uint8_t *)(uintptr_t)"https", 7, 5, 0},
        {(uint8_t *)(uintptr_t)":authority", (uint8_t *)(uintptr_t)"a", 10, 1, 0},
        {(uint8_t *)(uintptr_t)":path", (uint8_t *)(uintptr_t)"/", 5, 1, 0},
    };

    /* It fails after a GOAWAY. */
    input.is_read[id / 4] =
        nghttp3_conn_submit_request(input.ng, id, fields, 4, NULL, NULL) == 0;
}

static void
check_close(int64_t id, const struct capsule_reader *reader)
{
    const struct wt_call *call = wt_call_of(id);
    const struct slice reason = capsule_reason(reader);

    CHECK(call->has_ended && reader->code == call->code);
    CHECK(reason.len == call->reason_len);
    for (size_t i = 0; i < reason.len; i++)
        CHECK(reason.ptr[i] == wt_byte(id, i, false));
}

/* The body of a session's response consists of capsules. */
static int
on_data(nghttp3_conn *ng, int64_t id, const uint8_t *bytes, size_t n, void *arg,
        void *stream)
{
    struct slice in = slice_new((const char *)bytes, n);
    struct wt_sent *sent = wt_sent_of(id);

    (void)ng, (void)arg, (void)stream;
    while (wt_call_of(id)->is_accepted && in.len > 0) {
        CHECK(!sent->got_close);
        const enum capsule_event event = capsule_read(&sent->reader, &in);
        CHECK(event != CAPSULE_IS_BAD);
        CHECK(event == CAPSULE_NEEDS_MORE || sent->reader.type == CAPSULE_DRAIN ||
              sent->reader.type == CAPSULE_CLOSE);
        if (event == CAPSULE_IS_CLOSE) {
            check_close(id, &sent->reader);
            sent->got_close = true;
        }
    }
    return 0;
}

static int
on_end(nghttp3_conn *ng, int64_t id, void *arg, void *stream)
{
    const struct wt_sent *sent = wt_sent_of(id);
    const struct wt_call *call = wt_call_of(id);

    (void)ng, (void)arg, (void)stream;
    CHECK(capsule_may_end(&sent->reader));
    CHECK(!call->is_accepted || sent->got_close == call->has_ended);
    return 0;
}

static int
on_settings(nghttp3_conn *ng, const nghttp3_settings *settings, void *arg)
{
    (void)ng, (void)arg;
    CHECK(settings->h3_datagram == 1);
    return 0;
}

/* Streams */

/* Reads the head of a stream of the server, which is the type and the ID of a session. */
static struct slice
take_head(int64_t id, struct wt_sent *sent, struct slice bytes)
{
    uint64_t type, session;

    while (!sent->has_head && bytes.len > 0) {
        CHECK(sent->nhead < sizeof sent->head);
        sent->head[sent->nhead++] = bytes.ptr[0];
        bytes = slice_skip(bytes, 1);
        struct slice head = slice_new(sent->head, sent->nhead);
        if (!varint_take(&head, &type) || !varint_take(&head, &session))
            continue;
        CHECK(type == (id % 4 == 1 ? 0x41 : 0x54) && session % 4 == 0);
        CHECK(wt_call_of((int64_t)session)->is_accepted);
        sent->has_head = true;
        sent->kind = WT_KIND_STREAM;
        sent->session = (int64_t)session;
        CHECK(!wt_use_of(id)->is_opened || wt_use_of(id)->session == sent->session);
    }
    return bytes;
}

static void
take_bytes(int64_t id, struct slice bytes, bool last)
{
    struct wt_sent *sent = wt_sent_of(id);
    const struct wt_use *use = wt_use_of(id);

    CHECK(id % 4 != 2 && !sent->got_end);
    if (id % 2 == 1)
        bytes = take_head(id, sent, bytes);
    CHECK(sent->has_head || (bytes.len == 0 && !last));
    for (size_t i = 0; i < bytes.len; i++)
        CHECK(bytes.ptr[i] == wt_byte(id, sent->received + i, false));
    sent->received += bytes.len;
    CHECK(sent->received <= use->sent);
    CHECK(!last || (use->out_ended && sent->received == use->sent));
    sent->got_end = last;
}

void
wt_client_on_bytes(int64_t id, struct slice bytes, bool last)
{
    const bool is_request = id % 4 == 0 && wt_sent_of(id)->kind != WT_KIND_STREAM;

    if (!is_request && !(id % 4 == 3 && id / 4 < 3)) {
        take_bytes(id, bytes, last);
        return;
    }
    if (is_request && !input.is_read[id / 4])
        return;
    CHECK(nghttp3_conn_read_stream(input.ng, id, (const uint8_t *)bytes.ptr, bytes.len,
                                   last) >= 0);
}

void
wt_client_on_datagram(struct slice bytes)
{
    uint64_t quarter;
    uint32_t number = 0;

    CHECK(varint_take(&bytes, &quarter) && quarter < WT_IDS);
    const int64_t id = (int64_t)quarter * 4;
    const struct wt_call *call = wt_call_of(id);
    struct wt_sent *sent = wt_sent_of(id);
    CHECK(call->is_accepted && !call->has_ended && call->stream != NULL);
    if (bytes.len < 4)
        return;
    for (unsigned i = 0; i < 4; i++)
        number |= (uint32_t)(uint8_t)bytes.ptr[i] << 8 * i;
    CHECK(number >= sent->got_datagrams && number < call->sent_datagrams);
    for (size_t i = 0; i < bytes.len; i++)
        CHECK(bytes.ptr[i] == wt_datagram_byte(id, number, i));
    sent->got_datagrams = number + 1;
}

/* Beginning and end */

void
wt_client_input_begin(void)
{
    static const nghttp3_callbacks callbacks = {
        .recv_data = on_data,
        .end_stream = on_end,
        .recv_settings = on_settings,
    };
    nghttp3_settings settings;

    memset(&input, 0, sizeof input);
    nghttp3_settings_default(&settings);
    CHECK(nghttp3_conn_client_new(&input.ng, &callbacks, &settings, NULL, NULL) == 0);
    CHECK(nghttp3_conn_bind_control_stream(input.ng, 2) == 0);
    CHECK(nghttp3_conn_bind_qpack_streams(input.ng, 6, 10) == 0);
}

void
wt_client_input_end(void)
{
    nghttp3_conn_del(input.ng);
}
