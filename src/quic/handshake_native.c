/* SPDX-License-Identifier: MIT */
/* quic/handshake_native.c — OpenSSL >= 3.5 has functions for other QUIC stacks
 * (SSL_set_quic_tls_cbs). See handshake_internal.h for the contract. */
#include "quic/handshake_internal.h"

#if QUIC_IS_NATIVE

#include <assert.h> /* assert */
#include <string.h> /* memcpy */

#include <openssl/core_dispatch.h>

#include "base/err.h"
#include "base/mem.h"

/* Received bytes, to which OpenSSL may refer until it releases them. */
struct part {
    struct part *next;
    size_t len;
    uint8_t bytes[];
};

struct quic_feed {
    struct part *first, *last; /* not released */
    struct part *unread;       /* the first one that OpenSSL has not read */
    size_t released;           /* bytes of `first` that OpenSSL has released */
};

static struct quic_handshake *
handshake_of(void *arg)
{
    return arg;
}

static int
on_send(SSL *ssl, const unsigned char *message, size_t n, size_t *consumed, void *arg)
{
    (void)ssl;
    *consumed = n;
    return quic_take_message(handshake_of(arg), slice_new((const char *)message, n)) ==
           0;
}

static int
on_receive(SSL *ssl, const unsigned char **bytes, size_t *n, void *arg)
{
    struct quic_feed *feed = handshake_of(arg)->feed;
    struct part *part = feed->unread;

    (void)ssl;
    *bytes = part != NULL ? part->bytes : NULL;
    *n = part != NULL ? part->len : 0;
    if (part != NULL)
        feed->unread = part->next;
    return 1;
}

static int
on_release(SSL *ssl, size_t n, void *arg)
{
    struct quic_feed *feed = handshake_of(arg)->feed;

    (void)ssl;
    feed->released += n;
    while (feed->first != NULL && feed->first != feed->unread &&
           feed->released >= feed->first->len) {
        struct part *part = feed->first;
        feed->released -= part->len;
        feed->first = part->next;
        if (feed->first == NULL)
            feed->last = NULL;
        mem_free(part);
    }
    return 1;
}

static ngtcp2_encryption_level
level_of(uint32_t level)
{
    switch (level) {
    case OSSL_RECORD_PROTECTION_LEVEL_NONE:
        return NGTCP2_ENCRYPTION_LEVEL_INITIAL;
    case OSSL_RECORD_PROTECTION_LEVEL_EARLY:
        return NGTCP2_ENCRYPTION_LEVEL_0RTT;
    case OSSL_RECORD_PROTECTION_LEVEL_HANDSHAKE:
        return NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE;
    default:
        return NGTCP2_ENCRYPTION_LEVEL_1RTT;
    }
}

static int
on_secret(SSL *ssl, uint32_t level, int sends, const unsigned char *secret, size_t n,
          void *arg)
{
    (void)ssl;
    return quic_take_secret(handshake_of(arg), level_of(level), sends != 0,
                            slice_new((const char *)secret, n)) == 0;
}

static int
on_params(SSL *ssl, const unsigned char *params, size_t n, void *arg)
{
    (void)ssl;
    return quic_take_params(handshake_of(arg), slice_new((const char *)params, n)) == 0;
}

static int
on_alert(SSL *ssl, unsigned char alert, void *arg)
{
    (void)ssl;
    if (!handshake_of(arg)->is_broken)
        ngtcp2_conn_set_tls_alert(handshake_of(arg)->conn, alert);
    return 1;
}

static const OSSL_DISPATCH callbacks[] = {
    {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_SEND, (void (*)(void))on_send},
    {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RECV_RCD, (void (*)(void))on_receive},
    {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RELEASE_RCD, (void (*)(void))on_release},
    {OSSL_FUNC_SSL_QUIC_TLS_YIELD_SECRET, (void (*)(void))on_secret},
    {OSSL_FUNC_SSL_QUIC_TLS_GOT_TRANSPORT_PARAMS, (void (*)(void))on_params},
    {OSSL_FUNC_SSL_QUIC_TLS_ALERT, (void (*)(void))on_alert},
    OSSL_DISPATCH_END,
};

int
quic_feed_prepare(SSL_CTX *ctx)
{
    (void)ctx;
    return 0;
}

int
quic_feed_init(struct quic_handshake *h)
{
    h->feed = mem_calloc(1, sizeof *h->feed);
    if (h->feed == NULL || SSL_set_quic_tls_cbs(h->ssl, callbacks, h) != 1)
        return ERR_NOMEM;
    return 0;
}

void
quic_feed_fini(struct quic_handshake *h)
{
    if (h->feed == NULL)
        return;
    for (struct part *part = h->feed->first, *next; part != NULL; part = next) {
        next = part->next;
        mem_free(part);
    }
    mem_free(h->feed);
    h->feed = NULL;
}

int
quic_feed_put(struct quic_handshake *h, struct slice bytes)
{
    struct quic_feed *feed = h->feed;
    struct part *part = mem_alloc(sizeof *part + bytes.len);

    if (part == NULL)
        return ERR_NOMEM;
    part->next = NULL;
    part->len = bytes.len;
    memcpy(part->bytes, bytes.ptr, bytes.len);
    if (feed->last != NULL)
        feed->last->next = part;
    else
        feed->first = part;
    feed->last = part;
    if (feed->unread == NULL)
        feed->unread = part;
    return 0;
}

int
quic_feed_params(struct quic_handshake *h)
{
    return SSL_set_quic_tls_transport_params(h->ssl, h->params, h->nparams) == 1
               ? 0
               : ERR_NOMEM;
}

int
quic_handshake_accept_early(struct quic_handshake *h)
{
    return SSL_set_quic_tls_early_data_enabled(h->ssl, 1) == 1 ? 0 : ERR_NOMEM;
}

bool
quic_handshake_has_early_data(void)
{
    return true;
}

#endif
