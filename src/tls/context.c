/* SPDX-License-Identifier: MIT */
/* tls/context.c — see context.h for the contract. */
#include "tls/context.h"

#include <assert.h> /* assert */
#include <errno.h>  /* errno */
#include <stdarg.h> /* va_list */
#include <stdio.h>  /* vsnprintf */

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "tls/identity.h"
#include "tls/trust.h"

/* TLS 1.2 with forward secrecy and authenticated encryption alone (RFC 9325 4.2), so that
 * HTTP/2 may use any of them (RFC 9113 9.2.2). */
#define CIPHERS_DEFAULT                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                       \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                       \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* AES-128 first: it costs the least and is safe (RFC 9325 4.2.1). */
#define SUITES_DEFAULT                                                                 \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* The longest name of a host (RFC 1035 2.3.4). */
#define HOST_BYTES_MAX 255

int
tls_fail(struct tls_why *why, const char *format, ...)
{
    unsigned long last = ERR_peek_last_error();
    const char *reason = last != 0 ? ERR_reason_error_string(last) : NULL;
    va_list args;

    va_start(args, format);
    int n = vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    if (reason != NULL && n > 0 && (size_t)n < sizeof why->text)
        (void)snprintf(why->text + n, sizeof why->text - (size_t)n, " (%s)", reason);
    ERR_clear_error();
    return ERR_TLS_CONFIG;
}

int
tls_fail_errno(struct tls_why *why, const char *what, const char *path)
{
    char room[128];
    const char *text = strerror_r(errno, room, sizeof room);

    ERR_clear_error();
    return tls_fail(why, "the %s %s: %s", what, path, text);
}

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

/* The host that a client asks for: a list of one name of type 0 (RFC 6066 3).  False
 * when there is none that could be a host's; OpenSSL refuses what is malformed. */
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

/* Chooses the certificate before anything else is looked at, so that a ticket is judged
 * as one for this host.  A client that asks for a host without a certificate here gets
 * the default one, and decides itself (RFC 6066 3). */
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

/* Whether the name that was asked for has been heeded. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    return host != NULL && find_identity(arg, host) != NULL ? SSL_TLSEXT_ERR_OK
                                                            : SSL_TLSEXT_ERR_NOACK;
}

/* Our order counts.  Without a protocol in common there is no connection (RFC 7301
 * 3.2). */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
        const unsigned char *in, unsigned in_len, void *arg)
{
    const struct tls_context *context = arg;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, context->alpn, context->alpn_len, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
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

/* Sorts the names of `given` into those of TLS 1.3 and the others, which OpenSSL sets
 * apart; both have room for all of it. */
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

/* What does not fail and needs no file. */
static void
set_modes(SSL_CTX *ctx, struct tls_context *context)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    if (context->ktls)
        SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
    /* Idle connections give their two record buffers of 17 KiB back. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_app_data(ctx, context);
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
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL)
        return ERR_NOMEM;
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

/* The ctx of an earlier identity with the same names and another kind of key, a new
 * reference, or NULL. */
static SSL_CTX *
twin_ctx(const struct tls_context *context, const struct tls_identity *identity)
{
    int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(identity->cert));

    for (int i = 0; i < context->nidentities; i++) {
        const struct tls_identity *other = &context->identities[i];
        if (identity->names_len > 1 && other->names_len == identity->names_len &&
            memcmp(other->names, identity->names, identity->names_len) == 0 &&
            EVP_PKEY_get_base_id(X509_get0_pubkey(other->cert)) != kind) {
            SSL_CTX_up_ref(other->ctx);
            return other->ctx;
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
    if (err == 0) {
        identity->ctx = twin_ctx(context, identity);
        if (identity->ctx == NULL)
            err = new_ctx(context, config, identity, why);
    }
    if (err == 0)
        err = tls_identity_load(identity, pair, config->password, why);
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
