/* SPDX-License-Identifier: MIT */
/* tests/c/test_pace.c — for which connections the kernel keeps more unsent bytes. */
#include "server/pace.c"

#include <netinet/in.h>  /* IPPROTO_TCP */
#include <netinet/tcp.h> /* TCP_NOTSENT_LOWAT */
#include <sys/socket.h>  /* socket, getsockopt */
#include <unistd.h>      /* close */

#include "still_time.h"
#include "tap.h"

#define STALL_MS 30000u

static struct turn turn;

/* Creates a connection whose socket accepts no bytes since now. */
static void
begin(struct conn *conn, int domain)
{
    *conn = (struct conn){.link.turn = &turn};
    conn->io = &conn->plain;
    conn->plain.fd = socket(domain, SOCK_STREAM, 0);
    conn->send_due_ms = turn.service.clock.ms + STALL_MS;
}

static void
end(struct conn *conn)
{
    pace_forget(conn);
    close(conn->plain.fd);
}

static void
pass_ms(uint64_t ms)
{
    turn.service.clock.ms += ms;
}

static unsigned
kept(const struct conn *conn)
{
    unsigned bytes = 0;
    socklen_t len = sizeof bytes;

#ifdef TCP_NOTSENT_LOWAT
    (void)getsockopt(conn->plain.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, &len);
#endif
    return bytes;
}

static void
test_the_kernel_keeps_more_for_a_peer_that_reads_fast(void)
{
    struct conn conn;

    begin(&conn, AF_INET);
    pass_ms(PACE_FAST_MS);
    pace_judge(&conn);
    ok(conn.is_fast, "it was full for a short time");
    is(kept(&conn), PACE_FAST_BYTES, "more is kept");
    conn.send_due_ms = turn.service.clock.ms + STALL_MS;
    pass_ms(PACE_FAST_MS + 1);
    pace_judge(&conn);
    ok(!conn.is_fast, "until it is full for longer");
    is(kept(&conn), LISTENER_UNSENT_BYTES, "then less is kept");
    is(turn.nfast, 0, "and it counts no more");
    end(&conn);
}

static void
test_a_peer_that_reads_slowly_gets_nothing(void)
{
    struct conn conn;

    begin(&conn, AF_INET);
    pass_ms(PACE_FAST_MS + 1);
    pace_judge(&conn);
    is(kept(&conn), 0, "nothing is set");
    conn.send_due_ms = TIMER_NEVER;
    pace_judge(&conn);
    is(kept(&conn), 0, "nor for one that was not waited for");
    end(&conn);
}

static void
test_the_number_of_fast_connections_is_limited(void)
{
    static struct conn conns[PACE_FAST_MAX + 1];

    for (unsigned i = 0; i <= PACE_FAST_MAX; i++) {
        begin(&conns[i], AF_INET);
        pace_judge(&conns[i]);
    }
    is(turn.nfast, PACE_FAST_MAX, "the limit");
    ok(!conns[PACE_FAST_MAX].is_fast, "is kept");
    pace_forget(&conns[0]);
    pace_judge(&conns[PACE_FAST_MAX]);
    ok(conns[PACE_FAST_MAX].is_fast, "one that ends makes room for another");
    for (unsigned i = 0; i <= PACE_FAST_MAX; i++)
        end(&conns[i]);
    is(turn.nfast, 0, "none is left");
}

static void
test_a_unix_socket_takes_no_place(void)
{
    struct conn conn;

    begin(&conn, AF_UNIX);
    pace_judge(&conn);
    is(turn.nfast, 0, "it has no such limit");
    end(&conn);
}

static void
test_without_a_deadline_no_peer_is_judged(void)
{
    struct conn conn;

    turn.service.limits.send_stall_ms = 0;
    begin(&conn, AF_INET);
    pace_judge(&conn);
    is(turn.nfast, 0, "its time is not known");
    end(&conn);
    turn.service.limits.send_stall_ms = STALL_MS;
}

int
main(void)
{
    turn.service.limits.send_stall_ms = STALL_MS;
    clock_init(&turn.service.clock);
    clock_begin(&turn.service.clock);
    test_the_kernel_keeps_more_for_a_peer_that_reads_fast();
    test_a_peer_that_reads_slowly_gets_nothing();
    test_the_number_of_fast_connections_is_limited();
    test_a_unix_socket_takes_no_place();
    test_without_a_deadline_no_peer_is_judged();
    return tap_done();
}
