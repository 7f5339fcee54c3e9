/* SPDX-License-Identifier: MIT */
/* quic/steering.c — see steering.h for the contract. */
#include "quic/steering.h"

#include <assert.h> /* assert */
#include <string.h> /* memset */
#include <unistd.h> /* close */
#include <sys/socket.h>

#include "base/err.h"

#if defined(__linux__) && defined(SO_ATTACH_REUSEPORT_CBPF)

#include <linux/filter.h>

#include "base/mem.h"
#include "base/narrow.h"
#include "quic/ids.h"

/* Offsets of the parts of a packet (RFC 9000 17.2, 17.3). */
#define LONG_HEADER_BIT 0x80u
#define SHORT_ID_AT 1u
#define LONG_ID_LENGTH_AT 5u
#define LONG_ID_AT 6u

/* Bytes of a client's first connection ID, which has 8 at least (RFC 9000 7.2), or
 * random bytes of ours. */
#define ANY_ID_AT 10u
#define PACKET_BYTES_MIN (ANY_ID_AT + 4u)

/* Spreads IDs that a client has counted up. */
#define SPREAD 0x9e3779b1u

/* The number of instructions of each part of a program. */
#define HEAD_INSTRUCTIONS 12u
#define OPEN_INSTRUCTIONS 3u
#define ANY_INSTRUCTIONS 4u
#define ACCEPTING_INSTRUCTIONS 4u

_Static_assert(HEAD_INSTRUCTIONS + ANY_INSTRUCTIONS + 1 +
                       QUIC_SEATS_MAX / 2 *
                           (OPEN_INSTRUCTIONS + ACCEPTING_INSTRUCTIONS) <=
                   QUIC_STEERING_MAX,
               "every second seat is the most that a program has to name");

/* A range of consecutive seats, for which one comparison is sufficient. */
struct run {
    uint32_t first, n;
};

/* Returns the range that begins with seats[i]. */
static struct run
run_at(struct quic_seats seats, size_t i)
{
    struct run run = {.first = seats.seats[i], .n = 1};

    assert(run.first < QUIC_SEATS_MAX);
    while (i + run.n < seats.n && seats.seats[i + run.n] == run.first + run.n)
        run.n++;
    assert(i + run.n == seats.n || seats.seats[i + run.n] > run.first + run.n);
    return run;
}

static struct sock_filter *
put_step(struct sock_filter *at, unsigned code, uint32_t value)
{
    *at = (struct sock_filter){.code = (uint16_t)code, .k = value};
    return at + 1;
}

/* Adds a jump over `yes` or `no` instructions. */
static struct sock_filter *
put_jump(struct sock_filter *at, unsigned how, uint32_t value, uint8_t yes, uint8_t no)
{
    *at = (struct sock_filter){
        .code = (uint16_t)(BPF_JMP | how | BPF_K), .jt = yes, .jf = no, .k = value};
    return at + 1;
}

static uint32_t
count_runs(struct quic_seats seats)
{
    uint32_t nruns = 0;

    for (size_t i = 0; i < seats.n; i += run_at(seats, i).n)
        nruns++;
    return nruns;
}

/* Loads the word of the connection ID that has the seat; skips the instructions of
 * `open` if the packet cannot name one. A load beyond the packet would end the
 * program with 0, also if seat 0 has no worker. */
static struct sock_filter *
load_seat_word(struct sock_filter *at, uint32_t mask, struct quic_seats open,
               uint32_t first)
{
    at = put_step(at, BPF_LD | BPF_W | BPF_LEN, 0);
    at = put_jump(at, BPF_JGE, PACKET_BYTES_MIN, 1, 0);
    at = put_step(at, BPF_RET | BPF_K, first);
    at = put_step(at, BPF_LD | BPF_B | BPF_ABS, 0);
    at = put_jump(at, BPF_JSET, LONG_HEADER_BIT, 2, 0);
    at = put_step(at, BPF_LD | BPF_W | BPF_ABS, SHORT_ID_AT);
    at = put_step(at, BPF_JMP | BPF_JA, 4);
    at = put_step(at, BPF_LD | BPF_B | BPF_ABS, LONG_ID_LENGTH_AT);
    at = put_jump(at, BPF_JEQ, QUIC_ID_BYTES, 1, 0);
    at = put_step(at, BPF_JMP | BPF_JA, 2 + OPEN_INSTRUCTIONS * count_runs(open));
    at = put_step(at, BPF_LD | BPF_W | BPF_ABS, LONG_ID_AT);
    return put_step(at, BPF_ALU | BPF_XOR | BPF_K, mask);
}

size_t
quic_steering_write(struct sock_filter *out, uint32_t mask, struct quic_seats open,
                    struct quic_seats accepting)
{
    struct run run;
    struct sock_filter *at = out;

    assert(accepting.n > 0 && accepting.n <= QUIC_SEATS_MAX);
    assert(open.n <= QUIC_SEATS_MAX);
    at = load_seat_word(at, mask, open, accepting.seats[0]);
    assert(at == out + HEAD_INSTRUCTIONS);
    for (size_t i = 0; i < open.n; i += run.n) {
        run = run_at(open, i);
        at = put_jump(at, BPF_JGE, run.first, 0, 2);
        at = put_jump(at, BPF_JGT, run.first + run.n - 1, 1, 0);
        at = put_step(at, BPF_RET | BPF_A, 0);
    }
    at = put_step(at, BPF_LD | BPF_W | BPF_ABS, ANY_ID_AT);
    at = put_step(at, BPF_ALU | BPF_MUL | BPF_K, SPREAD);
    at = put_step(at, BPF_ALU | BPF_RSH | BPF_K, 16);
    at = put_step(at, BPF_ALU | BPF_MOD | BPF_K, (uint32_t)accepting.n);
    for (size_t i = 0; i < accepting.n; i += run.n) {
        run = run_at(accepting, i);
        at = put_jump(at, BPF_JGE, run.n, 2, 0);
        at = put_step(at, BPF_ALU | BPF_ADD | BPF_K, run.first);
        at = put_step(at, BPF_RET | BPF_A, 0);
        at = put_step(at, BPF_ALU | BPF_SUB | BPF_K, run.n);
    }
    at = put_step(at, BPF_RET | BPF_K, accepting.seats[0]); /* not reached */
    assert(at <= out + QUIC_STEERING_MAX);
    return (size_t)(at - out);
}

int
quic_steering_attach(int fd, uint32_t mask, struct quic_seats open,
                     struct quic_seats accepting)
{
    struct sock_filter *filter = mem_alloc(QUIC_STEERING_MAX * sizeof *filter);

    if (filter == NULL)
        return ERR_NOMEM;
    struct sock_fprog program;
    memset(&program, 0, sizeof program); /* its padding is given to the kernel too */
    program.len = narrow_u16(quic_steering_write(filter, mask, open, accepting));
    program.filter = filter;
    int rv =
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
    mem_free(filter);
    return rv == 0 ? 0 : ERR_IO;
}

bool
quic_steering_works(void)
{
    static const uint16_t seat = 0;
    const struct quic_seats seats = {&seat, 1};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return false;
    bool works = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
                 quic_steering_attach(fd, 0, seats, seats) == 0;
    close(fd);
    return works;
}

#else

int
quic_steering_attach(int fd, uint32_t mask, struct quic_seats open,
                     struct quic_seats accepting)
{
    assert(accepting.n > 0);
    (void)fd;
    (void)mask;
    (void)open;
    return ERR_IO;
}

bool
quic_steering_works(void)
{
    return false;
}

#endif
