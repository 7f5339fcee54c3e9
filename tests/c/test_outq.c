/* SPDX-License-Identifier: MIT */
/* tests/c/test_outq.c — bytes are sent in the order they were queued, held bytes
 * wait, and loans are released once; the queue is compared with a flat array of bytes.
 */
#include "base/outq.c"

#include <stdlib.h> /* mkstemp */
#include <unistd.h> /* unlink, write */

#include "base/mem.h"
#include "random.h"
#include "tap.h"

#define MODEL_BYTES (1u << 20) /* as much as one run queues */
#define LOANS_MAX 512u
#define GAPS_MAX 3u

/* Lent bytes, in their own memory, so that a use after the release is detected. */
struct loan {
    char *bytes;
    size_t end; /* of the run's bytes, where the loan ends */
    int nretained, nreleased;
};

/* The expected content of the queue: everything queued so far, and how much was
 * sent. */
struct model {
    struct outq q;
    struct outq_pools pools;
    char *all;         /* all bytes of the run in order */
    size_t end, nsent; /* bytes queued, bytes sent; nsent <= end */
    size_t hold_at;    /* where the hold begins, while q.holding */
    struct loan loans[LOANS_MAX];
    size_t nloans;
    struct outq_node *gaps[GAPS_MAX]; /* open gaps, by their position */
    size_t gap_at[GAPS_MAX];
    size_t ngaps;
    uint64_t seed;
    char next; /* byte that is queued next */
};

static void
loan_retain(void *owner)
{
    struct loan *loan = owner;
    loan->nretained++;
}

static void
loan_release(void *owner)
{
    struct loan *loan = owner;
    loan->nreleased++;
    mem_free(loan->bytes);
    loan->bytes = NULL;
}

static const struct lender lender = {loan_retain, loan_release, 0};

static bool
model_init(struct model *model, uint64_t seed, size_t kept_blocks)
{
    memset(model, 0, sizeof *model);
    outq_pools_init(&model->pools, kept_blocks);
    outq_init(&model->q, &model->pools);
    model->all = mem_alloc(MODEL_BYTES);
    model->seed = seed;
    return model->all != NULL;
}

/* Frees the model. Returns whether every loan was released and every block was
 * freed. */
static bool
model_fini(struct model *model)
{
    bool good = true;

    mem_fail_at(0);
    outq_clear(&model->q);
    good = model->pools.blocks.ntaken == 0 && model->pools.lent.ntaken == 0;
    for (size_t i = 0; i < model->nloans; i++)
        good = good && model->loans[i].nretained == 1 && model->loans[i].nreleased == 1;
    outq_pools_fini(&model->pools);
    mem_free(model->all);
    return good;
}

/* Writes `n` new bytes to `to`. */
static void
make_bytes(struct model *model, char *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = model->next++;
}

static void
do_copy(struct model *model)
{
    size_t n = random_below(&model->seed, random_below(&model->seed, 8) ? 300 : 20000);
    char next = model->next;

    make_bytes(model, model->all + model->end, n);
    if (outq_copy(&model->q, slice_new(model->all + model->end, n)) == 0)
        model->end += n;
    else
        model->next = next;
}

static void
do_reserve(struct model *model)
{
    size_t n = random_below(&model->seed,
                            random_below(&model->seed, 4)
                                ? 100
                                : OUTQ_BLOCK_BYTES - sizeof(struct outq_node) + 1);
    char *at = outq_reserve(&model->q, n);
    if (at == NULL || n == 0)
        return;
    size_t used = random_below(&model->seed, n + 1);
    make_bytes(model, at, used);
    memcpy(model->all + model->end, at, used);
    outq_commit(&model->q, used);
    model->end += used;
}

