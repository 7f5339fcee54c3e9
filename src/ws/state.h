/* SPDX-License-Identifier: MIT */
/* ws/state.h — the state of one WebSocket, and what the files of ws/ share. Users of a
 * WebSocket include ws/session.h. */
#ifndef WS_STATE_H
#define WS_STATE_H

#include "base/budget.h"   /* BUDGET_MESSAGE */
#include "base/clock.h"    /* struct clock */
#include "base/compiler.h" /* MUST_USE */
#include "http/stream.h"   /* struct chunk */
#include "ws/close.h"      /* enum ws_code */
#include "ws/deflate.h"    /* struct ws_deflate */
#include "ws/frame.h"      /* enum ws_opcode */
#include "ws/mask.h"       /* struct ws_mask */
#include "ws/utf8.h"       /* struct ws_utf8 */

struct ws;

/* The limits on a peer. */
struct ws_config {
    uint32_t message_bytes; /* 16 MiB; of one message, inflated; below UINT32_MAX */
    uint32_t frame_bytes;   /* 0; of one frame's payload; 0: as message_bytes */
    uint32_t fragments; /* 1024; frames of one message, plus one for each 16 bytes of
                          it; 0: no limit */
    uint32_t controls;  /* 1024; control frames per second; 0: no limit */
    uint32_t ping_interval_ms; /* 20000; idle time before a ping is sent; 0: no pings */
    uint32_t ping_timeout_ms;  /* 20000; time for the peer to answer it; 0: no limit */
    uint32_t close_ms;         /* 10000; time for the peer's close frame after ours */
    struct ws_deflate_config deflate;
};

/* The defaults above. */
#define WS_CONFIG_DEFAULT                                                              \
    ((struct ws_config){                                                               \
        .message_bytes = 16u << 20,                                                    \
        .fragments = 1024,                                                             \
        .controls = 1024,                                                              \
        .ping_interval_ms = 20000,                                                     \
        .ping_timeout_ms = 20000,                                                      \
        .close_ms = 10000,                                                             \
        .deflate = WS_DEFLATE_CONFIG_DEFAULT,                                          \
    })

/* The functions of the tunnel. `last` ends our side of the tunnel after the bytes,
 * and is the last call to it. No call may re-enter the same WebSocket. */
struct ws_ops {
    /* As stream_send_body. Returns 0; ERR_AGAIN: accepted, but wait for
     * ws_on_writable (never with `last`); ERR_CLOSED or ERR_NOMEM: the tunnel has
     * ended, and ws_lost follows. */
    int (*send)(struct ws *ws, const struct chunk *bytes, bool last);
    /* Schedules ws_on_deadline at `due_ms` of the clock; TIMER_NEVER cancels it. */
    void (*set_deadline)(struct ws *ws, uint64_t due_ms);
    /* Logs and counts the reason (ERR_WS_* or ERR_NOMEM) for rejecting the peer.
     * Called before the close frame is sent. */
    void (*complain)(struct ws *ws, int why);
    /* Counts `points` of work on received bytes (base/budget.h). Returns whether
     * more work may be done now; if not, ws_on_budget follows. NULL: no limit. */
    bool (*spend)(struct ws *ws, uint64_t points);
    /* Requests ws_on_writable at the end of the turn, or when the peer has taken what is
     * queued. NULL: long messages are compressed at once. */
    void (*rest)(struct ws *ws);
};

/* The callbacks of the user. They may call any ws_* function except ws_fini and
 * ws_feed. */
struct ws_handler {
    /* A complete message. `kind` is WS_TEXT (the bytes are UTF-8) or WS_BINARY;
     * `bytes` are borrowed for the call. Never called after on_close or while
     * paused. */
    void (*on_message)(struct ws *ws, enum ws_opcode kind, struct slice bytes);
    /* Output has drained after a call returned ERR_AGAIN. */
    void (*on_writable)(struct ws *ws);
    /* The WebSocket has ended for the user; called exactly once. ws->why is the
     * reason as an enum err, 0 if a close frame ended it. `reason` is UTF-8,
     * borrowed for the call. */
    void (*on_close)(struct ws *ws, unsigned code, struct slice reason);
    /* The peer is about to be rejected, or has sent its close frame: the last chance
     * to answer earlier messages. The bytes passed to ws_feed are in use. May be
     * NULL. */
    void (*before_end)(struct ws *ws);
    /* Allocates memory of the user, in which a long binary message is collected or
     * inflated without a copy. NULL: on_message receives all messages. */
    ws_resize *resize;
    /* As on_message, for a message collected in such memory; ownership of [ptr, ptr
     * + n) passes to the user. */
    void (*on_long_message)(struct ws *ws, char *ptr, size_t n);
};

