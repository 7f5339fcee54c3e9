/* SPDX-License-Identifier: MIT */
/* tls/context.c — see context.h for the contract. */
#include "tls/context.h"

#include <assert.h> /* assert */

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "tls/identity.h"
#include "tls/trust.h"

/* For TLS 1.2 only ciphers with forward secrecy and authenticated encryption (RFC
 * 9325 4.2), all of which HTTP/2 may use (RFC 9113 9.2.2). */
#define CIPHERS_DEFAULT                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                       \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                       \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* AES-128 first: it costs the least and is safe (RFC 9325 4.2.1). */
#define SUITES_DEFAULT                                                                 \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* The longest host name (RFC 1035 2.3.4). */
#define HOST_BYTES_MAX 255

/* Callbacks of the handshake */

struct tls_context *
tls_context_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

const struct tls_identity *
tls_context_identity(const SSL *ssl)
{
    const struct tls_context *context = tls_context_of(ssl);
    const X509 *shown = SSL_get_certificate(ssl);

    assert(context->nrefs > 0 && context->nidentities > 0);
    for (int i = 0; i < context->nidentities; i++) {
        if (context->identities[i].cert == shown)
            return &context->identities[i];
    }
    return &context->identities[0];
}

static const struct tls_identity *
find_identity(const struct tls_context *context, const char *host)
{
    const struct tls_identity *found = NULL;
    int best = 0;

    for (int i = 0; i < context->nidentities && best < 2; i++) {
        int fit = tls_identity_covers(&context->identities[i], host);
        if (fit > best) {
            best = fit;
            found = &context->identities[i];
        }
    }
    return found;
}

/* Reads the host that the client asks for: a list of one name of type 0 (RFC 6066
 * 3). Returns false if there is no valid host name; OpenSSL rejects malformed lists. */
static bool
asked_host(SSL *ssl, char host[HOST_BYTES_MAX + 1])
{
    const unsigned char *at;
    size_t n;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &n) != 1 ||
        n < 6 || at[2] != TLSEXT_NAMETYPE_host_name)
        return false;
    size_t len = (size_t)at[3] << 8 | at[4];
    if (len == 0 || len != n - 5 || len > HOST_BYTES_MAX ||
        memchr(at + 5, '\0', len) != NULL)
        return false;
    memcpy(host, at + 5, len);
    host[len] = '\0';
    return true;
}

/* Selects the certificate before anything else, so that a ticket is checked for this
 * host. A client that asks for an unknown host gets the default certificate and
 * decides itself (RFC 6066 3). */
static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
    char host[HOST_BYTES_MAX + 1];
    const struct tls_identity *identity =
        asked_host(ssl, host) ? find_identity(arg, host) : NULL;

    if (identity == NULL || identity->ctx == SSL_get_SSL_CTX(ssl) ||
        SSL_set_SSL_CTX(ssl, identity->ctx) != NULL)
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

/* The same for QUIC. */
static int
on_quic_hello(SSL *ssl, int *alert, void *arg)
{
    char host[HOST_BYTES_MAX + 1];
    const struct tls_identity *identity =
        asked_host(ssl, host) ? find_identity(arg, host) : NULL;

    if (identity == NULL || identity->quic == SSL_get_SSL_CTX(ssl) ||
        SSL_set_SSL_CTX(ssl, identity->quic) != NULL)
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

static int
on_quic_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
             const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char h3[] = {2, 'h', '3'};
    unsigned char *chosen;

    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, h3, sizeof h3, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    tls_tickets_limit(ssl);
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Returns whether the requested name was used. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    return host != NULL && find_identity(arg, host) != NULL ? SSL_TLSEXT_ERR_OK
                                                            : SSL_TLSEXT_ERR_NOACK;
}

