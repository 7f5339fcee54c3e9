/* SPDX-License-Identifier: MIT */
/* tests/c/test_exchange.c — the effect of each event in each state of an exchange,
 * with a protocol that blocks at any byte. */
#include "http/exchange.c"
#include "http/exchange_body.c"
#include "http/exchange_stream.c"
#include "http/exchange_table.c"

#include "aborts.h"
#include "exchange_fake.h"
#include "tap.h"

static const char *const tx_names[] = {"open", "held", "streaming", "complete",
                                       "broken"};
static const char *const rx_names[] = {"open", "discarding", "ended", "lost"};

static const char *const event_names[] = {
    [EXCHANGE_ON_PULL] = "a pull",
    [EXCHANGE_ON_INTERIM] = "an interim response",
    [EXCHANGE_ON_HEAD] = "a head",
    [EXCHANGE_ON_TUNNEL] = "a tunnel",
    [EXCHANGE_ON_BODY] = "a part of the body",
    [EXCHANGE_ON_LAST] = "the last part",
    [EXCHANGE_ON_FAIL] = "a failure",
    [EXCHANGE_ON_DATA] = "data",
    [EXCHANGE_ON_END] = "the end of the request",
    [EXCHANGE_ON_REFUSE] = "a refusal",
    [EXCHANGE_ON_ABANDON] = "an end without a status",
    [EXCHANGE_ON_SHUT] = "a half-close",
    [EXCHANGE_ON_DISCONNECT] = "a disconnect",
    [EXCHANGE_ON_LOST] = "a loss",
    [EXCHANGE_ON_RELEASE] = "a release",
    [EXCHANGE_ON_UNREAD] = "a response before the end of the request",
    [EXCHANGE_ON_BODY_DUE] = "the deadline of the body",
    [EXCHANGE_ON_DUE] = "a deadline",
    [EXCHANGE_ON_SEND_DUE] = "the deadline of sending",
    [EXCHANGE_ON_FILE_LOST] = "a file that fails",
    [EXCHANGE_ON_NOMEM] = "a lack of memory",
    [EXCHANGE_ON_STOP] = "a stop",
};

static int
send_some(size_t n, bool last)
{
    static char bytes[100000];
    struct chunk chunk = {.bytes = {bytes, n}};

    return stream_send_body(&it.core.stream, &chunk, last);
}

static int
send_a_head(void)
{
    struct http_response res = {.status = 200};

    return stream_send_head(&it.core.stream, &res);
}

/* Brings a new exchange into a state of the response; `pulls`: a pull is waiting. */
static void
enter_state_of(uint8_t tx, bool pulls, bool upgrade)
{
    fake_x_begin(upgrade);
    if (pulls)
        (void)!stream_pull_body(&it.core.stream);
    if (upgrade && tx == EXCHANGE_STREAMING) {
        (void)!stream_open_tunnel(&it.core.stream,
                                  &(struct http_response){.status = 200});
        it.log[0] = '\0';
        return;
    }
    if (tx != EXCHANGE_OPEN)
        (void)send_a_head();
    if (tx >= EXCHANGE_STREAMING)
        (void)send_some(3, tx == EXCHANGE_COMPLETE);
    if (tx == EXCHANGE_BROKEN)
        stream_fail(&it.core.stream, ERR_APP_FAILED);
    it.log[0] = '\0';
}

static void
enter_state(uint8_t tx, bool pulls)
{
    enter_state_of(tx, pulls, false);
}

static int
fire_for_handler(enum exchange_event event)
{
    struct stream *s = &it.core.stream;
    struct http_response res = {.status = 200};

    switch (event) {
    case EXCHANGE_ON_PULL:
        return stream_pull_body(s);
    case EXCHANGE_ON_INTERIM:
        return stream_send_interim(s, 103, NULL, 0);
    case EXCHANGE_ON_HEAD:
        return send_a_head();
    case EXCHANGE_ON_TUNNEL:
        return stream_open_tunnel(s, &res);
    case EXCHANGE_ON_BODY:
    case EXCHANGE_ON_LAST:
        return send_some(2, event == EXCHANGE_ON_LAST);
    default:
        stream_fail(s, ERR_APP_FAILED);
        return 0;
    }
}

