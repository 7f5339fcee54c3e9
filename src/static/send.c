/* SPDX-License-Identifier: MIT */
/* static/send.c — see send.h for the contract. */
#include "static/send.h"

#include <assert.h>   /* assert */
#include <errno.h>    /* errno */
#include <fcntl.h>    /* fcntl */
#include <inttypes.h> /* PRIx64 */
#include <stdio.h>    /* snprintf */
#include <unistd.h>   /* close, pread */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "net/os.h"
#include "static/system.h"
#include "static/threads.h"

/* How long a file is assumed to be in memory after it was found there. */
#define RESIDENT_MS 1000u

/* Room for the head of a part, except its media type and boundary. */
#define PART_HEAD_BYTES 160u

/* Bytes that a thread has read, lent to the output. */
struct block {
    unsigned nrefs;
    char bytes[];
};

/* A part of a file that a thread reads. */
struct reading {
    struct offload_job job;
    struct sending *sending; /* NULL: the exchange has ended */
    int fd;                  /* owned */
    uint64_t offset;
    size_t n;
    bool is_complete; /* the result: all of it was read */
    struct block *block;
};

/* A body that is being sent; the stream's app. */
struct sending {
    struct stream *stream; /* borrowed */
    struct send_plan plan; /* retains its entry */
    unsigned at;           /* index of the range that is sent */
    uint64_t sent;         /* bytes of it */
    bool has_head;         /* the head of its part was sent */
    struct reading *reading;
};

/* ---- Lending --------------------------------------------------------------------- */

static void
block_retain(void *owner)
{
    ((struct block *)owner)->nrefs++;
}

static void
block_release(void *owner)
{
    struct block *block = owner;

    assert(block->nrefs > 0);
    if (--block->nrefs == 0)
        mem_free(block);
}

static const struct lender block_lender = {block_retain, block_release, 0};

/* ---- Parts ----------------------------------------------------------------------- */

/* Writes the head of a part of multipart/byteranges, or the final boundary after the
 * last part. Returns the length; `out` may be NULL. */
static size_t
write_part_head(const struct send_plan *plan, unsigned i, char *out, size_t room)
{
    char content[RANGE_CONTENT_BYTES];
    int n;

    if (i == plan->nranges) {
        n = snprintf(out, room, "\r\n--%s--\r\n", plan->boundary);
    } else {
        (void)range_write_content(content, &plan->ranges[i], plan->variant->size);
        n = snprintf(
            out, room, "%s--%s\r\ncontent-type: %s\r\ncontent-range: %s\r\n\r\n",
            i == 0 ? "" : "\r\n", plan->boundary, plan->entry->content_type, content);
    }
    assert(n > 0 && (out == NULL || (size_t)n < room));
    return narrow_size(n);
}

uint64_t
send_prepare(struct send_plan *plan)
{
    uint64_t random[2] = {0, 0}, sum = 0;

    assert(plan->nranges > 0 && plan->nranges <= RANGES_MAX);
    if (plan->nranges == 1)
        return plan->ranges[0].len;
    (void)!os_random(random, sizeof random);
    (void)snprintf(plan->boundary, sizeof plan->boundary, "%016" PRIx64 "%016" PRIx64,
                   random[0], random[1]);
    for (unsigned i = 0; i <= plan->nranges; i++)
        sum += write_part_head(plan, i, NULL, 0);
    for (unsigned i = 0; i < plan->nranges; i++)
        sum += plan->ranges[i].len;
    return sum;
}

/* ---- Reading in a thread --------------------------------------------------------- */

static void
reading_free(struct reading *reading)
{
    close(reading->fd);
    if (reading->block != NULL)
        block_release(reading->block);
    mem_free(reading);
}

static void
reading_run(struct offload_job *job)
{
    struct reading *reading = container_of(job, struct reading, job);
    size_t n = 0;

    while (n < reading->n) {
        ssize_t got = pread(reading->fd, reading->block->bytes + n, reading->n - n,
                            narrow_off(reading->offset + n));
        if (got == 0 || (got < 0 && errno != EINTR))
            return;
        n += got > 0 ? narrow_size(got) : 0;
    }
    reading->is_complete = true;
}