static bool
is_alpn(const unsigned char *name, unsigned len, const char *wanted)
{
    return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

/* The server's order decides. Without a common protocol the handshake fails (RFC
 * 7301 3.2). */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
        const unsigned char *in, unsigned in_len, void *arg)
{
    const struct tls_context *context = arg;
    unsigned char *chosen;

    if (SSL_select_next_proto(&chosen, out_len, context->alpn, context->alpn_len, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (is_alpn(chosen, *out_len, "h2"))
        tls_tickets_limit(ssl);
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int
on_status_request(SSL *ssl, void *arg)
{
    const struct tls_identity *identity = tls_context_identity(ssl);

    (void)arg;
    if (identity->ocsp == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(identity->ocsp, identity->ocsp_len);
    if (copy == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    (void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)identity->ocsp_len);
    return SSL_TLSEXT_ERR_OK;
}

/* Ciphers */

/* Splits the names of `given` into those of TLS 1.3 and the others, which OpenSSL
 * configures separately; both outputs have room for all of them. */
static void
sort_ciphers(const char *given, char *suites, char *ciphers)
{
    while (*given != '\0') {
        size_t n = strcspn(given, ":, ");
        char **to = strncmp(given, "TLS_", 4) == 0 ? &suites : &ciphers;
        memcpy(*to, given, n);
        (*to)[n] = ':';
        *to += n + 1;
        given += n;
        given += strspn(given, ":, ");
    }
}

static int
set_ciphers(SSL_CTX *ctx, const char *given, struct tls_why *why)
{
    int err = 0;
    size_t room = given != NULL ? strlen(given) + 2 : 1;
    char *suites = mem_calloc(2, room);

    if (suites == NULL)
        return ERR_NOMEM;
    char *ciphers = suites + room;
    if (given != NULL)
        sort_ciphers(given, suites, ciphers);
    if (SSL_CTX_set_ciphersuites(ctx, *suites != '\0' ? suites : SUITES_DEFAULT) != 1 ||
        SSL_CTX_set_cipher_list(ctx, *ciphers != '\0' ? ciphers : CIPHERS_DEFAULT) != 1)
        err = tls_fail(why, "the ciphers \"%s\" cannot be used", given);
    mem_free(suites);
    return err;
}

/* Making one */

/* Settings that cannot fail and need no file. */
static void
set_modes(SSL_CTX *ctx, struct tls_context *context)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    if (context->ktls)
        SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
    /* Idle connections release their two record buffers of 17 KiB. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, context);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, context);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, context);
    SSL_CTX_set_tlsext_status_cb(ctx, on_status_request);
    tls_tickets_install(ctx, context->tickets.period_s);
}

static int
new_ctx(struct tls_context *context, const struct tls_config *config,
        struct tls_identity *identity, struct tls_why *why)
{
    _Static_assert(offsetof(struct tls_context, tickets) == 0, "see tls/tickets.h");
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_set_app_data(ctx, context) != 1) {
        SSL_CTX_free(ctx);
        return ERR_NOMEM;
    }
    set_modes(ctx, context);
    int err = set_ciphers(ctx, config->ciphers, why);
    if (err == 0 && (SSL_CTX_set_min_proto_version(ctx, config->version_min) != 1 ||
                     SSL_CTX_set_max_proto_version(ctx, config->version_max) != 1))
        err = tls_fail(why, "OpenSSL does not speak the TLS versions asked for");
    if (err == 0)
        err = tls_trust_install(ctx, config, identity, why);
    if (err != 0) {
        SSL_CTX_free(ctx);
        return err;
    }
    identity->ctx = ctx;
    return 0;
}

/* Creates the SSL_CTX of an identity for QUIC. */
static int
new_quic_ctx(struct tls_context *context, const struct tls_config *config,
             struct tls_identity *identity, struct tls_why *why)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL || SSL_CTX_set_app_data(ctx, context) != 1) {
        SSL_CTX_free(ctx);
        return ERR_NOMEM;
    }
    identity->quic = ctx;
    set_modes(ctx, context);
    SSL_CTX_clear_options(ctx, SSL_OP_ENABLE_KTLS);
    SSL_CTX_set_client_hello_cb(ctx, on_quic_hello, context);
    SSL_CTX_set_alpn_select_cb(ctx, on_quic_alpn, NULL);
    int err = set_ciphers(ctx, config->ciphers, why);
    if (err == 0)
        err = tls_trust_install(ctx, config, identity, why);
    return err == 0 ? config->prepare_quic(ctx) : err;
}

/* Gives it the certificate, its chain and its key, and what else was loaded for TCP. */
static int
copy_to_quic(const struct tls_identity *identity)
{
    STACK_OF(X509) *chain = NULL;

    SSL_CTX_get0_chain_certs(identity->ctx, &chain);
    if (SSL_CTX_use_certificate(identity->quic, identity->cert) == 1 &&
        SSL_CTX_use_PrivateKey(identity->quic,
                               SSL_CTX_get0_privatekey(identity->ctx)) == 1 &&
        (chain == NULL || SSL_CTX_set1_chain(identity->quic, chain) == 1))
        return 0;
    ERR_clear_error();
    return ERR_NOMEM;
}

/* Returns an earlier identity with the same names and another key type, or NULL. */
static const struct tls_identity *
find_twin(const struct tls_context *context, const struct tls_identity *identity)
{
    int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(identity->cert));

    for (int i = 0; i < context->nidentities; i++) {
        const struct tls_identity *other = &context->identities[i];
        if (identity->names_len > 1 && other->names_len == identity->names_len &&
            memcmp(other->names, identity->names, identity->names_len) == 0 &&
            EVP_PKEY_get_base_id(X509_get0_pubkey(other->cert)) != kind) {
            return other;
        }
    }
    return NULL;
}

static int
load_pair(struct tls_context *context, const struct tls_config *config,
          const struct tls_pair *pair, struct tls_why *why)
{
    struct tls_identity *identity = &context->identities[context->nidentities];

    assert(identity->ctx == NULL && identity->cert == NULL);
    int err = tls_identity_peek(identity, pair->cert, why);
    const struct tls_identity *twin = err == 0 ? find_twin(context, identity) : NULL;
    if (twin != NULL) {
        SSL_CTX_up_ref(twin->ctx);
        identity->ctx = twin->ctx;
        if (twin->quic != NULL)
            SSL_CTX_up_ref(twin->quic);
        identity->quic = twin->quic;
    } else if (err == 0) {
        err = new_ctx(context, config, identity, why);
        if (err == 0 && config->prepare_quic != NULL)
            err = new_quic_ctx(context, config, identity, why);
    }
    if (err == 0)
        err = tls_identity_load(identity, pair, config->password, why);
    if (err == 0 && identity->quic != NULL)
        err = copy_to_quic(identity);
    context->nidentities++;
    return err;
}

int
tls_context_new(const struct tls_config *config, struct tls_context **out,
                struct tls_why *why)
{
    int err = ERR_NOMEM;
    assert(config->npairs >= 1 && config->npairs <= TLS_PAIRS_MAX);
    assert(config->alpn.len > 0 && config->alpn.len <= TLS_ALPN_BYTES);
    assert(config->version_min <= config->version_max);
    struct tls_context *context = mem_calloc(1, sizeof *context);
    if (context == NULL)
        return err;

    context->nrefs = 1;
    context->number = config->number;
    context->ktls = config->ktls;
    context->alpn_len = narrow_u8(config->alpn.len);
    memcpy(context->alpn, config->alpn.ptr, config->alpn.len);
    context->tickets.period_s = config->has_tickets ? config->ticket_s : 0;
    memcpy(context->tickets.secret, config->ticket_secret, TLS_SECRET_BYTES);
    context->identities =
        mem_calloc((size_t)config->npairs, sizeof *context->identities);
    if (context->identities == NULL)
        goto fail;
    ERR_clear_error();
    for (int i = 0; i < config->npairs; i++) {
        err = load_pair(context, config, &config->pairs[i], why);
        if (err != 0)
            goto fail;
    }
    assert(context->nidentities == config->npairs);
    *out = context;
    return 0;

fail:
    tls_context_release(context);
    return err;
}

SSL_CTX *
tls_context_quic(const struct tls_context *context)
{
    return context->identities[0].quic;
}

struct slice
tls_context_secret(const struct tls_context *context)
{
    return slice_new((const char *)context->tickets.secret, TLS_SECRET_BYTES);
}

bool
tls_has_ktls(void)
{
#ifdef OPENSSL_NO_KTLS
    return false;
#else
    return true;
#endif
}

const char *
tls_context_doubt(const struct tls_context *context, int i)
{
    assert(i >= 0);
    return i < context->nidentities ? context->identities[i].doubt : NULL;
}

struct tls_context *
tls_context_retain(struct tls_context *context)
{
    assert(context->nrefs > 0);
    context->nrefs++;
    return context;
}

void
tls_context_release(struct tls_context *context)
{
    assert(context == NULL || context->nrefs > 0);
    if (context == NULL || --context->nrefs > 0)
        return;
    for (int i = 0; i < context->nidentities; i++)
        tls_identity_clear(&context->identities[i]);
    OPENSSL_cleanse(&context->tickets, sizeof context->tickets);
    mem_free(context->identities);
    mem_free(context);
}
