/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_app.h — an application that does anything with sessions of
 * WebTransport that http/webtransport.h allows, in any order and at any time, as the
 * script says, and that compares what it gets with what the client has sent
 * (session/wt_client.h). */
#ifndef FUZZ_SESSION_WT_APP_H
#define FUZZ_SESSION_WT_APP_H

#include "http/webtransport.h" /* struct webtransport_event */

/* Streams of each kind that are followed. */
#define WT_IDS 64u

/* Waiting calls of send() that a session has at once. */
#define WT_WAITS 4u

/* What the application has done with a stream, and got from it. */
struct wt_use {
    int64_t session;   /* whose it is; if is_opened */
    uint64_t received; /* bytes */
    uint64_t sent;     /* bytes that were accepted */
    bool is_opened;    /* WEBTRANSPORT_OPENED was delivered */
    bool in_is_over;   /* its end or a reset was delivered */
    bool is_unread;    /* the application reads no more */
    bool is_stopped;   /* WEBTRANSPORT_STOPPED was delivered */
    bool out_ended;    /* the end was accepted */
    bool out_is_reset; /* by the application */
    bool is_paused;
};

/* A call of the application for one request. */
struct wt_call {
    struct stream *stream; /* NULL: on_close was called, or there was no call */
    int64_t id;            /* of the request */
    bool is_session;
    bool is_accepted;
    bool has_head;                   /* another response was sent */
    bool has_ended;                  /* the session, by the application */
    bool failed;                     /* stream_fail() was called */
    bool has_news;                   /* on_news was called after next() had nothing */
    bool knows_end;                  /* ... after the session had ended */
    bool holds;                      /* done() is to be called */
    struct webtransport_event event; /* ... after that */
    int64_t waits[WT_WAITS]; /* streams for whose room it waits, or -1: datagrams */
    unsigned nwaits;
    unsigned nopens[2];      /* streams that it waits for; [1]: bidirectional */
    uint32_t sent_datagrams; /* the next number */
    uint32_t got_datagrams;  /* ... that may come */
    uint32_t code;           /* with which it has ended the session */
    size_t reason_len;
};

extern const struct stream_handler wt_app_handler;

/* Resets the application for a new input. */
void wt_app_begin(void);

/* A running call does something, outside of any callback. */
void wt_app_act(void);

/* Returns what the application has done with a stream. */
struct wt_use *wt_use_of(int64_t id);

/* Returns the call for a request. */
struct wt_call *wt_call_of(int64_t id);

/* Returns byte `i` of what the client or the server sends on a stream, or as the reason of
 * a close. */
char wt_byte(int64_t id, uint64_t i, bool is_client);

/* Returns byte `i` of a datagram of a session; the first four are its number. */
char wt_datagram_byte(int64_t session, uint32_t number, size_t i);

/* Some session that is not over is cancelled: it does a few more things, and ends. */
void wt_app_cancel(void);
void wt_app_cancel_all(void);

/* Checks that no callback is missing. Called after quic_settle(). */
void wt_app_check_owed(void);

/* Every session that is open receives everything, and nothing is paused. */
void wt_app_drain(void);

/* Checks that the application has received all data. Called after wt_app_drain() and
 * quic_settle(). */
void wt_app_check_all(void);

/* Checks that every call has ended. */
void wt_app_end(void);

#endif
