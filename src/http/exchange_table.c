/* SPDX-License-Identifier: MIT */
/* http/exchange_table.c — see exchange_table.h for the contract.
 *
 * A row has one cell for each state of the response: open, held, streaming, complete,
 * broken. docs/ARCHITECTURE.md shows the same table. */
#include "http/exchange_table.h"

#define CELL(action, tx, rx) {EXCHANGE_##action, EXCHANGE_##tx, EXCHANGE_RX_##rx}

/* The state does not change. */
#define OPEN(action, rx) CELL(action, OPEN, rx)
#define HELD(action, rx) CELL(action, HELD, rx)
#define STREAMING(action, rx) CELL(action, STREAMING, rx)
#define COMPLETE(action, rx) CELL(action, COMPLETE, rx)
#define BROKEN(action, rx) CELL(action, BROKEN, rx)

/* It cannot happen. */
#define NEVER {EXCHANGE_NEVER, 0, EXCHANGE_RX_SAME}

/* The handler may not send that any more. */
#define DENIED_FROM_HELD HELD(DENY, SAME), STREAMING(DENY, SAME), DENIED_AT_THE_END
#define DENIED_AT_THE_END COMPLETE(DENY, SAME), BROKEN(DENY, SAME)

/* The exchange cannot continue: the server responds if no response has begun. */
#define REFUSED CELL(REFUSE, COMPLETE, DISCARDING), CELL(REFUSE, COMPLETE, DISCARDING)
#define BROKEN_OFF CELL(BREAK, BROKEN, DISCARDING)
#define IGNORED_AT_THE_END COMPLETE(IGNORE, SAME), BROKEN(IGNORE, SAME)

const struct exchange_cell exchange_table[EXCHANGE_NEVENTS][EXCHANGE_NTX] = {
    [EXCHANGE_ON_PULL] = {OPEN(SUPPLY, SAME), HELD(SUPPLY, SAME),
                          STREAMING(SUPPLY, SAME), COMPLETE(AWAIT, SAME),
                          BROKEN(DENY, SAME)},
    [EXCHANGE_ON_INTERIM] = {OPEN(ACCEPT, SAME), DENIED_FROM_HELD},
    [EXCHANGE_ON_HEAD] = {HELD(ACCEPT, SAME), DENIED_FROM_HELD},
    [EXCHANGE_ON_TUNNEL] = {STREAMING(ACCEPT, SAME), DENIED_FROM_HELD},
    [EXCHANGE_ON_BODY] = {NEVER, STREAMING(ACCEPT, SAME), STREAMING(ACCEPT, SAME),
                          DENIED_AT_THE_END},
    [EXCHANGE_ON_LAST] = {NEVER, COMPLETE(ACCEPT, DISCARDING),
                          COMPLETE(ACCEPT, DISCARDING), DENIED_AT_THE_END},
    [EXCHANGE_ON_FAIL] = {COMPLETE(ANSWER, DISCARDING), COMPLETE(ANSWER, DISCARDING),
                          BROKEN(CUT, DISCARDING), IGNORED_AT_THE_END},

    [EXCHANGE_ON_DATA] = {OPEN(TAKE, SAME), HELD(TAKE, SAME), STREAMING(TAKE, SAME),
                          COMPLETE(DISCARD, SAME), BROKEN(DISCARD, SAME)},
    [EXCHANGE_ON_END] = {OPEN(SUPPLY, ENDED), HELD(SUPPLY, ENDED),
                         STREAMING(SUPPLY, ENDED), COMPLETE(NOTE, ENDED),
                         BROKEN(NOTE, ENDED)},
    [EXCHANGE_ON_REFUSE] = {REFUSED, BROKEN_OFF, IGNORED_AT_THE_END},
    [EXCHANGE_ON_ABANDON] = {BROKEN_OFF, BROKEN_OFF, BROKEN_OFF, IGNORED_AT_THE_END},
    [EXCHANGE_ON_SHUT] = {OPEN(NOTE, LOST), HELD(NOTE, LOST), STREAMING(NOTE, LOST),
                          COMPLETE(NOTE, LOST), BROKEN(NOTE, LOST)},
    [EXCHANGE_ON_DISCONNECT] = {REFUSED, BROKEN_OFF, IGNORED_AT_THE_END},
    [EXCHANGE_ON_LOST] = {BROKEN(NOTE, LOST), BROKEN(NOTE, LOST), BROKEN(NOTE, LOST),
                          COMPLETE(NOTE, LOST), BROKEN(NOTE, LOST)},

    [EXCHANGE_ON_RELEASE] = {NEVER, STREAMING(ACCEPT, SAME), NEVER, NEVER, NEVER},
    [EXCHANGE_ON_UNREAD] = {NEVER, NEVER, NEVER, COMPLETE(NOTE, DISCARDING),
                            BROKEN(IGNORE, SAME)},
    [EXCHANGE_ON_BODY_DUE] = {REFUSED, BROKEN_OFF, NEVER, NEVER},
    [EXCHANGE_ON_DUE] = {NEVER, NEVER, STREAMING(RING, SAME), COMPLETE(LEAVE, SAME),
                         BROKEN(IGNORE, SAME)},
    [EXCHANGE_ON_SEND_DUE] = {NEVER, NEVER, BROKEN_OFF, BROKEN_OFF,
                              BROKEN(IGNORE, SAME)},
    [EXCHANGE_ON_FILE_LOST] = {NEVER, NEVER, BROKEN(NOTE, DISCARDING),
                               BROKEN(NOTE, DISCARDING), BROKEN(IGNORE, SAME)},
    [EXCHANGE_ON_NOMEM] = {BROKEN(NOTE, DISCARDING), BROKEN(NOTE, DISCARDING),
                           BROKEN(NOTE, DISCARDING), IGNORED_AT_THE_END},
    [EXCHANGE_ON_STOP] = {REFUSED, BROKEN_OFF, IGNORED_AT_THE_END},
};