/* Returns whether the event can happen in the state that the request is in. */
static bool
is_possible(enum exchange_event event)
{
    const struct exchange *x = &it.core;

    switch (event) {
    case EXCHANGE_ON_DATA:
    case EXCHANGE_ON_END:
        return x->rx < EXCHANGE_RX_ENDED && !x->is_gone;
    case EXCHANGE_ON_UNREAD:
        return x->rx < EXCHANGE_RX_ENDED && !x->is_gone && x->discard_end_ms == 0;
    case EXCHANGE_ON_BODY_DUE:
        return x->wait.is_running;
    case EXCHANGE_ON_SEND_DUE:
        return x->unsent.due_ms != TIMER_NEVER;
    case EXCHANGE_ON_DUE:
        return x->due_ms != TIMER_NEVER &&
               (x->stream.is_tunnel || x->tx >= EXCHANGE_COMPLETE);
    case EXCHANGE_ON_TUNNEL:
        return x->stream.can_tunnel || x->tx != EXCHANGE_OPEN;
    default:
        return true;
    }
}

/* Triggers an event with the function that a handler or a protocol calls. */
static int
fire(enum exchange_event event)
{
    struct exchange *x = &it.core;
    static const int whys[EXCHANGE_NEVENTS] = {
        [EXCHANGE_ON_REFUSE] = ERR_BODY_TOO_LARGE,
        [EXCHANGE_ON_ABANDON] = ERR_RESET,
        [EXCHANGE_ON_DISCONNECT] = ERR_EOF,
        [EXCHANGE_ON_BODY_DUE] = ERR_BODY_TIMEOUT,
        [EXCHANGE_ON_SEND_DUE] = ERR_SEND_TIMEOUT,
        [EXCHANGE_ON_FILE_LOST] = ERR_FILE,
        [EXCHANGE_ON_STOP] = ERR_SHUTDOWN,
    };

    if (event <= EXCHANGE_ON_FAIL)
        return fire_for_handler(event);
    switch (event) {
    case EXCHANGE_ON_DATA:
        exchange_push(x, slice_of("abc"), true);
        break;
    case EXCHANGE_ON_END:
        exchange_push_end(x);
        break;
    case EXCHANGE_ON_SHUT:
        exchange_shut(x);
        break;
    case EXCHANGE_ON_LOST:
        exchange_lose(x);
        break;
    case EXCHANGE_ON_RELEASE:
        while (exchange_holds_head(x))
            continue;
        break;
    case EXCHANGE_ON_UNREAD:
        exchange_discard(x);
        break;
    default:
        (void)exchange_on(x, event, whys[event]);
    }
    return 0;
}

/* The effect of each event: the calls, and the states afterwards. "-": it cannot
 * happen, "denied": the handler's call returns ERR_CLOSED, "=": nothing changes. */
struct row {
    enum exchange_event event;
    const char *idle[EXCHANGE_NTX];    /* no pull waits */
    const char *waiting[EXCHANGE_NTX]; /* a pull waits; NULL: the effect is the same */
};

static const struct row rows[] = {
#include "exchange_rows.def"
};

static void
describe(char *text, size_t room, int err, uint8_t tx, uint8_t rx)
{
    const struct exchange *x = &it.core;
    bool changed = x->tx != tx || x->rx != rx;

    if (x->in.len > 0)
        note("kept");
    if (it.given_room > 0 && it.nbodies == 0)
        note("dropped");
    if (err == ERR_CLOSED)
        snprintf(text, room, "denied");
    else if (it.log[0] == '\0' && !changed)
        snprintf(text, room, "=");
    else if (!changed)
        snprintf(text, room, "%s", it.log);
    else
        snprintf(text, room, "%s%s-> %s, %s", it.log, it.log[0] != '\0' ? " " : "",
                 tx_names[x->tx], rx_names[x->rx]);
}

static void
call_an_impossible_event(void *arg)
{
    const uint8_t *cell = arg;

    (void)exchange_cell(cell[1], (enum exchange_event)cell[0]);
}

