/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/client.h — an HTTP/3 client with ngtcp2 and nghttp3, on the scripted
 * clock. It sends requests to quic/responder.h and compares the bytes of the
 * responses. */
#ifndef FUZZ_QUIC_CLIENT_H
#define FUZZ_QUIC_CLIENT_H

#include <ngtcp2/ngtcp2.h>
#include <stdbool.h> /* bool */

#include "base/slice.h"      /* struct slice */
#include "quic/client_tls.h" /* struct client_tls */

#define CLIENT_REQUESTS 16u

/* A request: `posted` bytes of a body, of which `left` were not passed to nghttp3 yet,
 * and a response of `wanted` bytes. */
struct client_request {
    int64_t id; /* -1: not sent yet */
    uint64_t posted, left, wanted, got;
    bool is_complete;
    bool is_other; /* the status of the response is not 200 */
    bool is_closed;
};

struct client {
    ngtcp2_conn *ng; /* owned; NULL: there is no connection */
    struct nghttp3_conn *http;
    struct client_tls tls;
    unsigned peer; /* the number of its address */
    uint32_t version;
    bool is_confirmed; /* the server has completed the handshake */
    int error;         /* of ngtcp2: the connection has ended; 0: it has not */
    ngtcp2_ccerr closing;
    unsigned nrequests;
    struct client_request requests[CLIENT_REQUESTS];
    size_t ntoken; /* of a NEW_TOKEN frame */
    uint8_t token[128];
};

/* Called with each datagram that a client sends. */
typedef void client_on_sent(struct client *client, unsigned peer, struct slice bytes,
                            uint8_t ecn);

/* Begins a connection from the address `peer`, with the token of an earlier one if
 * ntoken > 0. *client must not move until client_end(). */
void client_begin(struct client *client, unsigned peer, uint32_t version);

/* Asks for a response of `wanted` bytes with a body of `posted` bytes. Does nothing if
 * there are CLIENT_REQUESTS. */
void client_ask(struct client *client, uint64_t posted, uint64_t wanted);

/* A datagram arrives. */
void client_read(struct client *client, struct slice bytes, uint8_t ecn);

/* Handles timers that are due, and sends what can be sent. */
void client_write(struct client *client, client_on_sent *on_sent);

/* Returns when client_write() is to be called, in nanoseconds. */
uint64_t client_due_ns(const struct client *client);

/* Changes the keys, or the address, if that is possible now. */
void client_update_keys(struct client *client);
void client_move(struct client *client, unsigned peer);

/* Returns whether every request has its complete response. */
bool client_is_done(const struct client *client);

/* Closes the connection with CONNECTION_CLOSE. */
void client_close(struct client *client, client_on_sent *on_sent);

/* Frees the connection without notifying the server. */
void client_end(struct client *client);

#endif
