/* SPDX-License-Identifier: MIT */
/* ws/session.h — one WebSocket (RFC 6455) over a tunnel of bytes: its states, its limits,
 * its deadlines and its end.  It knows neither what carries the bytes nor who uses the
 * messages.  Bytes come in by ws/receive.h, messages go out by ws/send.h.
 *
 *   WS_OPEN      messages go both ways
 *      │  ws_close                          │  the peer's close frame, a refusal, the loss
 *   WS_CLOSING   our close frame is out,    │
 *      │         the peer's is awaited      │
 *   WS_ENDED     nothing is sent or looked at any more
 *
 * on_close is called once, on the way out of WS_OPEN, with
 *   the peer's code and reason, WS_CODE_NO_CODE when its close frame has none,
 *   our own when ws_close ended it or the peer is refused (ws_code_of_err),
 *   WS_CODE_LOST when the tunnel ended without a close frame.
 *
 * Everything belongs to one thread. */
#ifndef WS_SESSION_H
#define WS_SESSION_H

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

/* Every number that a peer can reach. */
struct ws_config {
    uint32_t message_bytes; /* 16 MiB; of one message, inflated; below UINT32_MAX */
    uint32_t frame_bytes;   /* 0; of one frame's payload; 0: as message_bytes */
    uint32_t
        fragments;     /* 1024; frames of one message, and one more for each 16 bytes of
                           it; 0 off */
    uint32_t controls; /* 1024; control frames within one second; 0 off */
    uint32_t ping_interval_ms; /* 20000; without a byte from the peer before a ping; 0
                                  off */
    uint32_t ping_timeout_ms;  /* 20000; without a byte behind it; 0 off */
    uint32_t close_ms;         /* 10000; for the peer's close frame behind ours */
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

/* What the tunnel does for a WebSocket; `last` ends our side of it behind what was sent,
 * and is the last call that it hears.  No call may come back into the same WebSocket
 * before it returns. */
struct ws_ops {
    /* As stream_send_body: 0, ERR_AGAIN (taken, but wait for ws_on_writable; never with
     * `last`), or ERR_CLOSED or ERR_NOMEM: the tunnel is over, ws_lost follows. */
    int (*send)(struct ws *ws, const struct chunk *bytes, bool last);
    /* Has ws_on_deadline called at `due_ms` of the clock; TIMER_NEVER: not at all. */
    void (*set_deadline)(struct ws *ws, uint64_t due_ms);
    /* Logs and counts why (ERR_WS_* or ERR_NOMEM) the peer is refused; comes before the
     * close frame. */
    void (*complain)(struct ws *ws, int why);
    /* Counts `points` of work with received bytes (base/budget.h).  Returns whether more
     * may be done now; if not, ws_on_budget follows.  May be NULL: there is no end. */
    bool (*spend)(struct ws *ws, uint64_t points);
};

/* What the user of the messages hears.  Any ws_* function but ws_fini and ws_feed may be
 * called from inside. */
struct ws_handler {
    /* A whole message: `kind` is WS_TEXT (the bytes are UTF-8) or WS_BINARY, `bytes` are
     * borrowed for the call.  Never after on_close, never after ws_pause. */
    void (*on_message)(struct ws *ws, enum ws_opcode kind, struct slice bytes);
    /* Output has drained after a call said ERR_AGAIN. */
    void (*on_writable)(struct ws *ws);
    /* It is over for the user, exactly once; ws->why tells why in the engine's words, 0
     * when a close frame ended it.  `reason` is UTF-8, borrowed for the call. */
    void (*on_close)(struct ws *ws, unsigned code, struct slice reason);
    /* The peer is about to be refused, or has sent its close frame: the last moment to
     * answer what came before.  The bytes of ws_feed's caller are in use.  May be NULL. */
    void (*before_end)(struct ws *ws);
    /* Memory of the user's, in which a long binary message is gathered, or inflated, so
     * that nobody copies it.  NULL: on_message has all messages. */
    ws_resize *resize;
    /* As on_message, of one that was gathered so: [ptr, ptr + n) is the user's again. */
    void (*on_long_message)(struct ws *ws, char *ptr, size_t n);
};

/* What all WebSockets of a worker share. */
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

struct ws_controls; /* ws/control.h */

/* A message that is half inflated (ws/inflation.h). */
struct ws_inflation {
    struct ws_bytes out; /* owns; what has come out so far */
    size_t at;           /* so much of ws->message has gone in */
    bool is_on;          /* there is one, and it waits for a budget */
    bool is_lent;        /* `out` is memory of the user's */
};

struct ws {
    const struct ws_ops *ops;
    struct ws_shared *shared;   /* borrowed */
    void *tunnel;               /* borrowed; the carrier's own */
    void *app;                  /* borrowed; the user's own */
    struct ws_deflate deflate;  /* what was agreed */
    struct ws_controls *frames; /* owns; NULL unless a control frame is held back */
    uint64_t heard_ms; /* when the peer's last bytes came, or the last ping went out */
    uint64_t controls_ms; /* the second in which ncontrols came began then */
    uint32_t ncontrols;
    int why;                 /* enum err behind on_close, or 0 */
    uint8_t state;           /* enum ws_state */
    bool is_paused;          /* ws_pause was called */
    bool is_spent;           /* ops->spend has said no: waits for ws_on_budget */
    bool waits_for_writable; /* a send has said ERR_AGAIN */
    bool waits_for_pong;     /* a ping is out, and nothing has come since */
    bool is_told;            /* on_close was called, or is about to be */