/* One cell of the table. */
static void
walk(const struct row *row, uint8_t tx, bool waits)
{
    const char *want =
        waits && row->waiting[tx] != NULL ? row->waiting[tx] : row->idle[tx];
    const char *name = event_names[row->event];
    char got[512];

    if (strcmp(want, "-") == 0) {
        uint8_t cell[2] = {(uint8_t)row->event, tx};
        is(exchange_table[row->event][tx].action, EXCHANGE_NEVER, "%s, %s: never", name,
           tx_names[tx]);
        ok(aborts(call_an_impossible_event, cell), "and that is asserted");
        return;
    }
    enter_state_of(tx, waits,
                   row->event == EXCHANGE_ON_TUNNEL || row->event == EXCHANGE_ON_DUE);
    exchange_check(&it.core, true);
    uint8_t rx = it.core.rx;
    int err = fire(row->event);
    exchange_check(&it.core, row->event != EXCHANGE_ON_LOST);
    describe(got, sizeof got, err, tx, rx);
    is_text(got, want, "%s, %s%s", name, tx_names[tx], waits ? ", a pull waits" : "");
    fake_x_end();
    is(it.ncloses, 1, "closed once");
}

static void
test_each_event_in_each_state(void)
{
    is(COUNT(rows), EXCHANGE_NEVENTS, "each event has a row");
    for (size_t i = 0; i < COUNT(rows); i++) {
        is(rows[i].event, i, "in order");
        for (uint8_t tx = 0; tx < EXCHANGE_NTX; tx++) {
            walk(&rows[i], tx, false);
            walk(&rows[i], tx, true);
        }
    }
}

/* Any three events in any order, with the peer accepting all, or nothing, before the
 * last. */
static unsigned
play(uint8_t tx, bool pulls, const uint8_t *events, size_t n, bool takes)
{
    unsigned nfired = 0;

    enter_state(tx, pulls);
    for (size_t i = 0; i < n; i++) {
        uint8_t now = it.core.tx;
        if (exchange_table[events[i]][now].action == EXCHANGE_NEVER ||
            !is_possible((enum exchange_event)events[i]))
            continue;
        if (takes && i == n - 1) {
            it.takes = SIZE_MAX;
            fake_x_flush(&it.core);
        }
        if (exchange_table[events[i]][it.core.tx].action == EXCHANGE_NEVER ||
            !is_possible((enum exchange_event)events[i]))
            continue;
        (void)fire((enum exchange_event)events[i]);
        exchange_check(&it.core, !it.core.is_gone && !it.is_cut);
        nfired++;
    }
    fake_x_end();
    return it.ncloses == 1 ? nfired : 0;
}

static void
test_any_three_events(void)
{
    unsigned nplayed = 0, nbad = 0;

    for (unsigned i = 0; i < EXCHANGE_NEVENTS * EXCHANGE_NEVENTS * EXCHANGE_NEVENTS;
         i++) {
        uint8_t events[3] = {(uint8_t)(i % EXCHANGE_NEVENTS),
                             (uint8_t)(i / EXCHANGE_NEVENTS % EXCHANGE_NEVENTS),
                             (uint8_t)(i / EXCHANGE_NEVENTS / EXCHANGE_NEVENTS)};
        for (unsigned start = 0; start < 4 * EXCHANGE_NTX; start++) {
            nplayed++;
            (void)play((uint8_t)(start / 4), start % 2 != 0, events, 3, start % 4 > 1);
            nbad += it.ncloses != 1;
        }
    }
    is(nbad, 0, "each of %u exchanges is closed once", nplayed);
}

/* A response that the peer accepts up to any byte, and then an event. */
static void
test_an_event_at_any_byte_where_the_peer_blocks(void)
{
    const size_t n = 40;
    unsigned nbad = 0;

    for (uint8_t event = 0; event < EXCHANGE_NEVENTS; event++) {
        for (size_t takes = 0; takes <= n; takes++) {
            enter_state(EXCHANGE_HELD, false);
            (void)send_some(n - 10, false);
            it.takes = takes;
            fake_x_flush(&it.core);
            (void)send_some(10, true);
            fake_x_flush(&it.core);
            if (exchange_table[event][it.core.tx].action != EXCHANGE_NEVER &&
                is_possible((enum exchange_event)event))
                (void)fire((enum exchange_event)event);
            exchange_check(&it.core, !it.core.is_gone);
            nbad += it.taken + it.queued != n || it.core.unsent.taken != it.taken;
            nbad += it.is_out != (takes == n);
            fake_x_end();
        }
    }
    is(nbad, 0, "no byte is lost or counted twice");
}

