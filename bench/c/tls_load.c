/* SPDX-License-Identifier: MIT */
/* bench/c/tls_load.c — one TLS handshake after another, each followed by one
 * request.
 *
 *   usage: tls_load PORT CONNECTIONS SECONDS full|resumed
 *
 * CONNECTIONS is ignored: one is open at a time. Prints the same as wrk. */
#include <string.h> /* strcmp */
#include <unistd.h> /* close */

#include <openssl/ssl.h>

#include "load.h"

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n"
                              "Connection: close\r\n\r\n";

/* The ticket of a resumable session; kept for the next connection. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **kept = SSL_get_app_data(ssl);

    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

/* Runs one connection; returns whether its session was resumed. */
static int
ask_once(SSL_CTX *ctx, int port, SSL_SESSION **kept, int resumes)
{
    char answer[4096];
    int fd = open_socket(port), n, total = 0;
    SSL *ssl = SSL_new(ctx);

    SSL_set_fd(ssl, fd);
    SSL_set_app_data(ssl, kept);
    if (resumes && *kept != NULL)
        SSL_set_session(ssl, *kept);
    if (SSL_connect(ssl) != 1)
        fail("the handshake has failed");
    int was_resumed = SSL_session_reused(ssl);
    if (SSL_write(ssl, request, sizeof request - 1) <= 0)
        fail("cannot write");
    while ((n = SSL_read(ssl, answer, sizeof answer)) > 0)
        total += n;
    if (total == 0)
        fail("no answer");
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
    return was_resumed;
}

int
main(int argc, char **argv)
{
    SSL_SESSION *kept = NULL;
    struct times times = {0};
    long n = 0;

    if (argc != 5) {
        fprintf(stderr, "usage: tls_load PORT CONNECTIONS SECONDS full|resumed\n");
        return 2;
    }
    int port = atoi(argv[1]), resumes = strcmp(argv[4], "resumed") == 0;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                            SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    (void)ask_once(ctx, port, &kept, 0);
    double began = now(), end = began, until = began + atof(argv[3]);
    for (; end < until; n++) {
        double before = end;
        if (ask_once(ctx, port, &kept, resumes) != resumes)
            fail(resumes ? "a session was not resumed" : "a session was resumed");
        end = now();
        times_add(&times, end - before);
    }
    report(&times, n, end - began);
    SSL_SESSION_free(kept);
    SSL_CTX_free(ctx);
    return 0;
}