static void
reading_drop(struct offload_job *job)
{
    reading_free(container_of(job, struct reading, job));
}

static void send_more(struct sending *sending);

static void
reading_done(struct offload_job *job)
{
    struct reading *reading = container_of(job, struct reading, job);
    struct sending *sending = reading->sending;

    if (sending == NULL) {
        reading_free(reading);
    } else if (!reading->is_complete) {
        struct stream *s = sending->stream;
        sending->reading = NULL;
        reading_free(reading);
        stream_fail(s, ERR_FILE);
    } else {
        send_more(sending);
    }
}

/* Begins to read the bytes [offset, offset + n) in a thread. Returns false if that
 * is not possible. */
static bool
begin_reading(struct sending *sending, uint64_t offset, size_t n)
{
    struct reading *reading = mem_calloc(1, sizeof *reading);
    struct block *block = mem_alloc(sizeof *block + n);
    int fd = fcntl(sending->plan.variant->file->fd, F_DUPFD_CLOEXEC, 0);

    if (reading == NULL || block == NULL || fd < 0)
        goto fail;
    block->nrefs = 1;
    *reading = (struct reading){
        .job = {.run = reading_run, .done = reading_done, .drop = reading_drop},
        .sending = sending,
        .fd = fd,
        .offset = offset,
        .n = n,
        .block = block,
    };
    if (threads_put(sending->plan.entry->statics, &reading->job) != 0)
        goto fail;
    sending->reading = reading;
    return true;

fail:
    mem_free(reading);
    mem_free(block);
    if (fd >= 0)
        close(fd);
    return false;
}

/* ---- Sending --------------------------------------------------------------------- */

static void
sending_free(struct sending *sending)
{
    entry_release(sending->plan.entry);
    mem_free(sending);
}

/* Returns the range that is sent: the only one, if it is the whole file. */
static struct range
range_at(const struct send_plan *plan, unsigned i)
{
    return plan->nranges == 0 ? (struct range){0, plan->variant->size}
                              : plan->ranges[i];
}

/* Sends bytes. Returns whether more may follow now; if not, `sending` may have been
 * freed. */
static bool
pass(struct sending *sending, const struct chunk *chunk, bool last)
{
    int err = stream_send_body(sending->stream, chunk, last);

    if (last || (err != 0 && err != ERR_AGAIN))
        return false; /* the exchange has ended, or will be ended elsewhere */
    return err == 0;
}

/* Sends the head of a part, or the final boundary. */
static bool
pass_part_head(struct sending *sending)
{
    char room[PART_HEAD_BYTES + SEND_BOUNDARY_BYTES + 256];
    bool last = sending->at == sending->plan.nranges;
    size_t n = write_part_head(&sending->plan, sending->at, room, sizeof room);
    const struct chunk chunk = {.bytes = slice_new(room, n)};

    sending->has_head = true;
    return pass(sending, &chunk, last);
}

/* Counts bytes of the range as sent. Returns whether the response ends with them. */
static bool
send_advance(struct sending *sending, struct range range, uint64_t n)
{
    sending->sent += n;
    assert(n > 0 && sending->sent <= range.len);
    if (sending->sent < range.len)
        return false;
    sending->at++;
    sending->sent = 0;
    sending->has_head = false;
    return sending->plan.nranges <= 1;
}

/* Returns whether bytes of the file can be sent without waiting for a disk. The
 * result for one part is used for a moment for the whole file, because pages that
 * are being sent stay in memory. */
static bool
can_send(const struct send_plan *plan, uint64_t offset, uint64_t n)
{
    struct variant *v = plan->variant;
    uint64_t now_ms = clock_ms(&plan->entry->statics->service->clock);

    if (now_ms < v->resident_due_ms)
        return true;
    if (!system_is_resident(v->file->fd, offset, n))
        return false;
    if (n == v->size)
        v->resident_due_ms = now_ms + RESIDENT_MS;
    return true;
}

/* Selects the next bytes of a range: from memory, from the file, or from what a
 * thread has read. Returns false if a thread must read them first. */
