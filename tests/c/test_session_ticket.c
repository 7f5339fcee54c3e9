/* SPDX-License-Identifier: MIT */
/* tests/c/test_session_ticket.c — what session tickets of QUIC contain, and with which
 * of them early data is accepted. The connections have no packets: the functions of
 * ngtcp2 that session_ticket.c calls are those below. */
#include <ngtcp2/ngtcp2.h>
#include <string.h> /* memcpy */

#include "quic/handshake.h"

static uint32_t fake_version(ngtcp2_conn *conn);
static ngtcp2_ssize fake_params(ngtcp2_conn *conn, uint8_t *out, size_t room);
static int fake_accept(struct quic_handshake *h);

#define ngtcp2_conn_get_negotiated_version fake_version
#define ngtcp2_conn_get_client_chosen_version fake_version
#define ngtcp2_conn_encode_0rtt_transport_params fake_params
#define quic_handshake_has_early_data() true
#define quic_handshake_accept_early fake_accept
#include "quic/session_ticket.c"

#include "base/mem.h"
#include "tap.h"

/* The connection that is tested. */
static struct {
    uint32_t version;
    const char *params; /* that we send; NULL: they cannot be encoded */
    int naccepted;      /* calls of quic_handshake_accept_early() */
} now;

static uint32_t
fake_version(ngtcp2_conn *conn)
{
    (void)conn;
    return now.version;
}

static ngtcp2_ssize
fake_params(ngtcp2_conn *conn, uint8_t *out, size_t room)
{
    (void)conn;
    if (now.params == NULL || strlen(now.params) > room)
        return NGTCP2_ERR_NOBUF;
    memcpy(out, now.params, strlen(now.params));
    return (ngtcp2_ssize)strlen(now.params);
}

static int
fake_accept(struct quic_handshake *h)
{
    (void)h;
    now.naccepted++;
    return 0;
}

static SSL_CTX *ctx;
static struct early_tickets *tickets, *others;

/* A connection, with the session that its ticket is about. */
struct conn {
    struct quic_early early;
    struct quic_handshake tls;
};

static void
connect_with(struct conn *conn, struct early_tickets *of, SSL_SESSION *session)
{
    *conn = (struct conn){.early = {.tickets = of, .settings = 7}};
    conn->tls.early = &conn->early;
    conn->tls.ssl = SSL_new(ctx);
    (void)SSL_set_app_data(conn->tls.ssl, &conn->tls);
    (void)SSL_set_session(conn->tls.ssl, session);
    now.version = NGTCP2_PROTO_VER_V1;
    now.params = "parameters";
}

static void
disconnect(struct conn *conn)
{
    SSL_free(conn->tls.ssl);
}

static SSL_SESSION *
new_session(void)
{
    SSL_SESSION *session = SSL_SESSION_new();

    (void)SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION);
    return session;
}

/* Returns a session whose ticket a connection with early data has written. */
static SSL_SESSION *
issue(struct early_tickets *of)
{
    SSL_SESSION *session = new_session();
    struct conn conn;

    connect_with(&conn, of, session);
    is(on_write(conn.tls.ssl, NULL), 1, "a ticket is written");
    disconnect(&conn);
    return session;
}

/* Returns whether a client with this session may send early data. */
static bool
is_accepted(SSL_SESSION *session)
{
    struct conn conn;

    connect_with(&conn, tickets, session);
    int accepted = on_early_data(conn.tls.ssl, NULL);
    disconnect(&conn);
    return accepted == 1;
}

static void
test_each_ticket_opens_one_connection_with_early_data(void)
{
    SSL_SESSION *one = issue(tickets), *two = issue(tickets);

    ok(is_accepted(one), "the first time");
    ok(!is_accepted(one), "not the second time");
    ok(is_accepted(two), "another ticket");
    SSL_SESSION_free(one);
    SSL_SESSION_free(two);
}

static void
test_the_client_must_remember_what_applies_now(void)
{
    SSL_SESSION *session = issue(tickets), *foreign = issue(others);
    struct conn conn;

    connect_with(&conn, tickets, session);
    conn.early.settings = 8;
    is(on_early_data(conn.tls.ssl, NULL), 0, "other settings of HTTP/3");
    conn.early.settings = 7;
    now.params = "Parameters";
    is(on_early_data(conn.tls.ssl, NULL), 0, "other transport parameters");
    now.params = "parameters and others";
    is(on_early_data(conn.tls.ssl, NULL), 0, "more of them");
    now.params = NULL;
    is(on_early_data(conn.tls.ssl, NULL), 0, "none that can be compared");
    now.params = "parameters";
    now.version = NGTCP2_PROTO_VER_V2;
    is(on_early_data(conn.tls.ssl, NULL), 0, "another version of QUIC");
    disconnect(&conn);
    ok(!is_accepted(foreign), "a ticket of another register");
    ok(is_accepted(session), "none of these has used the ticket");
    SSL_SESSION_free(session);
    SSL_SESSION_free(foreign);
}

