/* SPDX-License-Identifier: MIT */
/* server/tls_transport.c — see tls_transport.h for the contract. */
#include "server/tls_transport.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "server/conn_state.h"
#include "server/handshake.h"
#include "server/turn.h"
#include "tls/info.h"

void
tls_transport_facts(const struct ssl_st *ssl, struct peer_tls *out)
{
    struct tls_info info;

    tls_info_read(ssl, &info);
    *out = (struct peer_tls){
        .version = info.version,
        .cipher_suite = info.cipher_suite,
        .server_id = info.identity,
        .server_cert = info.pem,
        .has_client_cert = info.has_client_cert,
    };
}

static const struct ssl_st *
ssl_of_peer(const struct peer *peer)
{
    const struct conn *conn = container_of(peer, struct conn, link.wire.peer);

    assert(peer->tls == &tls_transport_peer_ops && conn->io != &conn->plain);
    const struct io_tls *tls = container_of(conn->io, struct io_tls, io);
    assert(tls->ssl != NULL && tls->io.is_ready);
    return tls->ssl;
}

static void
facts(const struct peer *peer, struct peer_tls *out)
{
    tls_transport_facts(ssl_of_peer(peer), out);
}

static int
client(const struct peer *peer, struct peer_client *out)
{
    return tls_info_client(ssl_of_peer(peer), &out->chain, &out->name);
}

const struct peer_tls_ops tls_transport_peer_ops = {facts, client};

int
tls_transport_open(struct conn *conn, const struct protocol **protocol)
{
    struct turn *turn = conn->link.turn;
    const struct endpoint *endpoint = conn->link.wire.peer.endpoint;

    if (endpoint == NULL || !endpoint->secure)
        return 0;
    assert(conn->io == &conn->plain && turn->tls != NULL);
    struct io_tls *tls = pool_take(&turn->tls_pool);
    if (tls == NULL)
        return ERR_NOMEM;
    int err = io_tls_init(tls, conn->plain.fd, &turn->shared, turn->tls);
    if (err != 0) {
        pool_give(&turn->tls_pool, tls);
        return err;
    }
    conn->io = &tls->io;
    conn->link.wire.peer.tls = &tls_transport_peer_ops;
    *protocol = &handshake_protocol;
    return 0;
}

void
tls_transport_free(struct conn *conn)
{
    assert(conn->io->fd == -1); /* closed before it is freed */
    if (conn->io != &conn->plain)
        pool_give(&conn->link.turn->tls_pool,
                  container_of(conn->io, struct io_tls, io));
}
