/* SPDX-License-Identifier: MIT */
/* http3/wt_code.h — the error codes with which applications reset and stop streams of
 * WebTransport, in the range of HTTP/3 (draft-ietf-webtrans-http3 4.4). */
#ifndef HTTP3_WT_CODE_H
#define HTTP3_WT_CODE_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */

/* Returns the code of HTTP/3. */
uint64_t wt_code_to(uint32_t code);

/* Sets *code to the code of an application. Returns false if it is none. */
MUST_USE bool wt_code_from(uint64_t http, uint32_t *code);

#endif
