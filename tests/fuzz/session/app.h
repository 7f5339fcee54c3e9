/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/app.h — an application that does anything that http/stream.h allows,
 * in any order and at any time, as the script says; and checks that it is called as that
 * header promises. */
#ifndef FUZZ_SESSION_APP_H
#define FUZZ_SESSION_APP_H

#include "http/stream.h" /* struct stream */

#define CALLS_MAX 200u /* requests of one input */

struct socket;

/* What one call of the application has done and seen. */
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

struct app {
    struct call calls[CALLS_MAX];
    unsigned ncalls;
    uint64_t given; /* bytes of all responses */
    long nlent;     /* buffers and files that are lent out */
    bool is_clean;  /* the client has sent nothing but whole requests so far */
};

extern struct app app;

extern const struct stream_handler app_handler;

/* Begins anew. */
void app_begin(void);

/* Some call that is not over does something, outside of any callback. */
void app_act(void);

/* Whether `n` bytes at `offset` of response `number` are what the application gave. */
bool app_is_given(unsigned number, uint64_t offset, const char *bytes, size_t n);

/* The byte at `offset` of the body of request `asked`. */
char app_body_byte(unsigned asked, uint64_t offset);

/* All calls that are not over fail. */
void app_fail_all(void);

/* Checks that every call has ended, and that nothing is lent out any more. */
void app_end(void);

#endif