static void
test_a_sender_waits_if_too_much_is_queued(void)
{
    fake_x_begin(false);
    (void)send_a_head();
    is(send_some(HTTP_OUT_HIGH_BYTES + 1, false), ERR_AGAIN, "too much");
    ok(it.core.stream.waits_for_writable, "on_writable is owed");
    it.takes = SIZE_MAX;
    is(send_some(HTTP_OUT_HIGH_BYTES + 1, false), 0,
       "a peer that takes it is written to at once");
    is(it.queued, 0, "all of it");
    ok(it.core.unsent.due_ms == TIMER_NEVER, "nothing waits for the peer");
    fake_x_end();
}

static void
test_deadlines_fire_when_they_are_due(void)
{
    uint64_t now_ms;

    fake_x_begin(false);
    (void)!stream_pull_body(&it.core.stream);
    now_ms = fake.service.clock.ms;
    is(fake.wire.read_due_ms, now_ms + fake.service.limits.body_stall_ms, "armed");
    is(exchange_on_time(&it.core, now_ms), it.core.wait.due_ms, "not yet");
    fake.service.clock.ms = it.core.wait.due_ms;
    is(exchange_on_time(&it.core, it.core.wait.due_ms), it.core.unsent.due_ms, "due");
    is_text(it.log, "lost answer 408", "408, which waits for the peer then");
    fake_x_end();

    fake_x_begin(false);
    (void)send_a_head();
    (void)send_some(1000, false);
    now_ms = fake.service.clock.ms;
    it.takes = 999;
    fake_x_flush(&it.core);
    fake.service.limits.body_rate = 0;
    (void)exchange_on_time(&it.core, now_ms + fake.service.limits.send_stall_ms);
    is(it.core.tx, EXCHANGE_STREAMING, "a peer that accepts bytes continues");
    fake.service.clock.ms += fake.service.limits.send_stall_ms;
    (void)exchange_on_time(&it.core, it.core.unsent.due_ms);
    is(it.core.tx, EXCHANGE_BROKEN, "one that accepts none is cut off");
    is(it.core.why, ERR_SEND_TIMEOUT, "which the handler learns");
    fake_x_end();
}

static void
test_discarding_ends_in_time(void)
{
    uint64_t due_ms;

    enter_state(EXCHANGE_COMPLETE, false);
    it.takes = SIZE_MAX;
    fake_x_flush(&it.core);
    ok(it.is_out && it.core.rx == EXCHANGE_RX_DISCARDING, "the response is out");
    due_ms = it.core.due_ms;
    is(due_ms, fake.service.clock.ms + fake.service.limits.linger_ms, "a while");
    fake.service.clock.ms += 10;
    exchange_push(&it.core, slice_of("abc"), true);
    is(it.core.due_ms, due_ms + 10, "from the last byte on");
    is(it.given_room, 3, "and the peer may send as many more");
    fake.service.clock.ms = it.core.discard_end_ms - 1;
    exchange_push(&it.core, slice_of("abc"), true);
    is(it.core.due_ms, it.core.discard_end_ms, "but not for ever");
    (void)exchange_on_time(&it.core, it.core.due_ms);
    is_text(it.log, "leave", "then the stream ends");
    fake_x_end();
}

static void
test_a_tunnel(void)
{
    struct http_response res = {.status = 200};
    struct stream *s = &it.core.stream;

    fake_x_begin(true);
    ok(s->body_ended, "a request that asks to leave HTTP has no body");
    is(stream_open_tunnel(s, &res), 0, "the tunnel opens");
    is(it.core.tx, EXCHANGE_STREAMING, "bytes go both ways");
    is(stream_pull_body(s), 0, "one side waits");
    ok(!it.core.wait.is_running, "without a deadline of the server's");
    stream_set_deadline(s, fake.service.clock.ms + 5);
    (void)exchange_on_time(&it.core, fake.service.clock.ms + 5);
    exchange_push(&it.core, slice_of("abc"), true);
    exchange_push_end(&it.core);
    exchange_drain(&it.core);
    is(stream_pull_body(s), 0, "the end is to be read");
    is_text(it.log, "tunnel rung got 3 rung rung got 0 last", "in order");
    is(send_some(1, true), 0, "the other side ends");
    fake_x_end();
}

