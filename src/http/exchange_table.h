/* SPDX-License-Identifier: MIT */
/* http/exchange_table.h — the states of an exchange, the events, and the action for
 * each event in each state, as data. http/exchange.h performs the actions. */
#ifndef HTTP_EXCHANGE_TABLE_H
#define HTTP_EXCHANGE_TABLE_H

#include <assert.h> /* assert */
#include <stdint.h> /* uint8_t */

/* The response. A state never returns to an earlier one. */
enum exchange_tx {
    EXCHANGE_OPEN = 0, /* no response head has been accepted */
    EXCHANGE_HELD,     /* a head was accepted, but nothing of it is committed: it can be
                          replaced */
    EXCHANGE_STREAMING, /* the head is committed, more of the body will follow */
    EXCHANGE_COMPLETE,  /* the whole response is available; the peer may not have it
                           yet */
    EXCHANGE_BROKEN,    /* it has ended early; a response that had begun was aborted */
    EXCHANGE_NTX,
};

/* The request. A state never returns to an earlier one, except that a tunnel begins
 * with EXCHANGE_RX_OPEN. */
enum exchange_rx {
    EXCHANGE_RX_OPEN = 0,   /* more of it may arrive */
    EXCHANGE_RX_DISCARDING, /* ... and is discarded, since the handler does not read it
                               any more */
    EXCHANGE_RX_ENDED,      /* the peer has completed it */
    EXCHANGE_RX_LOST, /* the peer sends nothing any more: what it sent before can be
                         read, after that a pull is a disconnect */
    EXCHANGE_RX_SAME, /* in the table: no change */
};

enum exchange_event {
    /* From the handler */
    EXCHANGE_ON_PULL = 0, /* it asks for bytes of the body */
    EXCHANGE_ON_INTERIM,  /* it sends an interim response */
    EXCHANGE_ON_HEAD,     /* ... the head */
    EXCHANGE_ON_TUNNEL,   /* ... the head of a tunnel */
    EXCHANGE_ON_BODY,     /* ... bytes of the body that are not the last */
    EXCHANGE_ON_LAST,     /* ... the last ones, or the trailers */
    EXCHANGE_ON_FAIL, /* it has failed, or has returned without a complete response */
    /* From the peer */
    EXCHANGE_ON_DATA,       /* bytes of the body were received */
    EXCHANGE_ON_END,        /* the request is complete */
    EXCHANGE_ON_REFUSE,     /* its body is malformed, too large or too slow */
    EXCHANGE_ON_ABANDON,    /* ... for a reason that has no status */
    EXCHANGE_ON_SHUT,       /* the peer has shut down its sending side */
    EXCHANGE_ON_DISCONNECT, /* ... and the handler has read all that came before */
    EXCHANGE_ON_LOST, /* the stream was reset or closed, or the connection is lost */
    /* From the server */
    EXCHANGE_ON_RELEASE,   /* a head has waited long enough for its body */
    EXCHANGE_ON_UNREAD,    /* the response was sent, the request is not complete */
    EXCHANGE_ON_BODY_DUE,  /* the deadline of a wait for the body has passed */
    EXCHANGE_ON_DUE,       /* ... of a tunnel's handler, or of discarding */
    EXCHANGE_ON_SEND_DUE,  /* the peer has accepted too little of the response in
                              time */
    EXCHANGE_ON_FILE_LOST, /* a file of the response cannot be read */
    EXCHANGE_ON_NOMEM,     /* out of memory: the connection is aborted */
    EXCHANGE_ON_STOP,      /* the server stops, and does not wait any longer */
    EXCHANGE_NEVENTS,
};

enum exchange_action {
    EXCHANGE_NEVER = 0, /* the event is not possible in this state */
    EXCHANGE_IGNORE,    /* nothing follows */
    EXCHANGE_DENY,      /* the call of the handler returns ERR_CLOSED */
    EXCHANGE_ACCEPT,    /* what the handler sends is passed to the protocol */
    EXCHANGE_SUPPLY,    /* available bytes are passed up, otherwise the handler waits */
    EXCHANGE_AWAIT,     /* a pull waits for the end of the peer */
    EXCHANGE_TAKE,      /* bytes are passed up if a pull waits, otherwise kept */
    EXCHANGE_DISCARD,   /* bytes are dropped, and the peer may send as many more */
    EXCHANGE_NOTE,      /* only the states change */
    EXCHANGE_ANSWER,    /* 500 instead of the response; on_close is not called */
    EXCHANGE_CUT,       /* the response is aborted; on_close is not called */
    EXCHANGE_REFUSE,    /* on_close(why), and the status of `why` instead of the
                           response */
    EXCHANGE_BREAK,     /* on_close(why), and the response is aborted */
    EXCHANGE_RING,      /* the handler's callback for the tunnel's deadline is called */
    EXCHANGE_LEAVE,     /* the peer has had its time: discarding ends */
};

struct exchange_cell {
    uint8_t action; /* enum exchange_action */
    uint8_t tx;     /* enum exchange_tx: the next state */
    uint8_t rx;     /* enum exchange_rx: the next state, or EXCHANGE_RX_SAME */
};

/* The action and next states for each event in each state of the response. */
extern const struct exchange_cell exchange_table[EXCHANGE_NEVENTS][EXCHANGE_NTX];

/* Returns the cell for `event` when the response is in state `tx`; the event must be
 * possible. */
static inline const struct exchange_cell *
exchange_cell(uint8_t tx, enum exchange_event event)
{
    const struct exchange_cell *cell = &exchange_table[event][tx];

    assert(tx < EXCHANGE_NTX && cell->action != EXCHANGE_NEVER);
    assert(cell->tx >= tx); /* a state never returns to an earlier one */
    return cell;
}

#endif
