/* SPDX-License-Identifier: MIT */
/* server/quic_link.h — a link over QUIC: a QUIC connection with its HTTP/3 session. */
#ifndef SERVER_QUIC_LINK_H
#define SERVER_QUIC_LINK_H

#include "quic/connection.h"   /* struct quic_conn */
#include "server/link_state.h" /* struct link */

struct quic_link {
    struct link link; /* the part that is independent of the transport */
    struct quic_conn quic;
    struct tls_context *context; /* owned: a reference */
    struct peer_tls facts;       /* if has_facts */
    bool has_facts;              /* the handshake is complete */
};

static inline struct quic_link *
quic_link_of(struct link *link)
{
    return container_of(link, struct quic_link, link);
}

/* Opens a connection over `endpoint` for the first packet of a client. On success *out
 * is a link that begins; it ends like any other. Returns 0, ERR_NOMEM or ERR_IO. */
MUST_USE int quic_link_open(struct turn *turn, struct quic_endpoint *quic,
                            struct endpoint *endpoint,
                            const struct quic_opening *opening, struct quic_link **out);

/* Called with a packet of the connection. */
void quic_link_packet(struct quic_link *conn, const struct udp_path *path,
                      struct slice bytes, udp_ecn ecn);

/* Called when its time has come. */
void quic_link_expire(struct quic_link *conn);

#endif
