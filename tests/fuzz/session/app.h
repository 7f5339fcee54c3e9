/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/app.h — an application that does anything that http/stream.h
 * allows, in any order and at any time, as the script says, and that checks its
 * calls against the promises of that header. */
#ifndef FUZZ_SESSION_APP_H
#define FUZZ_SESSION_APP_H

#include "http/stream.h" /* struct stream */

#define CALLS_MAX 200u /* requests of one input */
#define ASKED_MAX 128u /* ... whose bodies are checked */

struct socket;

/* What one call of the application has done and received. */
struct call {
    struct stream *stream; /* NULL: on_close was called */
    unsigned number;       /* index in app.calls; its response says "x-n: number" */
    unsigned asked;        /* the request's own number, of its path */
    uint64_t received;     /* bytes of the request's body */
    uint64_t sent;         /* bytes of the body that were accepted */
    bool pulls;            /* on_body is owed */
    bool body_ended;
    bool waits;    /* on_writable is owed */
    bool has_head; /* a head was accepted */
    bool ended;    /* the last bytes were accepted */
    bool failed;   /* stream_fail was called, or a file became shorter */
    bool is_head;  /* HEAD, or a status that has no body */
    bool is_tunnel;
    struct socket *socket; /* of a tunnel; NULL: its bytes are used as they are */
    bool has_trailers;
    bool has_shrunk; /* a file that it sent was cut */
};

/* How much the client has sent of a request's body. */
struct asked {
    uint64_t sent;
    bool ended;
    bool is_other; /* its bytes mean something else: nothing is checked */
};

struct app {
    struct asked asked[ASKED_MAX + 1]; /* by call.asked; the last one is_other */
    struct call calls[CALLS_MAX];
    unsigned ncalls;
    uint64_t given; /* bytes of all responses */
    long nlent;     /* buffers and files that are lent out */
    bool is_clean;  /* the client has sent nothing but whole requests so far */
};

extern struct app app;

extern const struct stream_handler app_handler;

/* Resets the application for a new input. */
void app_begin(void);

/* A running call does something, outside of any callback. */
void app_act(void);

/* Returns whether `n` bytes at `offset` of response `number` are those that the
 * application sent. */
bool app_is_given(unsigned number, uint64_t offset, const char *bytes, size_t n);

/* Returns what the client has sent of request `asked`. */
struct asked *app_asked(unsigned asked);

/* Returns how many WebSockets are open. */
unsigned app_sockets(void);

/* Some call that is not over is cancelled: it does a few more things, and ends. */
void app_cancel(void);
void app_cancel_all(void);

/* After world_settle: checks that no callback is still owed, on_body for the bytes that
 * have been sent or on_writable for the room there is. */
void app_check_owed(void);

/* The byte at `offset` of the body of request `asked`. */
char app_body_byte(unsigned asked, uint64_t offset);

/* All running calls fail. */
void app_fail_all(void);

/* Checks that every call has ended, and that no loan is left. */
void app_end(void);

#endif
