/* SPDX-License-Identifier: MIT */
/* bench/c/big_load.c — a load of large responses that uses little CPU itself.
 *
 *   usage: big_load PORT CONNECTIONS SECONDS plain|tls [BODY_BYTES [PATH]]
 *
 * With BODY_BYTES other than 0 each request is a POST with a body of that many bytes.
 *
 * A client that copies and decrypts what it receives takes as long for it as the
 * server does, and limits what it measures. This one reads only the first response on
 * each connection completely, to learn its length. The bytes of the others are
 * discarded by the kernel (MSG_TRUNC), over TLS except for the record headers, which
 * contain the length of each record. */
#include <errno.h>     /* errno */
#include <stdbool.h>   /* bool */
#include <string.h>    /* memcmp */
#include <strings.h>   /* strncasecmp */
#include <sys/epoll.h> /* epoll_wait */

#include <openssl/ssl.h>

#include "load.h"

#define EVENTS 64
#define RECORD_HEADER 5

static char bytes[1 << 21];
static struct {
    char *bytes; /* owned; freed when the process exits */
    size_t n;
} request;

struct client {
    int fd;
    SSL *ssl;      /* NULL: plain */
    size_t answer; /* bytes of a response, including its head */
    size_t due;    /* bytes of the current response still to be received */
    size_t skip;   /* TLS: bytes of the current record still to be received */
    size_t extra;  /* TLS: bytes of a record in addition to its plaintext and header */
    double began;  /* when it was requested, in s */
    size_t nhead;  /* bytes that are in `head` */
    unsigned char head[12]; /* of a record, or of a response */
};

struct load {
    int epoll;
    long nanswers;
    struct times times;
};

/* Sending */

static void
write_request(const char *path, size_t nbody)
{
    char head[256], length[64] = "";

    if (nbody > 0)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", nbody);
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                     nbody > 0 ? "POST" : "GET", path, length);
    if (n < 0 || (size_t)n >= sizeof head)
        fail("the path is too long");
    size_t nhead = (size_t)n;
    request.n = nhead + nbody;
    request.bytes = malloc(request.n);
    if (request.bytes == NULL)
        fail("malloc");
    memcpy(request.bytes, head, nhead);
    memset(request.bytes + nhead, 'x', nbody);
}

/* The socket blocks: it is sent whole. */
static void
ask(struct client *client)
{
    ssize_t n = (ssize_t)request.n;

    client->began = now();
    client->due = client->answer;
    client->nhead = 0;
    if (client->ssl != NULL
            ? SSL_write(client->ssl, request.bytes, (int)n) != n
            : send(client->fd, request.bytes, request.n, MSG_NOSIGNAL) != n)
        fail("cannot ask");
}

/* The first response */

static size_t
read_some(struct client *client, size_t got)
{
    ssize_t n = client->ssl != NULL
                    ? SSL_read(client->ssl, bytes + got, (int)(sizeof bytes - 1 - got))
                    : recv(client->fd, bytes + got, sizeof bytes - 1 - got, 0);

    if (n <= 0)
        fail("the server has closed");
    return got + (size_t)n;
}

/* Returns the length of a response according to its head; 0: it is chunked. */
static size_t
length_of(const char *end)
{
    static const char name[] = "\r\ncontent-length:";

    for (const char *at = bytes; at < end; at++) {
        if (strncasecmp(at, name, sizeof name - 1) == 0)
            return (size_t)(end + 4 - bytes) + strtoul(at + sizeof name - 1, NULL, 10);
    }
    return 0;
}

static bool
ends_by_chunk(size_t got)
{
    static const char last[] = "\r\n0\r\n\r\n";
    size_t n = sizeof last - 1;

    return got >= n && memcmp(bytes + got - n, last, n) == 0;
}

static void
read_first(struct client *client)
{
    size_t got = 0, whole = 0;
    const char *end = NULL;

    ask(client);
    do {
        got = read_some(client, got);
        bytes[got] = '\0';
        if (end == NULL && (end = strstr(bytes, "\r\n\r\n")) != NULL)
            whole = length_of(end);
    } while (end == NULL || (whole != 0 ? got < whole : !ends_by_chunk(got)));
    if (strncmp(bytes, "HTTP/1.1 200", 12) != 0)
        fail("an answer that is not 200");
    client->answer = got;
}

