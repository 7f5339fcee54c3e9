/* SPDX-License-Identifier: MIT */
/* http1/session.h — HTTP/1.0 and 1.1 on one connection: one request after the other, in
 * order, each answered before the next one begins. */
#ifndef HTTP1_SESSION_H
#define HTTP1_SESSION_H

#include "http/body_wait.h" /* struct body_wait */
#include "http/session.h"   /* struct wire, struct protocol */
#include "http1/chunked.h"  /* struct h1_chunked */
#include "http1/parse.h"    /* struct h1_progress */
#include "http1/write.h"    /* struct h1_writer */

/* What is known of a peer that has stopped sending; see http1/watch.h. */
struct h1_watch {
    uint64_t body_sent; /* stream.body_sent at the last look */
    uint8_t framing;    /* ... and writer.framing */
    uint8_t ndoubled;   /* how often the time between looks was, since then */
    uint8_t nprobes;    /* bytes that meant nothing were sent so often since then */
    bool is_on;
};

/* One exchange; a block of service->h1_streams. */
struct h1_exchange {
    struct stream stream;
    struct h1_writer writer;
    struct h1_chunked chunked; /* the decoder of a chunked request body */
    uint64_t body_left;        /* bytes of a Content-Length body that are to come */
    struct body_wait wait;     /* for the peer, of a pull */
    struct h1_watch watch;
    bool is_chunked;         /* the request body is chunked */
    uint8_t head_turns;      /* for which the head has waited for the body's start */
    _Alignas(8) char note[]; /* stream.note, where something logs */
};

/* Where a connection stands when no exchange runs, or beside the one that runs. */
enum h1_phase {
    H1_IDLE = 0,  /* no byte of the next head has come */
    H1_HEAD,      /* a part of it has */
    H1_EXCHANGE,  /* an exchange runs */
    H1_TUNNELLED, /* an exchange runs, and HTTP has ended */
    H1_UNREAD,    /* the answer is out, the rest of the request body is discarded */
    H1_OVER,      /* nothing more is read */
    H1_LEFT,      /* another protocol has taken over */
};

struct h1_session {
    struct wire *wire; /* borrowed: the connection owns both */
    const struct h1_scan *scan;
    struct h1_exchange *exchange; /* owns; NULL in H1_IDLE and H1_HEAD */
    struct slice *feeding; /* the bytes at hand during feed; NULL outside of it */
    struct h1_progress progress;
    bool has_begun; /* a head has come */
    uint8_t phase;  /* enum h1_phase */
};

/* The protocol for server/conn.c. */
extern const struct protocol h1_protocol;

/* For exchange.c: answers with the status that belongs to `err` where it has one, tells
 * the peer no more and finishes the connection. */
void h1_refuse(struct h1_session *h, int err, bool is_head);

#endif
