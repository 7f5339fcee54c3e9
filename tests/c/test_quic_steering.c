/* SPDX-License-Identifier: MIT */
/* tests/c/test_quic_steering.c — which of the sockets of a port gets a packet: the program
 * is interpreted here, and run by the kernel on loopback. */
#include "quic/steering.c"

#include <arpa/inet.h> /* htonl */
#include <poll.h>      /* poll */
#include <string.h>    /* memcpy */

#include <openssl/rand.h>
#include "tap.h"

#define MASK 0x9a3c5e71u
#define PACKET_BYTES 64u
#define SOCKETS 6u

static const uint16_t all[SOCKETS] = {0, 1, 2, 3, 4, 5};

/* A packet with a short header, or a long one whose first byte is `first`. */
static void
write_packet(uint8_t out[PACKET_BYTES], uint8_t first, const ngtcp2_cid *id)
{
    memset(out, 0, PACKET_BYTES);
    out[0] = first;
    if ((first & 0x80) == 0) {
        memcpy(out + 1, id->data, id->datalen);
        return;
    }
    out[4] = 1; /* the version */
    out[5] = (uint8_t)id->datalen;
    memcpy(out + 6, id->data, id->datalen);
}

static ngtcp2_cid
id_of(uint16_t seat)
{
    ngtcp2_cid id = {.datalen = 0};

    if (quic_id_make(&id, MASK, seat) != 0)
        ok(false, "there is no ID");
    return id;
}

static ngtcp2_cid
id_of_client(size_t n)
{
    ngtcp2_cid id = {.datalen = n};

    if (RAND_bytes(id.data, narrow_len(n)) != 1)
        ok(false, "there is no ID");
    return id;
}

/* Loads beyond the packet, at which the kernel would end the program. */
static unsigned beyond;

/* Returns the seat that the program chooses, as the kernel would run it. */
static uint32_t
interpret(const struct sock_filter *program, const uint8_t *packet, size_t len)
{
    uint32_t a = 0;

    for (const struct sock_filter *at = program;; at++) {
        const uint32_t k = at->k;
        switch (at->code) {
        case BPF_LD | BPF_W | BPF_LEN:
            a = (uint32_t)len;
            break;
        case BPF_LD | BPF_W | BPF_ABS:
            beyond += k + 4 > len;
            a = (uint32_t)packet[k] << 24 | (uint32_t)packet[k + 1] << 16 |
                (uint32_t)packet[k + 2] << 8 | packet[k + 3];
            break;
        case BPF_LD | BPF_B | BPF_ABS:
            beyond += k >= len;
            a = packet[k];
            break;
        case BPF_ALU | BPF_XOR | BPF_K:
            a ^= k;
            break;
        case BPF_ALU | BPF_MUL | BPF_K:
            a *= k;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            a >>= k;
            break;
        case BPF_ALU | BPF_MOD | BPF_K:
            a %= k;
            break;
        case BPF_ALU | BPF_ADD | BPF_K:
            a += k;
            break;
        case BPF_ALU | BPF_SUB | BPF_K:
            a -= k;
            break;
        case BPF_JMP | BPF_JA:
            at += k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += a >= k ? at->jt : at->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            at += a > k ? at->jt : at->jf;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == k ? at->jt : at->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            at += (a & k) != 0 ? at->jt : at->jf;
            break;
        case BPF_RET | BPF_K:
            return k;
        case BPF_RET | BPF_A:
            return a;
        default:
            ok(false, "instruction %x is unknown", at->code);
            return UINT32_MAX;
        }
    }
}

static bool
has(struct quic_seats seats, uint32_t seat)
{
    for (size_t i = 0; i < seats.n; i++) {
        if (seats.seats[i] == seat)
            return true;
    }
    return false;
}

/* Checks for each possible seat that its packets go there, or to one that accepts. */
static void
check_seats(const struct sock_filter *program, struct quic_seats open,
            struct quic_seats accepting)
{
    static const uint8_t firsts[] = {0x40, 0xc0, 0xe0};
    uint8_t packet[PACKET_BYTES];
    unsigned wrong = 0;

