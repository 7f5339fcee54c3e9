/* SPDX-License-Identifier: MIT */
/* quic/session_ticket.c — see session_ticket.h for the contract. */
#include "quic/session_ticket.h"

#include <assert.h> /* assert */
#include <string.h> /* memcmp, memcpy */

#include <openssl/ssl.h>

#include "base/err.h"
#include "quic/early_tickets.h"
#include "quic/handshake.h"

/* The data of a ticket: FORMAT, the version of QUIC in network byte order, and if early
 * data is accepted: the identity of the register, the number of the ticket, the settings,
 * and the transport parameters that the client remembers. OpenSSL encrypts it. */
#define FORMAT 1u
#define VERSION_AT 1u
#define IDENTITY_AT 5u
#define NUMBER_AT (IDENTITY_AT + EARLY_IDENTITY_BYTES)
#define SETTINGS_AT (NUMBER_AT + 8u)
#define PARAMS_AT (SETTINGS_AT + 8u)
#define DATA_BYTES (PARAMS_AT + 256u)

static const struct quic_handshake *
handshake_of_ssl(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

static void
put_quic_version(uint8_t *data, uint32_t version)
{
    data[0] = FORMAT;
    for (unsigned i = 0; i < 4; i++)
        data[VERSION_AT + i] = (uint8_t)(version >> (24 - 8 * i));
}

/* Writes everything that an acceptable ticket has in common with the connection: all
 * but the number. Returns its length, or 0 on failure. */
static size_t
put_early(const struct quic_handshake *h, uint8_t data[DATA_BYTES])
{
    memcpy(data + IDENTITY_AT, h->early->tickets->identity, EARLY_IDENTITY_BYTES);
    memset(data + NUMBER_AT, 0, 8);
    memcpy(data + SETTINGS_AT, &h->early->settings, 8);
    ngtcp2_ssize n = ngtcp2_conn_encode_0rtt_transport_params(h->conn, data + PARAMS_AT,
                                                              DATA_BYTES - PARAMS_AT);
    return n < 0 ? 0 : PARAMS_AT + (size_t)n;
}

static bool
takes_early(const struct quic_handshake *h)
{
    return h->early != NULL && h->early->tickets != NULL;
}

/* For OpenSSL: 1, or 0 on failure. */
static int
on_write(SSL *ssl, void *arg)
{
    const struct quic_handshake *h = handshake_of_ssl(ssl);
    uint8_t data[DATA_BYTES];
    size_t n = IDENTITY_AT;

    (void)arg;
    put_quic_version(data, ngtcp2_conn_get_negotiated_version(h->conn));
    if (takes_early(h)) {
        n = put_early(h, data);
        if (n == 0)
            return 0;
        const uint64_t number = early_tickets_issue(h->early->tickets);
        memcpy(data + NUMBER_AT, &number, sizeof number);
    }
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data, n);
}

static bool
has_version(SSL_SESSION *session, uint32_t version)
{
    uint8_t expected[IDENTITY_AT];
    void *data;
    size_t n;

    put_quic_version(expected, version);
    return SSL_SESSION_get0_ticket_appdata(session, &data, &n) == 1 &&
           n >= sizeof expected && memcmp(data, expected, sizeof expected) == 0;
}

static SSL_TICKET_RETURN
on_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t n,
        SSL_TICKET_STATUS status, void *arg)
{
    const struct quic_handshake *h = handshake_of_ssl(ssl);

    (void)name;
    (void)n;
    (void)arg;
    if ((status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) ||
        !has_version(session, ngtcp2_conn_get_client_chosen_version(h->conn)))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE
                                        : SSL_TICKET_RETURN_USE_RENEW;
}

void
session_ticket_prepare(SSL_CTX *ctx)
{
    (void)SSL_CTX_set_session_ticket_cb(ctx, on_write, on_read, NULL);
}

/* For OpenSSL: called once, after everything else allows early data: 1 accepts it, 0
 * continues the handshake without. */
static int
on_early_data(SSL *ssl, void *arg)
{
    const struct quic_handshake *h = handshake_of_ssl(ssl);
    uint8_t expected[DATA_BYTES];
    uint64_t number;
    void *data;
    size_t n;

    (void)arg;
    assert(takes_early(h));
    put_quic_version(expected, ngtcp2_conn_get_client_chosen_version(h->conn));
    const size_t nexpected = put_early(h, expected);
    if (nexpected == 0 ||
        SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &data, &n) != 1 ||
        n != nexpected)
        return 0;
    memcpy(&number, (const uint8_t *)data + NUMBER_AT, sizeof number);
    memcpy(expected + NUMBER_AT, &number, sizeof number);
    return memcmp(data, expected, n) == 0 &&
           early_tickets_redeem(h->early->tickets, number);
}

int
session_ticket_accept_early(struct quic_handshake *h)
{
    if (!takes_early(h))
        return 0;
    assert(quic_handshake_has_early_data());
    /* OpenSSL would otherwise keep all sessions in memory, to redeem each ticket once in
     * this process. */
    (void)SSL_set_options(h->ssl, SSL_OP_NO_ANTI_REPLAY);
    SSL_set_allow_early_data_cb(h->ssl, on_early_data, NULL);
    return quic_handshake_accept_early(h);
}
