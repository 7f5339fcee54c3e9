/* SPDX-License-Identifier: MIT */
/* tests/c/test_carrier.c — what a QUIC connection does for HTTP/3 when ngtcp2 fails.
 * ngtcp2 is the functions below. */
#include "quic/connection.h"

static int result; /* of the next call of ngtcp2 */
static int failed; /* the error for which the connection ends */

#define ngtcp2_conn_open_uni_stream(ng, id, arg) ((void)(id), result)
#define ngtcp2_conn_open_bidi_stream(ng, id, arg) ((void)(id), result)
#define ngtcp2_conn_shutdown_stream_read(ng, flags, id, code)                          \
    ((void)(id), (void)(code), result)
#define ngtcp2_conn_shutdown_stream_write(ng, flags, id, code)                         \
    ((void)(id), (void)(code), result)
#define ngtcp2_conn_extend_max_stream_offset(ng, id, n) ((void)(id), (void)(n), result)
#define ngtcp2_conn_extend_max_offset(ng, n) ((void)(n))
#define quic_conn_fail_by(conn, rv) ((void)(conn), failed = (rv))

#include "quic/carrier.c"

#include "tap.h"

static void
test_a_stream_waits_for_the_peer_but_not_for_memory(void)
{
    struct quic_conn conn = {0};
    int64_t id;

    result = NGTCP2_ERR_STREAM_ID_BLOCKED;
    is(open_uni(&conn.carrier, &id), ERR_CLOSED, "the peer allows none");
    is(open_bidi(&conn.carrier, &id), ERR_CLOSED, "of either kind");
    result = NGTCP2_ERR_NOMEM;
    is(open_uni(&conn.carrier, &id), ERR_NOMEM, "there is no memory");
    is(open_bidi(&conn.carrier, &id), ERR_NOMEM, "for either kind");
    result = 0;
    is(open_uni(&conn.carrier, &id), 0, "one is opened");
    is(open_bidi(&conn.carrier, &id), 0, "of either kind");
}

static void
test_what_cannot_be_sent_ends_the_connection(void)
{
    struct quic_conn conn = {0};
    struct carrier *carrier = &conn.carrier;

    for (unsigned i = 0; i < 3; i++) {
        failed = 0;
        result = i == 1 ? NGTCP2_ERR_NOMEM : i == 2 ? NGTCP2_ERR_INVALID_ARGUMENT : 0;
        const int expected = i == 1 ? NGTCP2_ERR_NOMEM : 0;
        reset(carrier, 4, 1);
        is(failed, expected, "a reset");
        failed = 0;
        quic_conn_stop(carrier, 4, 1);
        is(failed, expected, "a stop");
        failed = 0;
        extend(carrier, 4, 1);
        is(failed, expected, "a window");
    }
}

int
main(void)
{
    test_a_stream_waits_for_the_peer_but_not_for_memory();
    test_what_cannot_be_sent_ends_the_connection();
    return tap_done();
}