static void
do_lend(struct model *model)
{
    size_t n = 1 + random_below(&model->seed, 9000);
    struct loan *loan = &model->loans[model->nloans];
    char next = model->next;

    if (model->nloans == LOANS_MAX || (loan->bytes = mem_alloc(n)) == NULL)
        return;
    make_bytes(model, loan->bytes, n);
    if (outq_lend(&model->q, slice_new(loan->bytes, n), &lender, loan) != 0) {
        model->next = next;
        mem_free(loan->bytes);
        loan->bytes = NULL;
        return;
    }
    memcpy(model->all + model->end, loan->bytes, n);
    model->end += n;
    loan->end = model->end;
    model->nloans++;
}

static void
do_gap(struct model *model)
{
    struct outq_node *gap;

    if (!model->q.holding || model->ngaps == GAPS_MAX ||
        (gap = outq_gap(&model->q)) == NULL)
        return;
    model->gaps[model->ngaps] = gap;
    model->gap_at[model->ngaps++] = model->end;
}

/* Fills gap `i`, which moves everything after it. */
static void
do_fill(struct model *model, size_t i)
{
    size_t n = random_below(&model->seed, OUTQ_GAP_BYTES + 1);
    size_t at = model->gap_at[i];
    char *to = model->all + at;

    memmove(to + n, to, model->end - at);
    make_bytes(model, to, n);
    outq_fill(&model->q, model->gaps[i], slice_new(to, n));
    model->end += n;
    for (size_t k = 0; k < model->nloans; k++) {
        if (model->loans[k].end > at)
            model->loans[k].end += n;
    }
    model->ngaps--;
    for (size_t k = i; k < model->ngaps; k++) {
        model->gaps[k] = model->gaps[k + 1];
        model->gap_at[k] = model->gap_at[k + 1] + n;
    }
}

/* Begins a hold, or ends it one way or the other. */
static void
do_hold(struct model *model)
{
    if (!model->q.holding) {
        outq_hold(&model->q);
        model->hold_at = model->end;
    } else if (random_below(&model->seed, 2) == 0) {
        while (model->ngaps > 0)
            do_fill(model, random_below(&model->seed, model->ngaps));
        outq_unhold(&model->q);
    } else {
        outq_take_back(&model->q);
        model->ngaps = 0;
        model->end = model->hold_at;
        for (size_t i = 0; i < model->nloans; i++) {
            if (model->loans[i].end > model->end)
                model->loans[i].end = 0;
        }
    }
}

/* Takes some or all of what the queue offers. Returns whether it is what was queued. */
static bool
do_send(struct model *model)
{
    size_t ready = (model->q.holding ? model->hold_at : model->end) - model->nsent;
    size_t offered = 0;
    struct iovec iov[16];
    int n = outq_iov(&model->q, iov, 1 + (int)random_below(&model->seed, 16));

    if (outq_ready(&model->q) != ready || (n == 0) != (ready == 0))
        return false;
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len == 0 || offered + iov[i].iov_len > ready)
            return false;
        if (memcmp(iov[i].iov_base, model->all + model->nsent + offered,
                   iov[i].iov_len) != 0)
            return false;
        offered += iov[i].iov_len;
    }
    size_t takes = random_below(&model->seed, 2)
                       ? offered
                       : random_below(&model->seed, offered + 1);
    outq_sent(&model->q, takes);
    model->nsent += takes;
    return true;
}

/* Returns whether the loans that were sent, and no others, have been released. */
static bool
loans_are_right(const struct model *model)
{
    for (size_t i = 0; i < model->nloans; i++) {
        const struct loan *loan = &model->loans[i];
        if (loan->nretained != 1 || loan->nreleased != (loan->end <= model->nsent))
            return false;
    }
    return true;
}

static bool
step(struct model *model)
{
    switch (random_below(&model->seed, 8)) {
    case 0:
    case 1:
        do_copy(model);
        break;
    case 2:
        do_reserve(model);
        break;
    case 3:
        do_lend(model);
        break;
    case 4:
        do_gap(model);
        break;
    case 5:
        if (model->ngaps > 0)
            do_fill(model, random_below(&model->seed, model->ngaps));
        break;
    case 6:
        do_hold(model);
        break;
    default:
        return do_send(model);
    }
    return model->q.bytes == model->end - model->nsent && loans_are_right(model);
}

