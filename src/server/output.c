/* SPDX-License-Identifier: MIT */
/* server/output.c — see output.h for the contract. */
#include "server/output.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/file.h"
#include "base/narrow.h"
#include "http/tally.h"
#include "server/conn_state.h"
#include "server/disconnect.h"
#include "server/turn.h"

/* Maximum number of buffers in one writev(). */
#define WRITE_PIECES 64

/* After so many bytes of large files, the rest waits for the next turn. */
#define WRITE_TURN_BYTES (1u << 20)

void
output_set_due(struct conn *conn)
{
    uint32_t stall_ms = conn->link.turn->service.limits.send_stall_ms;
    if (stall_ms != 0 && conn->send_due_ms == TIMER_NEVER)
        conn->send_due_ms = clock_due(&conn->link.turn->service.clock, stall_ms);
}

/* Writes what the transport has to send in addition to the queue. */
static int
write_own(struct conn *conn)
{
    ssize_t sent = conn->io->ops->writev(conn->io, NULL, 0);

    if (sent < 0)
        return narrow_int(sent);
    conn->send_due_ms = TIMER_NEVER;
    return conn->io->wants_write ? ERR_AGAIN : 0;
}

/* Offers the next buffers of memory, or of a file; *offered is the number of bytes, 0
 * if there are none. */
static ssize_t
write_next(struct conn *conn, size_t *offered)
{
    const struct outq *out = &conn->link.wire.out;
    const struct outq_node *file = outq_file(out);
    struct io *io = conn->io;
    struct iovec iov[WRITE_PIECES];

    *offered = 0;
    if (UNLIKELY(file != NULL)) {
        *offered = file->len < io->ops->file_bytes ? file->len : io->ops->file_bytes;
        io->is_partial = *offered < outq_ready(out);
        return io->ops->write_file(io, ((struct file *)file->owner)->fd, file->offset,
                                   *offered);
    }
    int n = outq_iov(out, iov, WRITE_PIECES);
    for (int i = 0; i < n; i++)
        *offered += iov[i].iov_len;
    io->is_partial = *offered < outq_ready(out);
    return n > 0 ? io->ops->writev(io, iov, n) : 0;
}

int
output_write(struct conn *conn)
{
    struct outq *out = &conn->link.wire.out;
    size_t offered, total = 0;

    assert(conn->link.state != LINK_DEAD && !conn->is_mute);
    while (outq_ready(out) > 0) {
        if (total >= WRITE_TURN_BYTES)
            return ERR_AGAIN; /* the poller reports when there is room */
        ssize_t sent = write_next(conn, &offered);
        assert(offered > 0 && sent <= narrow_ssize(offered));
        if (sent < 0)
            return narrow_int(sent);
        outq_sent(out, narrow_size(sent));
        tally_add(conn->link.turn->service.tally, TALLY_BYTES_OUT, narrow_size(sent));
        conn->send_due_ms = TIMER_NEVER;
        if (narrow_size(sent) < offered)
            return ERR_AGAIN;
        total += narrow_size(sent);
    }
    return conn->io->wants_write ? write_own(conn) : 0;
}

/* Returns how many bytes were sent. */
static size_t
write_ready(struct conn *conn)
{
    size_t had = conn->link.wire.out.bytes;
    int err = output_write(conn);
    size_t left = conn->link.wire.out.bytes;

    assert(left <= had);
    conn->wants_write = err == ERR_AGAIN;
    if (err == ERR_AGAIN)
        output_set_due(conn);
    else if (err == ERR_RESET && conn->link.state == LINK_OPEN)
        disconnect_mute(conn);
    else if (err != 0)
        conn_abort(conn, err);
    return had - left;
}

/* Writes for a connection with much output; others may have used up the limit of a turn
 * for these. */
static void
write_much(struct conn *conn)
{
    struct turn *turn = conn->link.turn;

    conn->was_high = true;
    if (turn->written_bytes >= OUTPUT_TURN_BYTES)
        turn_touch_later(turn, &conn->link);
    else
        turn->written_bytes += write_ready(conn);
}

void
output_flush(struct conn *conn)
{
    struct outq *out = &conn->link.wire.out;

    assert(conn->link.state != LINK_DEAD);
    if (UNLIKELY(conn->is_mute)) {
        conn->was_high = conn->was_high || out->bytes > HTTP_OUT_HIGH_BYTES;
        outq_sent(out, outq_ready(out));
    } else if (UNLIKELY(out->bytes > HTTP_OUT_HIGH_BYTES)) {
        write_much(conn);
    } else if (outq_ready(out) > 0 || out->held > 0 || conn->io->wants_write) {
        (void)write_ready(conn);
    }
}

/* Returns whether the connection may write ahead. All that do so share one limit
 * equally. */
static bool
may_write_ahead(struct conn *conn)
{
    struct turn *turn = conn->link.turn;

    if (conn->ahead_turn != (uint32_t)turn->number) {
        conn->ahead_turn = (uint32_t)turn->number;
        conn->ahead_bytes = 0;
        turn->nsending++;
    }
    unsigned n = turn->nsenders > turn->nsending ? turn->nsenders : turn->nsending;
    if (n == 0) /* the low bits of another turn's number were equal */
        n = 1;
    return conn->ahead_bytes < OUTPUT_AHEAD_BYTES / n &&
           turn->ahead_bytes < OUTPUT_AHEAD_BYTES;
}

bool
output_ahead(struct conn *conn)
{
    /* A mute connection drops output once per turn, otherwise a task that only sends
     * would never let it end. */
    if (conn->link.state == LINK_DEAD || conn->wants_write || conn->is_mute)
        return false;
    conn->was_high = conn->was_high || conn->link.wire.out.bytes > HTTP_OUT_HIGH_BYTES;
    if (!may_write_ahead(conn)) {
        turn_touch(conn->link.turn, &conn->link);
        return false;
    }
    size_t n = write_ready(conn);
    conn->ahead_bytes += narrow_u32(n);
    conn->link.turn->ahead_bytes += n;
    return true;
}
