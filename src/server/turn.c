/* SPDX-License-Identifier: MIT */
/* server/turn.c — see turn.h for the contract. */
#include "server/turn.h"

#include <assert.h> /* assert */

#include "base/narrow.h"
#include "net/waited.h"
#include "server/conn.h"

void
turn_touch(struct turn *turn, struct conn *conn)
{
    if (conn->state == CONN_DEAD || !list_is_empty(&conn->dirty))
        return;
    list_append(&turn->dirty, &conn->dirty);
    turn->ndirty++;
    if (!turn->is_running && !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
}

void
turn_touch_later(struct turn *turn, struct conn *conn)
{
    if (!turn->is_running) {
        turn_touch(turn, conn);
    } else if (conn->state != CONN_DEAD && list_is_empty(&conn->later)) {
        list_append(&turn->later, &conn->later);
    }
}

void
turn_queue(struct turn *turn, struct conn *conn)
{
    if (conn->state == CONN_DEAD || conn_is_queued(conn))
        return;
    list_append(&turn->queued, &conn->queued);
    if (!turn->is_running && !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
}

void
turn_bury(struct turn *turn, struct conn *conn)
{
    assert(conn->state == CONN_DEAD);
    if (!list_is_empty(&conn->dirty)) {
        assert(turn->ndirty > 0);
        turn->ndirty--;
    }
    list_remove(&conn->dirty);
    list_remove(&conn->later);
    list_remove(&conn->queued);
    list_append(&turn->dead, &conn->dirty);
    if (!turn->is_running && !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
}

void
turn_serve(struct turn *turn)
{
    struct list_node batch, *node;

    list_init(&batch);
    list_move_all(&batch, &turn->dirty);
    while ((node = list_take_first(&batch)) != NULL) {
        assert(turn->ndirty > 0);
        turn->ndirty--;
        conn_serve(container_of(node, struct conn, dirty));
    }
    assert((turn->ndirty == 0) == list_is_empty(&turn->dirty));
}

static void
serve_some(struct turn *turn)
{
    uint64_t now_ns =
        clock_last_ns(&turn->service.clock); /* of the last answer's end */

    if (turn->ndirty <= 1)
        turn->waiting_ns = now_ns;
    if (turn->ndirty >= TURN_FLUSH_EVERY || now_ns - turn->waiting_ns >= TURN_FLUSH_NS)
        turn_serve(turn);
}

void
turn_go_on(struct turn *turn)
{
    struct list_node *node = list_take_first(&turn->queued);

    if (node == NULL)
        return;
    conn_go_on(container_of(node, struct conn, queued));
    serve_some(turn);
}

void
turn_feed(struct turn *turn)
{
    for (uint32_t i = 0; i < turn->nahead; i++) {
        const struct ahead *ahead = &turn->ahead[i];
        conn_feed(ahead->conn, slice_new(turn->scratch + ahead->at, ahead->len));
        serve_some(turn);
    }
    turn->nahead = 0;
    turn->scratch_used = 0;
}

bool
turn_finds_late(struct turn *turn, int fd)
{
    bool has_left;

    if (LIKELY(!overload_asks(&turn->overload)))
        return false;
    uint32_t waited = waited_ms(fd, &has_left);
    return overload_sheds(&turn->overload, turn_now_ms(turn), waited, has_left);
}

void
turn_take(struct turn *turn, struct conn *conn, unsigned events)
{
    if (events == POLLER_READ && conn_is_queued(conn))
        return; /* the poller says it again */
    turn->ntaken++;
    if (!conn_can_read_ahead(conn, events)) {
        turn_feed(turn);
        conn_on_event(conn, events);
        serve_some(turn);
        return;
    }
    uint32_t at = turn->scratch_used;
    assert(turn->nahead < TURN_AHEAD && at <= TURN_AHEAD_BYTES);
    size_t n = conn_read_ahead(conn, turn->scratch + at, TURN_SCRATCH_BYTES - at);
    if (n == 0)
        return;
    assert(n <= TURN_SCRATCH_BYTES - at);
    turn->ahead[turn->nahead++] = (struct ahead){conn, at, narrow_u32(n)};
    turn->scratch_used =
        at + narrow_u32((n + 63) & ~(size_t)63); /* a cache line's start */
    if (turn->nahead == TURN_AHEAD || turn->scratch_used > TURN_AHEAD_BYTES)
        turn_feed(turn);
}

void
turn_expire(struct turn *turn)
{
    uint64_t now_ms = turn_now_ms(turn);
    struct timer *timer;

    while ((timer = timer_wheel_expire(&turn->wheel, now_ms)) != NULL)
        conn_on_timer(container_of(timer, struct conn, timer));
    now_ms = turn_now_ms(turn);
    int64_t wait = timer_wheel_wait_ms(&turn->wheel, now_ms);
    if (wait >= 0)
        turn_note_due(turn, now_ms + narrow_size(wait));
}

/* The alarm is a system call: it is set when it has to ring earlier, and otherwise left to
 * ring too early. */
static void
set_alarm(struct turn *turn)
{
    uint64_t now = clock_ms(&turn->service.clock);

    if (turn->next_due_ms < turn->armed_ms) {
        uint64_t due = turn->next_due_ms;
        poller_alarm(turn->poller, due > now ? narrow_i64(due - now) : 1);
        turn->armed_ms = due;
    }
    turn->next_due_ms = TIMER_NEVER;
}

void
turn_end(struct turn *turn)
{
    struct list_node *node;

    assert(turn->is_running && turn->nahead == 0 && turn->scratch_used == 0);
    /* Serving lets pipelined requests begin, whose answers are to leave now as well; a
     * connection gets at most a few rounds, the rest belongs to the next turn. */
    for (int round = 0; round < 4 && !list_is_empty(&turn->dirty); round++)
        turn_serve(turn);
    while ((node = list_take_first(&turn->dead)) != NULL)
        conn_bury(container_of(node, struct conn, dirty));
    while ((node = list_take_first(&turn->later)) != NULL)
        turn_touch(turn, container_of(node, struct conn, later));
    assert(list_is_empty(&turn->dead) && list_is_empty(&turn->later));
    if ((!list_is_empty(&turn->dirty) || !list_is_empty(&turn->queued)) &&
        !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
    set_alarm(turn);
}
