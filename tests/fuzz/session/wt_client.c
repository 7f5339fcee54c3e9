/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_client.c — what the client sends; see wt_client.h. */
#include "session/wt_client.h"

#include <stdio.h>  /* snprintf */
#include <string.h> /* memset */

#include "session/frame.h"
#include "session/quic.h"
#include "session/world.h"
#include "session/wt_app.h"
#include "session/wt_client_input.h"

/* A frame and a stream type, and codes of applications (draft-ietf-webtrans-http3). */
#define BIDI 0x41u
#define UNI 0x54u
#define CODE_FIRST UINT64_C(0x52e4a40fa8db)
#define CODE_LAST UINT64_C(0x52e5ac983162)

/* Capsules. */
#define CLOSE 0x2843u
#define DRAIN 0x78aeu

static struct {
    struct wt_sent sent[4][WT_IDS];
    unsigned nbidis, nunis; /* streams that it has opened */
} client;

void
wt_client_begin(void)
{
    memset(&client, 0, sizeof client);
    wt_client_input_begin();
}

struct wt_sent *
wt_sent_of(int64_t id)
{
    CHECK(id >= 0 && (size_t)id / 4 < WT_IDS);
    return &client.sent[id % 4][id / 4];
}

/* Returns an alternative that comes once in `n` times. */
static bool
is_rare(unsigned n)
{
    return script_choice(&world.script, n) == n - 1;
}

/* Returns one of the streams that fit, or -1 if there is none. */
static int64_t
choose(bool (*fits)(int64_t id, enum wt_kind kind), enum wt_kind kind)
{
    const unsigned which = script_byte(&world.script);
    int64_t found[4 * WT_IDS];
    unsigned n = 0;

    for (int64_t id = 0; id < 4 * WT_IDS; id++) {
        if (wt_sent_of(id)->kind == kind && fits(id, kind))
            found[n++] = id;
    }
    return n > 0 ? found[which % n] : -1;
}

static bool
is_any(int64_t id, enum wt_kind kind)
{
    (void)id, (void)kind;
    return true;
}

/* Returns whether the client may send on the stream. */
static bool
is_sendable(int64_t id, enum wt_kind kind)
{
    (void)kind;
    return id % 4 != 3 && quic_may_send(id) &&
           (wt_sent_of(id)->has_head || id % 4 != 1) && (id % 4 != 2 || id / 4 >= 3);
}

/* Returns whether the server may send on the stream. */
static bool
is_receivable(int64_t id, enum wt_kind kind)
{
    (void)kind;
    return id % 4 != 2 && wt_sent_of(id)->has_head;
}

/* Requests */

static void
send_request(void)
{
    const unsigned choice = script_choice(&world.script, 16);
    uint8_t block[400] = {0, 0};
    char path[16];
    size_t n = 2;

    if (client.nbidis == WT_IDS)
        return;
    const int64_t id = 4 * client.nbidis++;
    struct wt_sent *sent = wt_sent_of(id);
    const bool is_session = choice > 1;
    sent->kind = is_session ? WT_KIND_SESSION : WT_KIND_REQUEST;
    snprintf(path, sizeof path, "/n%u", (unsigned)id / 4);
    n += frame_put_field(block + n, ":method", choice == 0 ? "GET" : "CONNECT");
    n += frame_put_field(block + n, ":scheme", choice == 3 ? "ftp" : "https");
    n += frame_put_field(block + n, ":authority", "a");
    n += frame_put_field(block + n, ":path", path);
    if (choice > 0)
        n += frame_put_field(block + n, ":protocol",
                             is_session ? "webtransport" : "websocket");
    if (choice == 4)
        n += frame_put_field(block + n, "content-length", "5");
    if (choice > 8)
        n += frame_put_field(block + n, "sec-webtransport-http3-draft02", "1");
    frame_send(id, 1, block, n);
    wt_client_expect(id);
    sent->is_odd = sent->is_ended = choice == 2;
    if (choice == 2 || choice == 0) {
        sent->ended = true;
        quic_end(id);
    }
}

