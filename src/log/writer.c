/* SPDX-License-Identifier: MIT */
/* log/writer.c — see writer.h for the contract. */
#include "log/writer.h"

#include <assert.h>  /* assert */
#include <pthread.h> /* pthread_create */
#include <signal.h>  /* sigfillset */
#include <time.h>    /* clock_gettime */
#include <unistd.h>  /* getpid */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "net/os.h"

/* Free buffers that are kept: under steady load, one is filled while another is
 * written. */
#define KEPT_PIECES 2u

/* The thread uses only the members under `lock`, and the sink, which it owns. */
struct writer {
    struct sink sink;
    pthread_t thread;
    pid_t pid; /* the process in which the thread runs */
    uint32_t pieces_max;
    uint32_t npieces; /* used by the owner: number of buffers */
    bool gives_up;    /* atomic: the owner no longer waits */

    pthread_mutex_t lock;
    pthread_cond_t work;        /* there is something to do */
    pthread_cond_t done;        /* all is written, or the thread has ended */
    struct piece *first, *last; /* to be written */
    struct piece *free;
    uint32_t nfree;
    uint32_t nwriting; /* lines of the buffer being written */
    bool is_closing;   /* the thread ends when all is written */
    bool has_ended;
    bool is_left; /* the thread frees the writer */
    bool reopens;
    struct writer_state state;
};

static void
free_pieces(struct piece *piece)
{
    while (piece != NULL) {
        struct piece *next = piece->next;
        mem_free(piece);
        piece = next;
    }
}

static void
destroy(struct writer *writer)
{
    free_pieces(writer->first);
    free_pieces(writer->free);
    sink_fini(&writer->sink);
    pthread_cond_destroy(&writer->work);
    pthread_cond_destroy(&writer->done);
    pthread_mutex_destroy(&writer->lock);
    mem_free(writer);
}

/* Writes one buffer without holding the lock. */
static void
write_piece(struct writer *writer, struct piece *piece)
{
    unsigned nlost;

    assert(writer->nwriting == 0);
    writer->nwriting = piece->nlines;
    pthread_mutex_unlock(&writer->lock);
    int error = sink_write(&writer->sink, slice_new(piece->bytes, piece->len),
                           &writer->gives_up, &nlost);
    pthread_mutex_lock(&writer->lock);
    assert(nlost <= piece->nlines && (error != 0 || nlost == 0));
    if (error != 0) {
        writer->state.nlost += nlost;
        writer->state.error = error;
    }
    writer->nwriting = 0;
    piece->next = writer->free;
    writer->free = piece;
    writer->nfree++;
}

static void
reopen(struct writer *writer)
{
    writer->reopens = false;
    pthread_mutex_unlock(&writer->lock);
    int error = sink_reopen(&writer->sink);
    pthread_mutex_lock(&writer->lock);
    writer->state.reopen_error = error;
    writer->state.nreopens++;
}

static void *
writer_run(void *arg)
{
    struct writer *writer = arg;

    os_name_thread("bolide-log");
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        struct piece *piece = writer->first;
        if (writer->reopens) {
            reopen(writer);
        } else if (piece != NULL && !writer->is_left) {
            writer->first = piece->next;
            write_piece(writer, piece);
        } else if (writer->is_closing) {
            break;
        } else {
            pthread_cond_signal(&writer->done);
            pthread_cond_wait(&writer->work, &writer->lock);
        }
    }
    bool is_left = writer->is_left;
    writer->has_ended = true;
    pthread_cond_signal(&writer->done);
    pthread_mutex_unlock(&writer->lock);
    if (is_left)
        destroy(writer);
    return NULL;
}

/* Starts a thread that receives no signals. */
static int
writer_start(struct writer *writer)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&writer->thread, NULL, writer_run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? 0 : ERR_NOMEM;
}

int
writer_new(const struct sink_config *config, uint32_t pieces_max, struct writer **out)
{
    struct writer *writer = mem_calloc(1, sizeof *writer);
    if (writer == NULL)
        return ERR_NOMEM;

    writer->pieces_max = pieces_max;
    writer->pid = getpid();
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->work, NULL);
    os_condition_init(&writer->done);
    int err = sink_init(&writer->sink, config);
    if (err == 0)
        err = writer_start(writer);
    if (err != 0) {
        destroy(writer);
        return err;
    }
    *out = writer;
    return 0;
}