static void
test_a_body_is_limited(void)
{
    fake_x_begin(false);
    fake.service.limits.body_bytes = 5;
    exchange_push(&it.core, slice_of("abc"), true);
    is(it.core.in.len, 3, "kept until the handler pulls");
    is(stream_pull_body(&it.core.stream), 0, "asked");
    is_text(it.log, "got 3", "handed up");
    is(it.given_room, 3, "and the peer may send as many more");
    exchange_push(&it.core, slice_of("def"), true);
    is_text(it.log, "got 3 lost answer 413", "over the limit");
    is(it.given_room, 6, "later bytes are discarded and their window is restored");
    fake_x_end();
}

static void
test_a_refusal_without_a_status_is_an_end(void)
{
    fake_x_begin(false);
    is(exchange_on(&it.core, EXCHANGE_ON_REFUSE, ERR_RESET), true, "the peer's fault");
    is(it.core.tx, EXCHANGE_BROKEN, "there is nothing to respond");
    is_text(it.log, "lost break", "the handler is notified");
    fake_x_end();
}

static void
test_a_part_of_a_body_without_bytes_is_none(void)
{
    fake_x_begin(false);
    (void)!stream_pull_body(&it.core.stream);
    exchange_push(&it.core, slice_of(""), true);
    exchange_push(&it.core, slice_of(""), false);
    is_text(it.log, "", "the handler still waits");
    exchange_push_end(&it.core);
    is_text(it.log, "got 0 last", "for the end");
    fake_x_end();
}

static void
fake_x_flush_and_lose(struct exchange *x)
{
    it.queued = 0;
    exchange_lose(x);
}

static void
test_the_last_part_may_end_the_exchange_when_it_is_written(void)
{
    struct exchange_ops ops = fake_exchange_ops;

    ops.flush = fake_x_flush_and_lose;
    fake_x_begin(false);
    it.core.ops = &ops;
    (void)send_a_head();
    is(send_some(HTTP_OUT_HIGH_BYTES + 1, true), 0, "all of it was written");
    ok(it.core.is_gone, "the exchange is over");
    it.is_out = true;
    fake_x_end();

    fake_x_begin(false);
    it.core.ops = &ops;
    (void)send_a_head();
    is(send_some(HTTP_OUT_HIGH_BYTES + 1, false), ERR_CLOSED,
       "a part that is not the last is lost");
    fake_x_end();
}

static int
fake_x_no_memory(struct exchange *x, const struct http_field *fields, uint32_t n)
{
    (void)x;
    (void)fields;
    (void)n;
    return ERR_NOMEM;
}

static void
test_trailers_end_a_response(void)
{
    struct http_field field = {.name = slice_of("x"), .value = slice_of("y")};
    struct http_response res = {.status = 200, .has_trailers = true};
    struct exchange_ops ops = fake_exchange_ops;

    ops.send_trailers = fake_x_no_memory;
    for (int way = 0; way < 3; way++) {
        fake_x_begin(false);
        (void)!stream_send_head(&it.core.stream, &res);
        (void)send_some(3, true);
        if (way == 1)
            it.core.ops = &ops;
        if (way == 2)
            fake.wire.is_dead = true;
        is(stream_send_trailers(&it.core.stream, &field, 1),
           way == 0   ? 0
           : way == 1 ? ERR_NOMEM
                      : ERR_CLOSED,
           "trailers, way %d", way);
        is(it.core.tx == EXCHANGE_COMPLETE, way == 0,
           "the response is complete or not");
        fake.wire.is_dead = false;
        fake_x_end();
    }
}

static void
test_a_connection_that_was_cut_opens_no_tunnel(void)
{
    struct http_response res = {.status = 101};

    fake_x_begin(true);
    fake.wire.is_dead = true;
    is(stream_open_tunnel(&it.core.stream, &res), ERR_CLOSED, "it is denied");
    ok(!it.core.stream.is_tunnel && it.log[0] == '\0', "nothing is sent");
    fake.wire.is_dead = false;
    fake_x_end();
}

int
main(void)
{
    test_each_event_in_each_state();
    test_any_three_events();
    test_an_event_at_any_byte_where_the_peer_blocks();
    test_a_sender_waits_if_too_much_is_queued();
    test_deadlines_fire_when_they_are_due();
    test_discarding_ends_in_time();
    test_a_tunnel();
    test_a_body_is_limited();
    test_a_refusal_without_a_status_is_an_end();
    test_a_part_of_a_body_without_bytes_is_none();
    test_the_last_part_may_end_the_exchange_when_it_is_written();
    test_trailers_end_a_response();
    test_a_connection_that_was_cut_opens_no_tunnel();
    return tap_done();
}