/* Streams */

/* Returns the ID of the session that a stream names. */
static int64_t
choose_session(void)
{
    const unsigned choice = script_choice(&world.script, 16);

    if (choice == 15 && is_rare(8)) /* it cannot be one */
        return script_byte(&world.script);
    if (choice == 14)
        return ((int64_t)1 << 61) + 4 * script_byte(&world.script);
    if (choice >= 11) /* it is not there yet */
        return 4 * ((int64_t)client.nbidis + choice - 11);
    const int64_t id = choose(is_any, WT_KIND_SESSION);
    if (id >= 0)
        return id;
    return 4 * ((int64_t)client.nbidis + 1);
}

/* Begins the control stream, and those of QPACK. */
static void
open_critical(void)
{
    static const struct {
        const char *bytes;
        size_t n;
    } settings[] = {
        {"\x33\x01\x08\x01\xab\x60\x37\x42\x01", 9}, /* as the drafts want it */
        {"", 0},
        {"\x33\x01\xc0\x00\x00\x00\xc6\x71\x70\x6a\x10\x54\xe9\xcd\x29\x04", 16},
        {"\x80\xff\xd2\x77\x01\x21\x05\x40\x41\x00\x40\x54\x01", 13}, /* unknown ones */
        {"\x33\x02", 2}, /* no value for this one */
        {"\x33\x01\x33\x01", 4},
        {"\x33", 1},
    };
    static const uint8_t kinds[] = {0, 2, 3};
    const unsigned i = client.nunis++;
    const int64_t id = i * 4 + 2;

    wt_sent_of(id)->kind = WT_KIND_OTHER;
    quic_send(id, &kinds[i], 1);
    if (i > 0)
        return;
    unsigned choice = script_choice(&world.script, 32);
    choice = choice < COUNT(settings) ? choice : choice % 4;
    frame_send(id, 4, settings[choice].bytes, settings[choice].n);
}

/* Begins a stream of WebTransport, with the head of any form, or with a part of one. */
static void
open_stream(void)
{
    const unsigned forms = script_byte(&world.script);
    const bool is_uni = forms % 2 == 1;
    uint8_t head[2 * FRAME_NUMBER_BYTES];

    if (client.nunis < 3 && is_uni) {
        open_critical();
        return;
    }
    if (is_uni ? !quic_may_open_uni(client.nunis) : client.nbidis == WT_IDS)
        return;
    const int64_t id = is_uni ? client.nunis++ * 4 + 2 : client.nbidis++ * 4;
    struct wt_sent *sent = wt_sent_of(id);
    sent->kind = WT_KIND_STREAM;
    sent->session = choose_session();
    size_t n = frame_put_long_number(head, is_uni ? UNI : BIDI, forms / 2 % 4);
    n += frame_put_long_number(head + n, (uint64_t)sent->session, forms / 8 % 4);
    sent->has_head = forms < 0xf0;
    sent->nhead = (uint8_t)n;
    quic_send(id, head, sent->has_head ? n : (forms >> 1) % n);
    if (!sent->has_head)
        sent->kind = WT_KIND_OTHER;
}

/* Chooses the code of a reset or a stop. Returns whether it is one of an application, which
 * is in *code then. */
static bool
choose_code(uint64_t *http, uint32_t *code)
{
    static const uint64_t others[] = {QUIC_NO_ERROR,     QUIC_CANCELLED,
                                      CODE_FIRST - 1,    CODE_LAST + 1,
                                      CODE_FIRST + 0x1e, UINT64_C(1) << 61};
    const unsigned choice = script_choice(&world.script, 16);

    if (choice < COUNT(others)) {
        *http = others[choice];
        return false;
    }
    *code = script_byte(&world.script) * 0x1010101u;
    *http = CODE_FIRST + *code + *code / 0x1e;
    return true;
}

static void
reset_stream(int64_t id)
{
    struct wt_sent *sent = wt_sent_of(id);
    uint64_t http;
    uint32_t code = 0;
    const bool has_code = choose_code(&http, &code);

    if (!quic_reset_with(id, http))
        return;
    sent->is_reset = sent->is_ended = true;
    sent->reset_has_code = has_code;
    sent->reset_code = code;
}