static struct timespec
time_in(uint32_t ms)
{
    struct timespec due;

    clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_sec += ms / 1000;
    due.tv_nsec += narrow_long(ms % 1000) * 1000000;
    if (due.tv_nsec >= 1000000000) {
        due.tv_nsec -= 1000000000;
        due.tv_sec++;
    }
    return due;
}

void
writer_wait(struct writer *writer, uint32_t patience_ms)
{
    struct timespec due = time_in(patience_ms);

    assert(writer->pid == getpid());
    pthread_mutex_lock(&writer->lock);
    while (writer->first != NULL || writer->nwriting > 0) {
        if (!os_wait_until(&writer->done, &writer->lock, &due))
            break;
    }
    pthread_mutex_unlock(&writer->lock);
}

/* Waits for the thread to end; returns whether it has. */
static bool
wait_for_end(struct writer *writer, uint32_t patience_ms)
{
    struct timespec due = time_in(patience_ms);

    while (!writer->has_ended) {
        if (!os_wait_until(&writer->done, &writer->lock, &due))
            break;
    }
    return writer->has_ended;
}

uint64_t
writer_free(struct writer *writer, uint32_t patience_ms)
{
    if (writer == NULL)
        return 0;
    if (writer->pid != getpid()) {
        /* In a forked process there is no thread, and the lock may be held. */
        sink_fini(&writer->sink);
        return 0;
    }
    pthread_mutex_lock(&writer->lock);
    writer->is_closing = true;
    pthread_cond_signal(&writer->work);
    if (!wait_for_end(writer, patience_ms)) {
        /* From now on the thread counts the lines that it does not write. */
        __atomic_store_n(&writer->gives_up, true, __ATOMIC_RELEASE);
        (void)wait_for_end(writer, 2 * SINK_LOOK_AGAIN_MS);
    }
    uint64_t nlost = writer->state.nlost;
    if (writer->has_ended) {
        assert(writer->first == NULL && writer->nwriting == 0);
        pthread_mutex_unlock(&writer->lock);
        pthread_join(writer->thread, NULL);
        destroy(writer);
        return nlost;
    }
    nlost += writer->nwriting;
    for (struct piece *piece = writer->first; piece != NULL; piece = piece->next)
        nlost += piece->nlines;
    writer->is_left = true;
    pthread_detach(writer->thread);
    pthread_mutex_unlock(&writer->lock);
    return nlost;
}

bool
writer_is_terminal(const struct writer *writer)
{
    return writer->sink.is_terminal;
}

/* Frees surplus buffers after a burst, one per call. */
static struct piece *
take_surplus(struct writer *writer)
{
    struct piece *piece = NULL;

    if (writer->nfree > KEPT_PIECES) {
        piece = writer->free;
        writer->free = piece->next;
        writer->nfree--;
        writer->npieces--;
    }
    return piece;
}

struct piece *
writer_take(struct writer *writer)
{
    if (writer->pid != getpid())
        return NULL;
    pthread_mutex_lock(&writer->lock);
    struct piece *surplus = take_surplus(writer);
    struct piece *piece = writer->free;
    if (piece != NULL) {
        writer->free = piece->next;
        writer->nfree--;
    }
    pthread_mutex_unlock(&writer->lock);
    mem_free(surplus);
    if (piece == NULL && writer->npieces < writer->pieces_max) {
        piece = mem_alloc(sizeof *piece);
        if (piece != NULL)
            writer->npieces++;
    }
    if (piece != NULL) {
        piece->next = NULL;
        piece->len = piece->nlines = 0;
    }
    return piece;
}

void
writer_put(struct writer *writer, struct piece *piece)
{
    assert(piece->next == NULL && piece->len <= PIECE_BYTES);
    pthread_mutex_lock(&writer->lock);
    if (writer->first == NULL)
        writer->first = piece;
    else
        writer->last->next = piece;
    writer->last = piece;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

void
writer_reopen(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->reopens = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

void
writer_state(struct writer *writer, struct writer_state *state)
{
    pthread_mutex_lock(&writer->lock);
    *state = writer->state;
    pthread_mutex_unlock(&writer->lock);
}
