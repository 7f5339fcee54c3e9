/* SPDX-License-Identifier: MIT */
/* server/output.c — see output.h for the contract. */
#include "server/output.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/file.h"
#include "base/narrow.h"
#include "http/tally.h"
#include "server/conn.h"
#include "server/turn.h"

/* Pieces of output in one writev. */
#define WRITE_PIECES 64

/* Bytes written in one go: more, of large files, waits for the next turn. */
#define WRITE_TURN_BYTES (1u << 20)

void
output_set_due(struct conn *conn)
{
    uint32_t stall_ms = conn->turn->service.limits.send_stall_ms;
    if (stall_ms != 0 && conn->send_due_ms == TIMER_NEVER)
        conn->send_due_ms = clock_due(&conn->turn->service.clock, stall_ms);
}

/* What the transport has to say beside what is queued. */
static int
write_own(struct conn *conn)
{
    ssize_t sent = conn->io->ops->writev(conn->io, NULL, 0);

    if (sent < 0)
        return narrow_int(sent);
    conn->send_due_ms = TIMER_NEVER;
    return conn->io->wants_write ? ERR_AGAIN : 0;
}

/* Offers the next pieces of memory, or of a file; *offered is how many bytes, 0 when there
 * is nothing. */
static ssize_t
write_next(struct conn *conn, size_t *offered)
{
    const struct outq_node *file = outq_file(&conn->wire.out);
    struct iovec iov[WRITE_PIECES];

    *offered = 0;
    if (UNLIKELY(file != NULL)) {
        *offered = file->len < IO_FILE_BYTES ? file->len : IO_FILE_BYTES;
        return conn->io->ops->write_file(conn->io, ((struct file *)file->owner)->fd,
                                         file->offset, *offered);
    }
    int n = outq_iov(&conn->wire.out, iov, WRITE_PIECES);
    for (int i = 0; i < n; i++)
        *offered += iov[i].iov_len;
    return n > 0 ? conn->io->ops->writev(conn->io, iov, n) : 0;
}

int
output_write(struct conn *conn)
{
    struct outq *out = &conn->wire.out;
    size_t offered, total = 0;

    assert(conn->state != CONN_DEAD && !conn->is_mute);
    while (outq_ready(out) > 0) {
        if (total >= WRITE_TURN_BYTES)
            return ERR_AGAIN; /* the poller says that there is room */
        ssize_t sent = write_next(conn, &offered);
        assert(offered > 0 && sent <= narrow_ssize(offered));
        if (sent < 0)
            return narrow_int(sent);
        outq_sent(out, narrow_size(sent));
        tally_add(conn->turn->service.tally, TALLY_BYTES_OUT, narrow_size(sent));
        conn->send_due_ms = TIMER_NEVER;
        if (narrow_size(sent) < offered)
            return ERR_AGAIN;
        total += narrow_size(sent);
    }
    return conn->io->wants_write ? write_own(conn) : 0;
}