static void
stop_stream(int64_t id)
{
    struct wt_sent *sent = wt_sent_of(id);
    uint64_t http;
    uint32_t code = 0;
    const bool has_code = choose_code(&http, &code), was_stopped = sent->is_stopped;

    sent->is_stopped = true; /* the server may find out at once */
    if (!was_stopped) {
        sent->stop_has_code = has_code;
        sent->stop_code = code;
    }
    if (quic_stop_with(id, http))
        sent->is_ended = true;
    else
        sent->is_stopped = was_stopped;
}

static void
send_data(int64_t id)
{
    static const uint32_t sizes[] = {0, 1, 10, 100, 1000, 20000};
    static char bytes[20000];
    struct wt_sent *sent = wt_sent_of(id);
    const uint32_t n = sizes[script_choice(&world.script, COUNT(sizes))];

    for (uint32_t i = 0; i < n; i++)
        bytes[i] = wt_byte(id, sent->bytes + i, true);
    sent->bytes += n;
    quic_send(id, bytes, n);
}

static void
end_stream(int64_t id)
{
    wt_sent_of(id)->ended = true;
    quic_end(id);
}

static void
act_on_stream(enum wt_kind kind)
{
    const int64_t id = choose(is_sendable, kind);

    if (id < 0)
        return;
    switch (script_choice(&world.script, 16)) {
    case 0:
    case 1:
        reset_stream(id);
        break;
    case 2:
    case 3:
        if (id % 4 != 2)
            stop_stream(id);
        break;
    case 4:
    case 5:
    case 6:
        end_stream(id);
        break;
    default:
        if (kind == WT_KIND_STREAM)
            send_data(id);
    }
}

/* The client no longer wants a stream that only the server sends on, or on which it sends
 * no more itself. */
static void
stop_any(void)
{
    const int64_t id = choose(is_receivable, WT_KIND_STREAM);

    if (id >= 0)
        stop_stream(id);
}

/* Sessions */

/* Sends bytes of capsules in one or two frames. */
static void
send_capsule_bytes(int64_t id, const uint8_t *bytes, size_t n)
{
    const size_t cut = script_byte(&world.script) % (n + 1);

    if (cut > 0)
        frame_send(id, 0, bytes, cut);
    if (n > cut)
        frame_send(id, 0, bytes + cut, n - cut);
}

static void
send_close(int64_t id)
{
    static const uint16_t sizes[] = {0, 5, 1024, 1025};
    struct wt_sent *sent = wt_sent_of(id);
    const size_t nreason = sizes[script_choice(&world.script, COUNT(sizes))];
    const uint32_t code = script_byte(&world.script) * 0x1010101u;
    uint8_t capsule[2 * FRAME_NUMBER_BYTES + 4 + 1025];
    size_t n = frame_put_number(capsule, CLOSE);

    n += frame_put_number(capsule + n, 4 + nreason);
    for (unsigned i = 0; i < 4; i++)
        capsule[n++] = (uint8_t)(code >> (24 - 8 * i));
    for (size_t i = 0; i < nreason; i++)
        capsule[n++] = (uint8_t)wt_byte(id, i, true);
    if (!sent->is_odd && !sent->has_closed && nreason <= 1024) {
        sent->has_closed = true;
        sent->close_code = code;
        sent->reason_len = nreason;
    }
    sent->is_odd = sent->is_ended = true;
    send_capsule_bytes(id, capsule, n);
}