/* The others */

/* Fills client->head up to `n`; false: not everything was received yet. */
static bool
read_head(struct client *client, size_t n)
{
    if (client->nhead < n) {
        ssize_t got = recv(client->fd, client->head + client->nhead, n - client->nhead,
                           MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            fail("the server has closed");
        client->nhead += got > 0 ? (size_t)got : 0;
    }
    return client->nhead == n;
}

/* Discards up to `n` bytes; returns how many there were. */
static size_t
discard(const struct client *client, size_t n)
{
    ssize_t got = recv(client->fd, bytes, n, MSG_TRUNC | MSG_DONTWAIT);

    if (got == 0 || (got < 0 && errno != EAGAIN))
        fail("the server has closed");
    return got > 0 ? (size_t)got : 0;
}

/* Returns whether the response was received completely. */
static bool
receive_plain(struct client *client)
{
    if (client->nhead < 12) {
        if (!read_head(client, 12))
            return false;
        if (memcmp(client->head, "HTTP/1.1 200", 12) != 0)
            fail("an answer of another length, or not 200");
        client->due -= 12;
    }
    client->due -= discard(client, client->due);
    return client->due == 0;
}

static bool
receive_tls(struct client *client)
{
    while (client->due > 0 || client->skip > 0) {
        if (client->skip == 0) {
            if (!read_head(client, RECORD_HEADER))
                return false;
            client->skip = (size_t)client->head[3] << 8 | client->head[4];
            if (client->head[0] != 23 || client->skip < client->extra ||
                client->skip - client->extra > client->due)
                fail("an answer of another length");
            client->due -= client->skip - client->extra;
            client->nhead = 0;
        }
        size_t got = discard(client, client->skip);
        client->skip -= got;
        if (got == 0)
            return false;
    }
    return true;
}

static void
receive(struct load *load, struct client *client)
{
    if (!(client->ssl != NULL ? receive_tls(client) : receive_plain(client)))
        return;
    load->nanswers++;
    times_add(&load->times, now() - client->began);
    ask(client);
}

static void
open_client(struct load *load, struct client *client, int port, SSL_CTX *ctx)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    client->fd = open_socket(port);
    if (ctx != NULL) {
        client->ssl = SSL_new(ctx);
        SSL_set_fd(client->ssl, client->fd);
        if (SSL_connect(client->ssl) != 1)
            fail("the handshake has failed");
        /* A tag, and the type of TLS 1.3 or the nonce of AES-GCM in TLS 1.2. */
        client->extra = SSL_version(client->ssl) == TLS1_3_VERSION ? 16 + 1 : 16 + 8;
    }
    read_first(client);
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fail("epoll_ctl");
}

int
main(int argc, char **argv)
{
    struct load load = {.epoll = epoll_create1(0)};
    struct epoll_event events[EVENTS];

    if (argc < 5 || argc > 7) {
        fprintf(stderr, "usage: big_load PORT CONNECTIONS SECONDS plain|tls"
                        " [BODY_BYTES [PATH]]\n");
        return 2;
    }
    write_request(argc > 6 ? argv[6] : "/", argc > 5 ? strtoul(argv[5], NULL, 10) : 0);
    int nclients = atoi(argv[2]);
    struct client *clients = calloc((size_t)nclients, sizeof *clients);
    SSL_CTX *ctx =
        strcmp(argv[4], "tls") == 0 ? SSL_CTX_new(TLS_client_method()) : NULL;
    for (int i = 0; i < nclients; i++)
        open_client(&load, &clients[i], atoi(argv[1]), ctx);
    double began = now(), until = began + atof(argv[3]);
    for (int i = 0; i < nclients; i++)
        ask(&clients[i]);
    while (now() < until) {
        int n = epoll_wait(load.epoll, events, EVENTS, 100);
        for (int i = 0; i < n; i++)
            receive(&load, events[i].data.ptr);
    }
    report(&load.times, load.nanswers, now() - began);
    return 0;
}