static void
test_a_ticket_without_data_allows_no_early_data(void)
{
    SSL_SESSION *plain = issue(NULL), *empty = new_session();

    ok(!is_accepted(plain), "of a connection without early data");
    ok(!is_accepted(empty), "of TLS over TCP");
    SSL_SESSION_free(plain);
    SSL_SESSION_free(empty);
}

static void
test_no_ticket_is_written_without_parameters(void)
{
    SSL_SESSION *session = new_session();
    const uint64_t before = tickets->next;
    struct conn conn;

    connect_with(&conn, tickets, session);
    now.params = NULL;
    is(on_write(conn.tls.ssl, NULL), 0, "it fails");
    is(tickets->next, before, "and no number is issued");
    disconnect(&conn);
    SSL_SESSION_free(session);
}

static SSL_TICKET_RETURN
read_as(SSL_SESSION *session, uint32_t version, SSL_TICKET_STATUS status)
{
    struct conn conn;

    connect_with(&conn, NULL, session);
    now.version = version;
    SSL_TICKET_RETURN result = on_read(conn.tls.ssl, session, NULL, 0, status, NULL);
    disconnect(&conn);
    return result;
}

/* RFC 9369 5. */
static void
test_a_ticket_is_for_one_version(void)
{
    const uint32_t v1 = NGTCP2_PROTO_VER_V1, v2 = NGTCP2_PROTO_VER_V2;
    SSL_SESSION *session = issue(NULL), *empty = new_session(), *cut = new_session();

    (void)SSL_SESSION_set1_ticket_appdata(cut, "\1\0\0", 3);
    is(read_as(session, v1, SSL_TICKET_SUCCESS), SSL_TICKET_RETURN_USE, "used");
    is(read_as(session, v1, SSL_TICKET_SUCCESS_RENEW), SSL_TICKET_RETURN_USE_RENEW,
       "used, and renewed");
    is(read_as(session, v2, SSL_TICKET_SUCCESS), SSL_TICKET_RETURN_IGNORE_RENEW,
       "ignored by another version");
    is(read_as(session, v1, SSL_TICKET_NO_DECRYPT), SSL_TICKET_RETURN_IGNORE_RENEW,
       "of another server");
    is(read_as(empty, v1, SSL_TICKET_SUCCESS), SSL_TICKET_RETURN_IGNORE_RENEW,
       "of TLS over TCP");
    is(read_as(cut, v1, SSL_TICKET_SUCCESS), SSL_TICKET_RETURN_IGNORE_RENEW,
       "too short");
    SSL_SESSION_free(session);
    SSL_SESSION_free(empty);
    SSL_SESSION_free(cut);
}

static void
test_early_data_is_accepted_only_with_a_register(void)
{
    SSL_SESSION *session = new_session();
    struct conn conn;

    now.naccepted = 0;
    connect_with(&conn, NULL, session);
    is(session_ticket_accept_early(&conn.tls), 0, "without one");
    conn.tls.early = NULL;
    is(session_ticket_accept_early(&conn.tls), 0, "without settings");
    is(now.naccepted, 0, "nothing is changed");
    conn.early.tickets = tickets;
    conn.tls.early = &conn.early;
    is(session_ticket_accept_early(&conn.tls), 0, "with one");
    is(now.naccepted, 1, "it is accepted");
    ok((SSL_get_options(conn.tls.ssl) & SSL_OP_NO_ANTI_REPLAY) != 0,
       "OpenSSL keeps no sessions");
    disconnect(&conn);
    SSL_SESSION_free(session);
}

int
main(void)
{
    ctx = SSL_CTX_new(TLS_server_method());
    session_ticket_prepare(ctx);
    tickets = mem_calloc(1, sizeof *tickets);
    others = mem_calloc(1, sizeof *others);
    others->identity[0] = 1;
    test_each_ticket_opens_one_connection_with_early_data();
    test_the_client_must_remember_what_applies_now();
    test_a_ticket_without_data_allows_no_early_data();
    test_no_ticket_is_written_without_parameters();
    test_a_ticket_is_for_one_version();
    test_early_data_is_accepted_only_with_a_register();
    mem_free(tickets);
    mem_free(others);
    SSL_CTX_free(ctx);
    return tap_done();
}