/* State shared by all WebSockets of a worker. */
struct ws_shared {
    struct ws_config config;
    const struct ws_handler *handler; /* borrowed */
    struct clock *clock;              /* borrowed; read once a turn */
    const struct ws_mask *mask;
    const struct ws_utf8_way *utf8;
    struct ws_spares spares;
    struct ws_deflate_pool deflate;
};

enum ws_state {
    WS_OPEN = 0,
    WS_CLOSING,
    WS_ENDED,
};

struct ws_controls;  /* ws/control.h */
struct ws_deflation; /* ws/deflation.h */

/* A message that is being inflated (ws/inflation.h). */
struct ws_inflation {
    struct ws_bytes out; /* owns; the output so far */
    size_t at;           /* bytes of ws->message that have been consumed */
    bool is_on;          /* a message is in progress, and waits for a budget */
    bool is_lent;        /* `out` is memory of the user */
};

struct ws {
    const struct ws_ops *ops;
    struct ws_shared *shared;  /* borrowed */
    struct budget *budget;     /* borrowed, of the tunnel: what ops->spend counts; NULL:
                                   unknown */
    void *tunnel;              /* borrowed; for the tunnel's use */
    void *app;                 /* borrowed; for the user's use */
    struct ws_deflate deflate; /* negotiated parameters and streams */
    struct ws_deflation
        *deflation;             /* owns; NULL unless a message is being compressed */
    struct ws_controls *frames; /* owns; NULL unless a control frame is delayed */
    uint64_t heard_ms;          /* time of the peer's last bytes, or of the last ping */
    uint64_t controls_ms;       /* start of the second that ncontrols counts */
    uint32_t ncontrols;
    int why;                 /* enum err for on_close, or 0 */
    uint8_t state;           /* enum ws_state */
    bool is_paused;          /* ws_pause was called */
    bool is_spent;           /* ops->spend returned false: waits for ws_on_budget */
    bool waits_for_writable; /* a send has returned ERR_AGAIN */
    bool waits_for_pong;     /* a ping was sent, and nothing has arrived since */
    bool is_told;            /* on_close was called, or is being called */

    /* The frame that is being read. */
    bool in_frame;    /* a frame's header has been read */
    bool fin;         /* it is the last frame of its message */
    uint8_t opcode;   /* enum ws_opcode */
    uint8_t npartial; /* bytes of an incomplete header */
    char partial[WS_HEADER_IN_BYTES];
    uint32_t key;  /* mask key for the next byte */
    uint64_t left; /* remaining payload bytes */

    /* The message that is being read. */
    uint32_t nframes; /* its frames so far; 0: no message */
    uint8_t kind;     /* WS_TEXT or WS_BINARY */
    bool is_compressed;
    bool is_lent;            /* `message` is memory of the user */
    struct ws_utf8 utf8;     /* UTF-8 state of its text so far */
    struct ws_bytes message; /* owns; the collected part of it */
    struct ws_inflation inflation;
};

/* Returns whether ws_feed would consume anything now; after our close frame also
 * while paused. */
static inline bool
ws_wants_input(const struct ws *ws)
{
    if (LIKELY((ws->state | ws->is_paused | ws->is_spent) == 0)) /* WS_OPEN is 0 */
        return true;
    return ws->state == WS_CLOSING && !ws->is_spent;
}

/* Returns whether a message is being inflated: ws_feed has work to do without new
 * bytes, and everything after the message waits, including the end. */
static inline bool
ws_is_inflating(const struct ws *ws)
{
    return ws->inflation.is_on;
}

/* Rejects the peer: calls complain once, sends a close frame with the code for `err`
 * unless one was sent, ends the tunnel, and calls on_close if it was not called.
 * Does nothing if the WebSocket has ended. */
void ws_fail(struct ws *ws, int err);

/* The peer has sent something: the next ping is due one interval from now. Changes
 * the timer only if a pong was awaited. */
void ws_hear(struct ws *ws);

/* Internal to ws/: frees the collected part of a message. */
void ws_drop_message(struct ws *ws);

/* Counts work. */
static inline void
ws_spend(struct ws *ws, uint64_t points)
{
    if (LIKELY(ws->budget != NULL)) {
        budget_spend(ws->budget, points);
        if (LIKELY(!budget_is_spent(ws->budget, clock_last_ns(ws->shared->clock))))
            return;
        points = 0; /* it is counted */
    }
    if (ws->ops->spend != NULL && !ws->ops->spend(ws, points))
        ws->is_spent = true;
}

/* Calls before_end if the WebSocket is open; this may end it. */
void ws_before_end(struct ws *ws);

/* Ends the tunnel after the bytes sent so far, without a close
 * frame. */
void ws_end(struct ws *ws);

/* Changes from WS_OPEN to `state`, frees what only an open
 * WebSocket needs, and calls on_close once. */
void ws_leave(struct ws *ws, enum ws_state state, unsigned code, struct slice reason);

#endif