    /* The frame that is being read. */
    bool in_frame;    /* its header has been read */
    bool fin;         /* ... and says so */
    uint8_t opcode;   /* enum ws_opcode */
    uint8_t npartial; /* bytes of a header that is not complete */
    char partial[WS_HEADER_IN_BYTES];
    uint32_t key;  /* of its mask, for the next byte */
    uint64_t left; /* payload bytes to come */

    /* The message that is being read. */
    uint32_t nframes; /* its frames so far; 0: none is being read */
    uint8_t kind;     /* WS_TEXT or WS_BINARY */
    bool is_compressed;
    bool is_lent;            /* `message` is memory of the user's */
    struct ws_utf8 utf8;     /* how its text ends so far */
    struct ws_bytes message; /* owns; what had to be gathered of it */
    struct ws_inflation inflation;
};

/* Prepares what a worker shares; `config` is copied, a message_bytes of UINT32_MAX becomes
 * one less. */
void ws_shared_init(struct ws_shared *shared, const struct ws_config *config,
                    const struct ws_handler *handler, struct clock *clock);

/* Frees what was kept, after the last WebSocket. */
void ws_shared_fini(struct ws_shared *shared);

/* Makes an open WebSocket in the caller's memory, over a tunnel that is open, and sets its
 * first deadline.  `params`: what ws_extension_agree said.  `tunnel` and `app` are the
 * caller's to set before. */
void ws_init(struct ws *ws, struct ws_shared *shared, const struct ws_ops *ops,
             const struct ws_deflate_params *params);

/* Frees what the WebSocket owns, without a call to anybody; the tunnel is over. */
void ws_fini(struct ws *ws);

/* Ends it from our side: sends a close frame, calls on_close with `code` and `reason`, and
 * waits for the peer's; a `reason` (UTF-8) over WS_REASON_BYTES is cut in the frame.  A
 * server that stops uses 1001, one that restarts 1012.  Returns 0, or with nothing done
 *   ERR_WS_CLOSE_CODE  `code` may not be sent (ws_code_is_valid)
 *   ERR_CLOSED         it is not open
 * or ERR_CLOSED or ERR_NOMEM of the tunnel, and then ws_lost follows. */
MUST_USE int ws_close(struct ws *ws, unsigned code, struct slice reason);

/* Refuses the peer: complains of it once, sends a close frame with the code of `err` unless
 * one is out, ends the tunnel, and calls on_close if that is owed.  Does nothing when it
 * has ended. */
void ws_fail(struct ws *ws, int err);

/* The peer has sent its last byte; what came before has been fed. */
void ws_on_eof(struct ws *ws);

/* The tunnel is gone, and is not called any more; `why` (enum err) goes to ws->why unless
 * on_close was called before. */
void ws_lost(struct ws *ws, int why);

/* Output has drained after a send said ERR_AGAIN. */
void ws_on_writable(struct ws *ws);

#define WS_LATE_MS 500u /* a deadline that comes later than this was held up */

/* The deadline has come: time for a ping, or to give the peer up.  Where it comes later
 * than WS_LATE_MS the peer's answer may be here, unread: it is waited for again.  Silence is not held
 * against a peer while we do not read from it (ws_pause): it gets a pong that nobody has
 * asked for (RFC 6455 5.5.3), so that one that has left is noticed; nor while it has not
 * taken our output, which is the tunnel's to time. */
void ws_on_deadline(struct ws *ws);

/* The peer has been heard: the next ping is due an interval from now, however long a pong
 * might have taken.  Costs a timer only where a pong was waited for. */
void ws_hear(struct ws *ws);

/* No message is handed up until ws_resume; ws_feed stops in front of the next one. */
void ws_pause(struct ws *ws);

/* Messages are wanted again: the tunnel has to feed what is left, by itself. */
void ws_resume(struct ws *ws);

/* There is a new budget: the tunnel has to feed what is left, by itself. */
void ws_on_budget(struct ws *ws);

/* Whether ws_feed would take anything now: behind a close of ours also while paused. */
static inline bool
ws_wants_input(const struct ws *ws)
{
    return !ws->is_spent &&
           (ws->state == WS_CLOSING || (ws->state == WS_OPEN && !ws->is_paused));
}

/* Whether a message is half inflated: ws_feed has work without fresh bytes, and what comes
 * behind the message waits, an end too. */
static inline bool
ws_is_inflating(const struct ws *ws)
{
    return ws->inflation.is_on;
}

/* For the other files of ws/: counts work. */
static inline void
ws_spend(struct ws *ws, uint64_t points)
{
    if (ws->ops->spend != NULL && !ws->ops->spend(ws, points))
        ws->is_spent = true;
}

/* For the other files of ws/: calls before_end of an open one, which may end it. */
void ws_before_end(struct ws *ws);

/* For the other files of ws/: ends the tunnel behind what was sent, without a frame. */
void ws_end(struct ws *ws);

/* For the other files of ws/: leaves WS_OPEN for `state`, frees what only an open one
 * needs, and calls on_close once. */
void ws_leave(struct ws *ws, enum ws_state state, unsigned code, struct slice reason);

#endif
