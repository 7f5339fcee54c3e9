/* SPDX-License-Identifier: MIT */
/* tests/c/test_tickets.c — session tickets: keys that all workers derive alike, and
 * that rotate. */
#include "tls/tickets.c"

#include <openssl/err.h>

#include "failing.h"
#include "tap.h"

#define PERIOD_S 600u

static struct tls_tickets
tickets_of(uint8_t secret)
{
    struct tls_tickets tickets = {.period_s = PERIOD_S};

    memset(tickets.secret, secret, sizeof tickets.secret);
    return tickets;
}

static bool
is_same(const struct tls_ticket_key *a, const struct tls_ticket_key *b)
{
    return a->period == b->period && memcmp(a->name, b->name, sizeof a->name) == 0 &&
           memcmp(a->cipher, b->cipher, sizeof a->cipher) == 0 &&
           memcmp(a->mac, b->mac, sizeof a->mac) == 0;
}

/* Two workers that do not communicate. */
static void
test_workers_have_the_same_keys(void)
{
    struct tls_tickets one = tickets_of(1), two = tickets_of(1), other = tickets_of(2);

    ok(tls_tickets_turn(&one, 10 * PERIOD_S) == 0, "a key is derived");
    ok(tls_tickets_turn(&two, 11 * PERIOD_S - 1) == 0, "in a second worker too");
    ok(tls_tickets_turn(&other, 10 * PERIOD_S) == 0, "and from another secret");
    ok(is_same(&one.now, &two.now), "workers make tickets with the same key");
    ok(is_same(&one.before, &two.before), "they read the same older one");
    ok(!is_same(&one.now, &other.now), "another secret makes another key");
    ok(memcmp(one.now.name, other.now.name, sizeof one.now.name) != 0,
       "its name differs");
    ok(memcmp(one.now.cipher, one.now.mac, sizeof one.now.mac) != 0,
       "cipher and mac have keys of their own");
}

/* A key creates tickets for one period, reads them for one more, and is then
 * deleted. */
static void
test_keys_rotate(void)
{
    struct tls_tickets tickets = tickets_of(1);

    ok(tls_tickets_turn(&tickets, 10 * PERIOD_S) == 0, "a key is derived");
    struct tls_ticket_key first = tickets.now;
    ok(tls_tickets_turn(&tickets, 11 * PERIOD_S - 1) == 0,
       "it is asked for at the end of its period");
    ok(is_same(&tickets.now, &first), "and still the same");
    ok(tls_tickets_turn(&tickets, 11 * PERIOD_S) == 0, "the next period comes");
    ok(!is_same(&tickets.now, &first), "it has another key");
    ok(is_same(&tickets.before, &first), "the first one still reads");
    ok(tls_tickets_turn(&tickets, 12 * PERIOD_S) == 0, "one more period");
    ok(!is_same(&tickets.now, &first) && !is_same(&tickets.before, &first),
       "the first one is deleted");
}

/* The clock of a machine is set back: the earlier keys are used again. */
static void
test_the_clock_goes_back(void)
{
    struct tls_tickets tickets = tickets_of(1);

    ok(tls_tickets_turn(&tickets, 10 * PERIOD_S) == 0, "a key is derived");
    struct tls_ticket_key first = tickets.now;
    ok(tls_tickets_turn(&tickets, 20 * PERIOD_S) == 0, "the clock advances");
    ok(tls_tickets_turn(&tickets, 10 * PERIOD_S) == 0, "the clock is set back");
    ok(is_same(&tickets.now, &first), "the earlier key is used");
}

/* What OpenSSL asks, with keys of its own for the cipher and the code. */
struct asked {
    SSL_CTX *ctx;
    SSL *ssl;
    EVP_CIPHER_CTX *cipher;
    EVP_MAC *mac;
    EVP_MAC_CTX *code;
    unsigned char name[16], iv[16];
};

static int
ask(struct asked *a, int is_encrypting)
{
    return on_ticket(a->ssl, a->name, a->iv, a->cipher, a->code, is_encrypting);
}

/* One of the key before is read and replaced. */
static void
test_tickets_are_made_and_read(void)
{
    struct tls_tickets tickets = {.period_s = UINT32_MAX};
    struct asked a = {.ctx = SSL_CTX_new(TLS_server_method())};

    SSL_CTX_set_app_data(a.ctx, &tickets);
    (void)SSL_CTX_set_max_proto_version(a.ctx, TLS1_2_VERSION);
    a.ssl = SSL_new(a.ctx);
    a.cipher = EVP_CIPHER_CTX_new();
    a.mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    a.code = EVP_MAC_CTX_new(a.mac);
    is(ask(&a, 1), 1, "a ticket is made");
    ok(memcmp(a.name, tickets.now.name, sizeof a.name) == 0, "by the present key");
    ok(ask(&a, 0) > 0, "and read");
    memcpy(a.name, tickets.before.name, sizeof a.name);
    is(ask(&a, 0), 2, "one of the key before is replaced");
    a.name[0] ^= 1;
    is(ask(&a, 0), 0, "one of another key is unknown");
    for (unsigned long n = 1; n < 20; n++) {
        tickets.now.period = 0;
        memcpy(a.name, tickets.now.name, sizeof a.name);
        fault_at(n, 0);
        int result = ask(&a, n % 2);
        bool has_failed = fault_name()[0] != '\0';
        (void)fault_stop();
        ok(has_failed ? result == -1 : result > 0, "call %lu: %d", n, result);
    }
    ERR_clear_error();
    EVP_MAC_CTX_free(a.code);
    EVP_MAC_free(a.mac);
    EVP_CIPHER_CTX_free(a.cipher);
    SSL_free(a.ssl);
    SSL_CTX_free(a.ctx);
}

int
main(void)
{
    test_tickets_are_made_and_read();
    test_workers_have_the_same_keys();
    test_keys_rotate();
    test_the_clock_goes_back();
    return tap_done();
}