    for (uint16_t seat = 0; seat < QUIC_SEATS_MAX; seat++) {
        const ngtcp2_cid id = id_of(seat);
        for (size_t i = 0; i < COUNT(firsts); i++) {
            write_packet(packet, firsts[i], &id);
            uint32_t got = interpret(program, packet, sizeof packet);
            wrong += has(open, seat) ? got != seat : !has(accepting, got);
        }
    }
    is(wrong, 0, "each packet goes where it has to");
}

static void
test_every_seat_is_found(void)
{
    static struct sock_filter program[QUIC_STEERING_MAX];
    static uint16_t even[QUIC_SEATS_MAX / 2], every[QUIC_SEATS_MAX];
    const uint16_t some[] = {0, 1, 2, 7, 9, 10, 1023};

    for (unsigned i = 0; i < QUIC_SEATS_MAX; i++) {
        every[i] = (uint16_t)i;
        even[i / 2] = (uint16_t)(i / 2 * 2);
    }
    const struct quic_seats lists[] = {
        {some, 1},           {some, 3},           {some + 3, 4},
        {some, COUNT(some)}, {even, COUNT(even)}, {every, COUNT(every)},
    };
    for (size_t i = 0; i < COUNT(lists); i++) {
        for (size_t j = 0; j < COUNT(lists); j++) {
            size_t n = quic_steering_write(program, MASK, lists[i], lists[j]);
            ok(n <= QUIC_STEERING_MAX, "%zu instructions", n);
            check_seats(program, lists[i], lists[j]);
        }
    }
    size_t n =
        quic_steering_write(program, MASK, (struct quic_seats){NULL, 0}, lists[0]);
    check_seats(program, (struct quic_seats){NULL, 0}, lists[0]);
    is(n, HEAD_INSTRUCTIONS + ANY_INSTRUCTIONS + ACCEPTING_INSTRUCTIONS + 1,
       "no seat is open");
}

/* All packets of a client's ID go to one seat, and those of many clients to all. */
static void
test_clients_are_distributed(void)
{
    static struct sock_filter program[QUIC_STEERING_MAX];
    static const uint16_t accepting[] = {1, 2, 5, 6};
    unsigned counts[8] = {0}, wrong = 0;
    uint8_t packet[PACKET_BYTES];

    (void)quic_steering_write(program, MASK, (struct quic_seats){all, SOCKETS},
                              (struct quic_seats){accepting, COUNT(accepting)});
    for (unsigned i = 0; i < 4000; i++) {
        const ngtcp2_cid id = id_of_client(8 + i % 13);
        write_packet(packet, 0xc0, &id);
        uint32_t seat = interpret(program, packet, sizeof packet);
        wrong += seat >= COUNT(counts);
        counts[seat % COUNT(counts)]++;
        wrong += interpret(program, packet, sizeof packet) != seat;
    }
    is(wrong, 0, "an ID always goes to the same seat");
    for (size_t i = 0; i < COUNT(accepting); i++)
        ok(counts[accepting[i]] > 800 && counts[accepting[i]] < 1200,
           "seat %u has %u of 4000", accepting[i], counts[accepting[i]]);
    is(counts[0] + counts[3] + counts[4] + counts[7], 0, "others have none");
}

static void
test_a_packet_of_any_length_goes_somewhere(void)
{
    static struct sock_filter program[QUIC_STEERING_MAX];
    static const uint16_t accepting[] = {3, 4};
    uint8_t packet[PACKET_BYTES];
    unsigned wrong = 0;

    (void)quic_steering_write(program, MASK, (struct quic_seats){all, SOCKETS},
                              (struct quic_seats){accepting, COUNT(accepting)});
    for (size_t n = 0; n <= sizeof packet; n++) {
        for (unsigned first = 0; first < 256; first++) {
            memset(packet, 0xff, sizeof packet);
            packet[0] = (uint8_t)first;
            uint32_t seat = interpret(program, packet, n);
            wrong += seat != 3 && seat != 4;
        }
    }
    is(wrong, 0, "to one that accepts");
    is(beyond, 0, "and nothing beyond it is read");
}

/* The kernel */

struct port {
    int fds[SOCKETS];
    int client;
};

