/* SPDX-License-Identifier: MIT */
/* server/secure.c — see secure.h for the contract. */
#include "server/secure.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "server/conn.h"
#include "server/hello.h"
#include "server/turn.h"
#include "tls/info.h"

static const struct io_tls *
tls_of_peer(const struct peer *peer)
{
    const struct conn *conn = container_of(peer, struct conn, wire.peer);

    assert(peer->tls == &secure_peer_ops && conn->io != &conn->plain);
    return container_of(conn->io, struct io_tls, io);
}

static void
facts(const struct peer *peer, struct peer_tls *out)
{
    struct tls_info info;

    tls_info_read(tls_of_peer(peer), &info);
    *out = (struct peer_tls){
        .version = info.version,
        .cipher_suite = info.cipher_suite,
        .server_id = info.identity,
        .server_cert = info.pem,
        .has_client_cert = info.has_client_cert,
    };
}

static int
client(const struct peer *peer, struct peer_client *out)
{
    return tls_info_client(tls_of_peer(peer), &out->chain, &out->name);
}

const struct peer_tls_ops secure_peer_ops = {facts, client};

int
secure_open(struct conn *conn, const struct protocol **protocol)
{
    struct turn *turn = conn->turn;
    const struct endpoint *endpoint = conn->wire.peer.endpoint;

    if (endpoint == NULL || !endpoint->secure)
        return 0;
    assert(conn->io == &conn->plain && turn->tls != NULL);
    struct io_tls *tls = pool_take(&turn->tls_pool);
    if (tls == NULL)
        return ERR_NOMEM;
    int err = io_tls_init(tls, conn->plain.fd, &turn->desk, turn->tls);
    if (err != 0) {
        pool_give(&turn->tls_pool, tls);
        return err;
    }
    conn->io = &tls->io;
    conn->wire.peer.tls = &secure_peer_ops;
    *protocol = &hello_protocol;
    return 0;
}

void
secure_free(struct conn *conn)
{
    assert(conn->io->fd == -1); /* closed before it is freed */
    if (conn->io != &conn->plain)
        pool_give(&conn->turn->tls_pool, container_of(conn->io, struct io_tls, io));
}
