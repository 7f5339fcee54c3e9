/* SPDX-License-Identifier: MIT */
/* tests/c/test_refusal.c — what a refused peer receives, and what is logged. */
#include "server/refusal.c"

#include "base/mem.h"
#include "tap.h"

#include "small_server.h"
#include "server/protocols.h"

static char logged[1024];
static int nlines;

static void
on_line(void *arg, enum log_level level, struct slice line)
{
    (void)arg;
    (void)level;
    nlines++;
    snprintf(logged, sizeof logged, "%.*s", narrow_len(line.len), line.ptr);
}

static struct server *server;

/* Creates a connection from 10.0.0.1; returns the other end of its socket. */
static struct conn *
set_up(int *peer)
{
    struct server_config config = small_config();
    struct addr none = {.len = 0};
    int pair[2];

    config.log_sink = on_line;
    nlines = 0;
    is(server_new(&config, &server), 0, "a server");
    is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0, "two sockets");
    is(conn_open(&server->turn, pair[0], &none, NULL, &h1_protocol), 0, "a connection");
    struct conn *conn = container_of(server->turn.links.next, struct conn, link.node);
    conn->link.wire.peer.addr =
        (struct peer_addr){.bytes = {10, 0, 0, 1}, .port = 99, .kind = PEER_IPV4};
    *peer = pair[1];
    return conn;
}

static uint64_t
refused(void)
{
    uint64_t n = 0;

    for (unsigned id = TALLY_REFUSED; id < TALLY_BUCKET; id++)
        n += tally_get(server->tally, id);
    return n;
}

static void
test_regular_ends_are_not_logged(void)
{
    static const int reasons[] = {0, ERR_EOF, ERR_RESET, ERR_CLOSED, ERR_SHUTDOWN};
    int peer;
    struct conn *conn = set_up(&peer);

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        refusal_log(&conn->link, reasons[i], NULL);
    is(nlines, 0, "nothing is logged");
    is(refused(), 0, "and nothing is counted");
    server_free(server);
    close(peer);
}

static void
test_a_reason_is_logged_once_and_counted_each_time(void)
{
    int peer;
    struct conn *conn = set_up(&peer);

    for (int i = 0; i < 3; i++)
        refusal_log(&conn->link, ERR_HEAD_TOO_LARGE, NULL);
    is(nlines, 1, "one line");
    ok(strstr(logged, "10.0.0.1:99: 431, ") != NULL, "names peer and status: %s",
       logged);
    is(refused(), 3, "three are counted");
    refusal_log(&conn->link, ERR_HOST_MISSING, NULL);
    is(nlines, 2, "another reason has its own line");
    conn->link.wire.peer.addr.bytes[3] = 2;
    refusal_log(&conn->link, ERR_HEAD_TOO_LARGE, NULL);
    is(nlines, 3, "and so has another address");
    conn->link.wire.peer.addr = (struct peer_addr){0};
    refusal_log(&conn->link, ERR_TARGET_TOO_LONG, NULL);
    ok(strstr(logged, "unix:0: ") != NULL, "a Unix socket is called that: %s", logged);
    server_free(server);
    close(peer);
}

static void
test_a_response_is_complete(void)
{
    char text[128], got[512] = "";
    int peer;
    struct conn *conn = set_up(&peer);

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    server_begin_turn(server);
    refusal_answer(conn, text, ERR_PROXY);
    is(conn->link.state, LINK_FINISHING, "the connection ends after it");
    ok(conn->link.wire.lingers, "and waits for the peer to read it");
    server_end_turn(server);
    ok(recv(peer, got, sizeof got - 1, 0) > 0, "it is sent");
    ok(strncmp(got, "HTTP/1.1 400 ", 13) == 0, "with its status");
    ok(strstr(got, "\r\ncontent-length: 127\r\n") != NULL, "and length");
    const char *body = strstr(got, "\r\n\r\n");
    is_text(body != NULL ? body + 4 : "", text, "and the longest text");
    server_free(server);
    close(peer);
}

static void
test_without_memory_the_connection_is_closed(void)
{
    int peer;
    struct conn *conn = set_up(&peer);

    server_begin_turn(server);
    mem_fail_at(1);
    refusal_answer(conn, "text", ERR_PROXY);
    mem_fail_at(0);
    is(conn->link.state, LINK_DEAD, "at once");
    server_end_turn(server);
    is(server->turn.nlinks, 0, "and freed");
    server_free(server);
    close(peer);
}

int
main(void)
{
    test_regular_ends_are_not_logged();
    test_a_reason_is_logged_once_and_counted_each_time();
    test_a_response_is_complete();
    test_without_memory_the_connection_is_closed();
    return tap_done();
}
