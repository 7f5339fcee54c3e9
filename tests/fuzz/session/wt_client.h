/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_client.h — a client of WebTransport over a scripted connection
 * (session/quic.h), which sends anything, and checks what the server sends. */
#ifndef FUZZ_SESSION_WT_CLIENT_H
#define FUZZ_SESSION_WT_CLIENT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

#include "base/slice.h"    /* struct slice */
#include "http3/capsule.h" /* struct capsule_reader */

enum wt_kind {
    WT_KIND_NONE = 0,
    WT_KIND_REQUEST, /* ... that asks for no session */
    WT_KIND_SESSION,
    WT_KIND_STREAM, /* of WebTransport */
    WT_KIND_OTHER,
};

/* What the client has done with a stream, and got from it. */
struct wt_sent {
    uint8_t kind;    /* enum wt_kind */
    int64_t session; /* of a stream: the ID that it names */
    bool has_head;   /* the whole head was sent, or received */
    bool is_odd;     /* nothing is known about its bytes */
    uint64_t bytes;  /* after the head */
    bool ended, is_reset, is_stopped;
    bool reset_has_code, stop_has_code; /* of an application */
    uint32_t reset_code, stop_code;
    uint64_t received; /* bytes after the head */
    bool got_end;

    /* Of a session. */
    bool is_ended;   /* by a close, an end, a reset, a stop or something malformed */
    bool has_closed; /* with a whole capsule */
    uint32_t close_code;
    size_t reason_len;
    uint32_t sent_datagrams;      /* the next number */
    uint32_t got_datagrams;       /* ... that may come */
    struct capsule_reader reader; /* of what it receives */
    bool got_close;

    /* The head of a stream: its length, and for one of the server what has arrived. */
    uint8_t nhead;
    char head[16];
};

void wt_client_begin(void);

/* Does something. */
void wt_client_act(void);

/* Returns what the client has done with a stream. */
struct wt_sent *wt_sent_of(int64_t id);

#endif
