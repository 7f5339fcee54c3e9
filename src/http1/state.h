/* SPDX-License-Identifier: MIT */
/* http1/state.h — the state of one HTTP/1 connection and of the exchange that runs on
 * it, shared by the files of http1/. */
#ifndef HTTP1_STATE_H
#define HTTP1_STATE_H

#include "http/exchange.h" /* struct exchange */
#include "http1/chunked.h" /* struct h1_chunked */
#include "http1/parse.h"   /* struct h1_progress */
#include "http1/write.h"   /* struct h1_writer */

/* The state of watching a peer that has stopped sending; see http1/probe.h. */
struct h1_probe {
    uint64_t body_sent; /* stream.body_sent at the last probe */
    uint8_t framing;    /* ... and writer.framing */
    uint8_t ndoubled;   /* how often the time between probes was doubled since then */
    uint8_t nprobes;    /* how often bytes without meaning were sent since then */
    bool is_on;
};

/* One exchange; a block of service->h1_streams. */
struct h1_exchange {
    struct exchange core;
    struct h1_writer writer;
    struct h1_chunked chunked; /* the decoder of a chunked request body */
    uint64_t body_left;        /* bytes left of a Content-Length body */
    struct h1_probe probe;
    bool is_chunked;         /* the request body is chunked */
    _Alignas(8) char note[]; /* stream.note, if something logs */
};

/* The state of a connection when no exchange runs, or next to the running one. */
enum h1_phase {
    H1_IDLE = 0,  /* no byte of the next head has arrived */
    H1_HEAD,      /* a part of it has arrived */
    H1_EXCHANGE,  /* an exchange runs */
    H1_TUNNELLED, /* an exchange runs, and the connection has left HTTP */
    H1_UNREAD,    /* the response was sent, the rest of the request body is discarded */
    H1_OVER,      /* nothing more is read */
    H1_LEFT,      /* another protocol has taken over */
};

struct h1_session {
    struct wire *wire;            /* borrowed: the connection owns both */
    struct h1_exchange *exchange; /* owned; NULL in H1_IDLE and H1_HEAD */
    struct slice *feeding; /* the available bytes during feed; NULL outside of it */
    struct h1_progress progress;
    bool has_begun; /* a head has arrived */
    uint8_t phase;  /* enum h1_phase */
};

#endif