/* Runs random operations; one allocation in `fails` fails, or none if it is 0. */
static bool
agrees_with_a_flat_array(uint64_t seed, unsigned fails)
{
    struct model model;
    bool good = model_init(&model, seed, seed % 5);

    for (int i = 0; good && i < 2000 && model.end + (1u << 16) < MODEL_BYTES; i++) {
        if (fails > 0)
            mem_fail_at(1 + random_below(&model.seed, fails));
        good = step(&model);
    }
    return model_fini(&model) && good;
}

static void
test_bytes_are_sent_in_order_and_loans_released_once(void)
{
    for (uint64_t seed = 1; seed <= 25; seed++)
        ok(agrees_with_a_flat_array(seed, 0), "operations from seed %d", (int)seed);
}

static void
test_a_failed_call_leaves_the_queue_as_it_was(void)
{
    for (uint64_t seed = 101; seed <= 125; seed++)
        ok(agrees_with_a_flat_array(seed, 4), "failing operations from seed %d",
           (int)seed);
}

/* What the queue offers, as text. */
static const char *
offered(const struct outq *q, char out[256])
{
    struct iovec iov[8];
    size_t len = 0;
    int n = outq_iov(q, iov, 8);

    for (int i = 0; i < n; i++) {
        memcpy(out + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    out[len] = '\0';
    return out;
}

static void
test_a_gap_is_filled_before_what_follows_it(void)
{
    struct outq_pools pools;
    struct outq q;
    char text[256];

    outq_pools_init(&pools, 1);
    outq_init(&q, &pools);
    is(outq_copy(&q, slice_of("before ")), 0, "something is queued");
    outq_hold(&q);
    struct outq_node *gap = outq_gap(&q);
    is(outq_copy(&q, slice_of(" after")), 0, "and more after a gap");
    is_text(offered(&q, text), "before ", "the gap and what follows waits");
    outq_sent(&q, 7);
    is(outq_iov(&q, &(struct iovec){0}, 1), 0, "even when everything else is sent");
    outq_fill(&q, gap, slice_of("filled"));
    outq_unhold(&q);
    is_text(offered(&q, text), "filled after", "then all is sent in order");
    outq_sent(&q, 12);
    is(pools.blocks.ntaken, 0, "an empty queue holds no block");
    outq_clear(&q);
    outq_pools_fini(&pools);
}

static void
test_a_cancelled_hold_leaves_no_trace(void)
{
    struct outq_pools pools;
    struct outq q;
    char text[256];
    static const char most[OUTQ_BLOCK_BYTES / 2 + 1];
    struct loan loan = {.bytes = NULL};

    outq_pools_init(&pools, 1);
    outq_init(&q, &pools);
    is(outq_copy(&q, slice_of("kept")), 0, "something is queued");
    outq_hold(&q);
    is(outq_copy(&q, slice_new(most, sizeof most)), 0, "more goes into the same block");
    is(outq_lend(&q, slice_of("lent"), &lender, &loan), 0, "and lent");
    outq_take_back(&q);
    is(loan.nreleased, 1, "what was lent is released");
    is_text(offered(&q, text), "kept", "bytes before the hold stay");
    is(outq_copy(&q, slice_of(" and more")), 0, "the block is still used");
    is_text(offered(&q, text), "kept and more", "where the hold began");
    is(outq_copy(&q, slice_new(most, sizeof most)), 0, "and has the room it had");
    is(pools.blocks.ntaken, 1, "so that it is the only one");
    outq_clear(&q);
    outq_hold(&q);
    is(outq_copy(&q, slice_of("dropped")), 0, "an empty queue can hold, too");
    outq_take_back(&q);
    is(pools.blocks.ntaken, 0, "and is empty afterwards");
    outq_pools_fini(&pools);
}

/* A copy that fails must not remove the gap, which is filled later. */
static void
test_a_gap_survives_a_failed_copy_after_it(void)
{
    static const char big[2 * OUTQ_BLOCK_BYTES];
    struct outq_pools pools;
    struct outq q;
    char text[256];

    outq_pools_init(&pools, 0);
    outq_init(&q, &pools);
    is(outq_copy(&q, slice_of("a")), 0, "something is queued");
    outq_hold(&q);
    struct outq_node *gap = outq_gap(&q);
    mem_fail_at(1);
    int err = outq_copy(&q, slice_new(big, sizeof big));
    mem_fail_at(0);
    is(err, ERR_NOMEM, "a long copy after a gap fails half way");
    outq_fill(&q, gap, slice_of("b"));
    is(outq_copy(&q, slice_of("c")), 0, "a short one continues");
    outq_unhold(&q);
    is_text(offered(&q, text), "abc", "the gap and everything around it is kept");
    outq_clear(&q);
    outq_pools_fini(&pools);
}

static struct file *
make_file(const char *text)
{
    char path[] = "/tmp/outq-XXXXXX";
    int fd = mkstemp(path);

    (void)unlink(path);
    ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "a file");
    return file_new(fd);
}

static void
test_lent_nothing_is_released_too(void)
{
    struct outq_pools pools;
    struct outq q;
    struct loan loan = {.bytes = NULL};

    outq_pools_init(&pools, 1);
    outq_init(&q, &pools);
    is(outq_lend(&q, slice_new("", 0), &lender, &loan), 0, "no bytes are lent");
    is(outq_copy(&q, slice_of("x")), 0, "and one is copied");
    outq_sent(&q, 1);
    is(loan.nreleased, 1, "the owner is notified when what followed is sent");
    is(pools.lent.ntaken, 0, "and the node is released");
    struct file *file = make_file("0123456789");
    is(outq_lend(&q, slice_new("", 0), &lender, &loan), 0, "no bytes are lent");
    is(outq_lend_file(&q, file, 0, 5), 0, "and a file follows");
    const struct outq_node *node = outq_file(&q);
    ok(node != NULL && node->len == 5, "it is next");
    outq_clear(&q);
    file_release(file);
    outq_pools_fini(&pools);
}

/* What precedes a file is sent first, and what follows waits for it. */
static void
test_a_file_is_sent_in_order(void)
{
    struct outq_pools pools;
    struct outq q;
    struct iovec iov[4];
    struct file *file = make_file("0123456789");

    outq_pools_init(&pools, 1);
    outq_init(&q, &pools);
    is(outq_copy(&q, slice_of("head")), 0, "bytes are queued");
    is(outq_lend_file(&q, file, 2, 5), 0, "a part of a file");
    is(outq_copy(&q, slice_of("tail")), 0, "and more bytes");
    is(file->nrefs, 2, "the queue has a reference");
    is(q.bytes, 13, "all of it counts");
    is(outq_iov(&q, iov, 4), 1, "memory ends at the file");
    ok(outq_file(&q) == NULL, "it is not its turn yet");
    outq_sent(&q, 4);
    is(outq_iov(&q, iov, 4), 0, "then there is no memory");
    outq_sent(&q, 2);
    const struct outq_node *node = outq_file(&q);
    ok(node != NULL && node->offset == 4 && node->len == 3, "a part of it was sent");
    outq_sent(&q, 3);
    is(file->nrefs, 1, "it is released");
    is(outq_iov(&q, iov, 4), 1, "what follows is next");
    outq_clear(&q);
    file_release(file);
    outq_pools_fini(&pools);
}

static void
test_a_file_that_is_moved_is_read(void)
{
    struct outq_pools pools;
    struct outq from, to;
    struct iovec iov[4];
    struct file *file = make_file("0123456789");

    outq_pools_init(&pools, 1);
    outq_init(&from, &pools);
    outq_init(&to, &pools);
    is(outq_lend_file(&from, file, 1, 100), 0, "more bytes than the file has");
    is(outq_move(&to, &from, 4), 0, "some of it is moved");
    is(outq_iov(&to, iov, 4), 1, "as memory");
    ok(iov[0].iov_len == 4 && memcmp(iov[0].iov_base, "1234", 4) == 0, "these bytes");
    is(outq_move(&to, &from, 50), ERR_FILE,
       "bytes after the end of the file cannot be read");
    is(to.bytes, 4, "and is not queued");
    outq_clear(&to);
    outq_clear(&from);
    is(file->nrefs, 1, "the file is released");
    file_release(file);
    outq_pools_fini(&pools);
}

static void
test_a_file_needs_memory(void)
{
    struct outq_pools pools;
    struct outq from, to;
    struct file *file = make_file("0123456789");

    outq_pools_init(&pools, 1);
    outq_init(&from, &pools);
    outq_init(&to, &pools);
    mem_fail_at(1);
    is(outq_lend_file(&from, file, 0, 10), ERR_NOMEM, "none for its place");
    mem_fail_at(0);
    is(file->nrefs, 1, "the queue has no reference");
    is(outq_lend_file(&from, file, 0, 10), 0, "queued");
    for (unsigned n = 1; n <= 2; n++) {
        mem_fail_at(n);
        is(outq_move(&to, &from, 10), ERR_NOMEM, "allocation %u for its bytes", n);
        mem_fail_at(0);
        is(to.bytes, 0, "nothing is moved");
        is(from.bytes, 10, "and nothing is lost");
    }
    outq_clear(&from);
    file_release(file);
    outq_pools_fini(&pools);
}

static void
count_loan(void *owner)
{
    ++*(int *)owner;
}

static void
count_return(void *owner)
{
    --*(int *)owner;
}

static void
test_what_follows_the_first_bytes_is_dropped(void)
{
    static const struct lender counter = {count_loan, count_return, 0};
    static const char text[] = "0123456789";
    struct outq_pools pools;
    struct outq q, to;
    int nloans = 0;

    outq_pools_init(&pools, 1);
    outq_init(&to, &pools);
    for (size_t n = 0; n <= 20; n++) {
        outq_init(&q, &pools);
        is(outq_copy(&q, slice_new(text, 5)), 0, "copied");
        is(outq_lend(&q, slice_new(text + 5, 5), &counter, &nloans), 0, "lent");
        is(outq_lend(&q, slice_new(text, 0), &counter, &nloans), 0, "lent nothing");
        is(outq_lend(&q, slice_new(text, 10), &counter, &nloans), 0, "lent");
        outq_keep(&q, n);
        is(q.bytes, n, "so many are kept");
        is(outq_copy(&q, slice_of("x")), 0, "more may follow");
        is(outq_move(&to, &q, n + 1), 0, "and leave in order");
        ok(q.head == NULL && q.bytes == 0, "nothing is left");
        is(to.bytes, n + 1, "all are moved");
        outq_clear(&to);
        is(nloans, 0, "loans are released");
    }
    outq_pools_fini(&pools);
}

int
main(void)
{
    test_a_file_is_sent_in_order();
    test_a_file_that_is_moved_is_read();
    test_a_file_needs_memory();
    test_what_follows_the_first_bytes_is_dropped();
    test_bytes_are_sent_in_order_and_loans_released_once();
    test_a_gap_is_filled_before_what_follows_it();
    test_a_cancelled_hold_leaves_no_trace();
    test_lent_nothing_is_released_too();
    test_a_failed_call_leaves_the_queue_as_it_was();
    test_a_gap_survives_a_failed_copy_after_it();
    return tap_done();
}