/* Sends a capsule that ends nothing, or is malformed, or the beginning of one. */
static void
send_other_capsule(int64_t id)
{
    static const struct {
        uint16_t type;
        uint8_t n;
        bool is_good;
    } capsules[] = {
        {DRAIN, 0, true}, {0x17, 0, true},   {0x17, 100, true},
        {0, 30, true},    {DRAIN, 1, false}, {CLOSE, 3, false},
    };
    struct wt_sent *sent = wt_sent_of(id);
    uint8_t bytes[2 * FRAME_NUMBER_BYTES + 100] = {0};
    unsigned choice = script_choice(&world.script, 16);
    choice = choice < COUNT(capsules) ? choice : choice % 4;
    size_t n = frame_put_number(bytes, capsules[choice].type);

    n += frame_put_number(bytes + n, capsules[choice].n) + capsules[choice].n;
    if (is_rare(8)) {
        n = 1 + script_byte(&world.script) % n;
        sent->is_odd = true;
    }
    if (!capsules[choice].is_good)
        sent->is_odd = sent->is_ended = true;
    send_capsule_bytes(id, bytes, n);
}

static void
send_trailers(int64_t id)
{
    struct wt_sent *sent = wt_sent_of(id);
    uint8_t block[32] = {0, 0};

    frame_send(id, 1, block, 2 + frame_put_field(block + 2, "x-sum", "1"));
    sent->is_odd = sent->is_ended = true;
    if (is_rare(8))
        return; /* what follows is an error */
    sent->ended = true;
    quic_end(id);
}

static void
act_on_session(void)
{
    const int64_t id = choose(is_sendable, WT_KIND_SESSION);

    if (id < 0)
        return;
    switch (script_choice(&world.script, 16)) {
    case 0:
        reset_stream(id);
        break;
    case 1:
        stop_stream(id);
        break;
    case 2:
        wt_sent_of(id)->is_ended = true;
        end_stream(id);
        break;
    case 3:
    case 4:
        send_close(id);
        break;
    case 5:
        frame_send(id, 0x21, "unknown", script_choice(&world.script, 8));
        break;
    case 6:
        send_trailers(id);
        break;
    default:
        send_other_capsule(id);
    }
}

static void
send_datagram(void)
{
    static const uint16_t sizes[] = {0, 3, 4, 20, 1200};
    static const char odd[][9] = {"", "\x40", "\xff\xff\xff\xff\xff\xff\xff\xff"};
    const int64_t id = choose_session();
    const size_t n = sizes[script_choice(&world.script, COUNT(sizes))];
    uint8_t bytes[FRAME_NUMBER_BYTES + 1200];

    if (is_rare(255)) {
        const char *what = odd[script_choice(&world.script, COUNT(odd))];
        quic_datagram(what, strlen(what));
        return;
    }
    const bool is_known = (uint64_t)id / 4 < WT_IDS;
    const uint32_t number = is_known ? wt_sent_of(id / 4 * 4)->sent_datagrams++ : 0;
    size_t at = frame_put_long_number(bytes, (uint64_t)id / 4, n % 4);
    for (size_t i = 0; i < n; i++)
        bytes[at++] = (uint8_t)wt_datagram_byte(id / 4 * 4, number, i);
    quic_datagram(bytes, at);
}

/* Frames of the control stream. */
static void
send_control(void)
{
    uint8_t bytes[FRAME_NUMBER_BYTES];

    if (client.nunis < 3 || !quic_may_send(2)) {
        if (client.nunis < 3)
            open_critical();
        return;
    }
    if (is_rare(16))
        frame_send(2, 7, bytes, frame_put_number(bytes, 0)); /* GOAWAY */
    else
        frame_send(2, 0x21, "unknown", script_choice(&world.script, 8));
}

void
wt_client_act(void)
{
    switch (script_choice(&world.script, 32)) {
    case 0:
    case 1:
    case 2:
    case 3:
        send_request();
        break;
    case 4:
    case 5:
        send_control();
        break;
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        open_stream();
        break;
    case 12:
    case 13:
    case 14:
        send_datagram();
        break;
    case 15:
    case 16:
        act_on_session();
        break;
    case 17:
        act_on_stream(WT_KIND_REQUEST);
        break;
    case 18:
    case 19:
        act_on_stream(WT_KIND_OTHER);
        break;
    case 20:
        stop_any();
        break;
    default:
        act_on_stream(WT_KIND_STREAM);
    }
}
