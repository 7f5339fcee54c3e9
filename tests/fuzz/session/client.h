/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/client.h — a client that sends requests, whole or in parts, and
 * frames in any order, as the script defines; and checks what it receives: each
 * response is what the application sent, complete or detectably aborted. */
#ifndef FUZZ_SESSION_CLIENT_H
#define FUZZ_SESSION_CLIENT_H

void client1_begin(void);

/* The client sends something of HTTP/1.1. */
void client1_act(void);

/* Checks all responses of HTTP/1.1. */
void client1_check(void);

/* The client of HTTP/2 begins: its preface, and SETTINGS of the script's. */
void client2_begin(void);
void client2_act(void);
void client2_check(void);

#endif