static void
open_port(struct port *port)
{
    struct sockaddr_in place = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof place;
    const int on = 1;

    for (unsigned i = 0; i < SOCKETS; i++) {
        int fd = port->fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        ok(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0, "shared");
        ok(bind(fd, (struct sockaddr *)&place, sizeof place) == 0, "bound");
        ok(getsockname(fd, (struct sockaddr *)&place, &n) == 0, "named");
    }
    port->client = socket(AF_INET, SOCK_DGRAM, 0);
    ok(connect(port->client, (struct sockaddr *)&place, sizeof place) == 0,
       "connected");
}

static void
close_port(struct port *port)
{
    for (unsigned i = 0; i < SOCKETS; i++)
        close(port->fds[i]);
    close(port->client);
}

/* Sends a packet; returns the index of the socket that has it. */
static unsigned
seat_of(const struct port *port, const uint8_t *packet, size_t n)
{
    struct pollfd ready[SOCKETS];
    uint8_t got[PACKET_BYTES];

    ok(send(port->client, packet, n, 0) == (ssize_t)n, "sent");
    for (unsigned i = 0; i < SOCKETS; i++)
        ready[i] = (struct pollfd){.fd = port->fds[i], .events = POLLIN};
    is(poll(ready, SOCKETS, 5000), 1, "one has it");
    for (unsigned i = 0; i < SOCKETS; i++) {
        if (ready[i].revents == 0)
            continue;
        ok(recv(port->fds[i], got, sizeof got, 0) == (ssize_t)n, "received");
        return i;
    }
    return SOCKETS;
}

static void
check_kernel(const struct port *port, struct quic_seats open,
             struct quic_seats accepting)
{
    uint8_t packet[PACKET_BYTES];

    is(quic_steering_attach(port->fds[0], MASK, open, accepting), 0, "attached");
    for (uint16_t seat = 0; seat < SOCKETS + 2; seat++) {
        const ngtcp2_cid id = id_of(seat);
        for (unsigned first = 0; first < 3; first++) {
            write_packet(packet, (uint8_t)(first == 0 ? 0x40 : 0xa0 + 0x20 * first),
                         &id);
            unsigned got = seat_of(port, packet, sizeof packet);
            ok(has(open, seat) ? got == seat : has(accepting, got),
               "a packet of seat %u is at %u", seat, got);
        }
    }
    for (unsigned i = 0; i < 50; i++) {
        const ngtcp2_cid id = id_of_client(8 + i % 13);
        write_packet(packet, 0xc0, &id);
        unsigned got = seat_of(port, packet, sizeof packet);
        ok(has(accepting, got), "a new client is at %u", got);
        is(seat_of(port, packet, sizeof packet), got, "and stays there");
    }
    is(seat_of(port, packet, 5), accepting.seats[0], "a short packet is harmless");
}

/* As in a rolling reload: workers start, drain and end. */
static void
test_the_kernel_follows_it(void)
{
    static const uint16_t late[] = {2, 4}, old[] = {0, 1, 2, 4};
    struct port port;

    open_port(&port);
    check_kernel(&port, (struct quic_seats){all, SOCKETS},
                 (struct quic_seats){all, SOCKETS});
    check_kernel(&port, (struct quic_seats){old, COUNT(old)},
                 (struct quic_seats){late, COUNT(late)});
    check_kernel(&port, (struct quic_seats){late, COUNT(late)},
                 (struct quic_seats){late, COUNT(late)});
    close_port(&port);
}

static void
test_the_kernel_takes_the_longest(void)
{
    static uint16_t even[QUIC_SEATS_MAX / 2];
    const struct quic_seats seats = {even, COUNT(even)};
    struct port port;

    for (unsigned i = 0; i < COUNT(even); i++)
        even[i] = (uint16_t)(2 * i);
    open_port(&port);
    is(quic_steering_attach(port.fds[0], MASK, seats, seats), 0, "it is taken");
    mem_fail_at(1);
    is(quic_steering_attach(port.fds[0], MASK, seats, seats), ERR_NOMEM, "no memory");
    mem_fail_at(0);
    close_port(&port);
    is(quic_steering_attach(-1, MASK, seats, seats), ERR_IO, "there is no socket");
    ok(quic_steering_works(), "this kernel has it");
}

int
main(void)
{
    test_every_seat_is_found();
    test_clients_are_distributed();
    test_a_packet_of_any_length_goes_somewhere();
    test_the_kernel_follows_it();
    test_the_kernel_takes_the_longest();
    return tap_done();
}
