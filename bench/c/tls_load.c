/* SPDX-License-Identifier: MIT */
/* bench/c/tls_load.c — one TLS handshake after another, each with one request behind it.
 *
 * usage: tls_load PORT CONNECTIONS SECONDS full|resumed
 *
 * CONNECTIONS is ignored: one is open at a time.  Prints what wrk prints. */
#include <arpa/inet.h>   /* htonl, htons */
#include <netinet/in.h>  /* struct sockaddr_in */
#include <netinet/tcp.h> /* TCP_NODELAY */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define TIMES_MAX 2000000

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n"
                              "Connection: close\r\n\r\n";

static double
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
fail(const char *what)
{
    fprintf(stderr, "tls_load: %s\n", what);
    exit(1);
}

/* The ticket of a session that can be resumed; kept for the next connection. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **kept = SSL_get_app_data(ssl);

    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

static int
open_socket(int port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

/* One connection; returns whether its session was resumed. */
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

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
    if (argc != 5)
        fail("usage: tls_load PORT CONNECTIONS SECONDS full|resumed");
    int port = atoi(argv[1]), resumes = strcmp(argv[4], "resumed") == 0, n = 0;
    double seconds = atof(argv[3]);
    double *times = calloc(TIMES_MAX, sizeof *times);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_SESSION *kept = NULL;

    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                            SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    (void)ask_once(ctx, port, &kept, 0);
    double began = now_s(), end = began;
    while (end - began < seconds && n < TIMES_MAX) {
        double before = end;
        if (ask_once(ctx, port, &kept, resumes) != resumes)
            fail(resumes ? "a session was not resumed" : "a session was resumed");
        end = now_s();
        times[n++] = end - before;
    }
    qsort(times, (size_t)n, sizeof *times, compare);
    printf("50%% %.3fms\n99%% %.3fms\n", times[n / 2] * 1e3,
           times[n - 1 - n / 100] * 1e3);
    printf("%d requests in %.2fs\nRequests/sec: %.2f\n", n, end - began,
           n / (end - began));
    free(times);
    SSL_SESSION_free(kept);
    SSL_CTX_free(ctx);
    return 0;
}
