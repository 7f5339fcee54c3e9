/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/quic_check.h — what holds of an HTTP/3 session, and of its sessions
 * of WebTransport, whenever nothing runs. */
#ifndef FUZZ_SESSION_QUIC_CHECK_H
#define FUZZ_SESSION_QUIC_CHECK_H

#include <stdint.h> /* uint64_t */

/* Checks the state of the session. */
void quic_check(void);

/* When every stream has ended: checks that the only streams left are those that wait for
 * a session, and returns how many bytes of theirs wait. */
uint64_t quic_check_orphans(void);

#endif