static bool
find_bytes(struct sending *sending, uint64_t offset, uint64_t left, struct chunk *chunk)
{
    const struct variant *v = sending->plan.variant;

    *chunk = (struct chunk){.offset = offset};
    if (v->bytes != NULL) {
        chunk->bytes = slice_new(v->bytes + offset, left);
        chunk->lender = &entry_lender;
        chunk->owner = sending->plan.entry;
    } else if (sending->reading != NULL) {
        struct reading *reading = sending->reading;
        assert(reading->is_complete && reading->offset == offset && reading->n <= left);
        chunk->bytes = slice_new(reading->block->bytes, reading->n);
        chunk->lender = &block_lender;
        chunk->owner = reading->block;
    } else {
        size_t n = left < SEND_PART_BYTES ? left : SEND_PART_BYTES;
        size_t nread = left < SEND_READ_BYTES ? left : SEND_READ_BYTES;
        if (!can_send(&sending->plan, offset, n) &&
            begin_reading(sending, offset, nread))
            return false;
        chunk->bytes = slice_new(NULL, n);
        chunk->file = v->file;
    }
    return true;
}

/* Sends the next bytes of a range. Returns whether more may follow now. */
static bool
pass_bytes(struct sending *sending)
{
    struct range range = range_at(&sending->plan, sending->at);
    struct chunk chunk;

    if (!find_bytes(sending, range.first + sending->sent, range.len - sending->sent,
                    &chunk))
        return false;
    struct reading *reading = sending->reading;
    sending->reading = NULL;
    bool last = send_advance(sending, range, chunk.bytes.len);
    bool more = pass(sending, &chunk, last);
    if (reading != NULL)
        reading_free(reading);
    return more;
}

/* Sends until the peer must read first, or a thread must read bytes of the file. */
static void
send_more(struct sending *sending)
{
    bool more = true;

    while (more) {
        bool is_in_parts = sending->plan.nranges > 1;
        more = is_in_parts && !sending->has_head ? pass_part_head(sending)
                                                 : pass_bytes(sending);
    }
}

/* Returns whether the whole body is one chunk that needs no state. */
static bool
make_chunk(const struct send_plan *plan, struct chunk *chunk)
{
    const struct variant *v = plan->variant;
    struct range range = range_at(plan, 0);

    *chunk = (struct chunk){.offset = range.first};
    if (plan->nranges > 1)
        return false;
    if (v->bytes != NULL) {
        chunk->bytes = slice_new(v->bytes + range.first, range.len);
        chunk->lender = &entry_lender;
        chunk->owner = plan->entry;
        return true;
    }
    assert(v->file != NULL && range.len > 0);
    chunk->bytes = slice_new(NULL, range.len);
    chunk->file = v->file;
    return range.len <= SEND_PART_BYTES && can_send(plan, range.first, range.len);
}

int
send_body(struct stream *s, const struct send_plan *plan)
{
    struct chunk chunk;

    assert(s->app == NULL && s->state == STREAM_HEAD_SENT);
    if (stream_has_no_body(s)) {
        chunk = (struct chunk){0};
        return stream_send_body(s, &chunk, true);
    }
    if (make_chunk(plan, &chunk)) {
        int err = stream_send_body(s, &chunk, true);
        return err == ERR_AGAIN ? 0 : err;
    }
    struct sending *sending = mem_calloc(1, sizeof *sending);
    if (sending == NULL)
        return ERR_NOMEM;
    sending->stream = s;
    sending->plan = *plan;
    (void)entry_retain(plan->entry);
    s->app = sending;
    send_more(sending);
    return 0;
}

void
send_on_writable(struct stream *s)
{
    struct sending *sending = s->app;

    if (sending == NULL) /* the whole body was one chunk */
        return;
    assert(sending->reading == NULL); /* it never waits for both */
    send_more(sending);
}

void
send_on_close(struct stream *s, int why)
{
    struct sending *sending = s->app;

    (void)why;
    if (sending == NULL)
        return;
    s->app = NULL;
    if (sending->reading != NULL)
        sending->reading->sending = NULL;
    sending_free(sending);
}
