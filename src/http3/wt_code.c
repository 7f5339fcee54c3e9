/* SPDX-License-Identifier: MIT */
/* http3/wt_code.c — see wt_code.h for the contract. */
#include "http3/wt_code.h"

/* Codes of applications in the range of HTTP/3, which has holes for greasing. */
#define CODE_FIRST UINT64_C(0x52e4a40fa8db)
#define CODE_LAST UINT64_C(0x52e5ac983162)

uint64_t
wt_code_to(uint32_t code)
{
    return CODE_FIRST + code + code / 0x1e;
}

bool
wt_code_from(uint64_t http, uint32_t *code)
{
    if (http < CODE_FIRST || http > CODE_LAST || (http - 0x21) % 0x1f == 0)
        return false;
    uint64_t shifted = http - CODE_FIRST;
    *code = (uint32_t)(shifted - shifted / 0x1f);
    return true;
}
