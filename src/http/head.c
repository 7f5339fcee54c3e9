/* SPDX-License-Identifier: MIT */
/* http/head.c — see head.h for the contract. */
#include "http/head.h"

#include "base/err.h"

int
head_check_method(struct slice method)
{
    if (LIKELY(slice_equal(method, slice_of("GET"))))
        return 0;
    for (size_t i = 0; i < method.len; i++) {
        if ((uint8_t)(method.ptr[i] - 'a') < 26)
            return ERR_METHOD_UNKNOWN;
    }
    if (slice_equal(method, slice_of("CONNECT")) ||
        slice_equal(method, slice_of("TRACE")))
        return ERR_METHOD_REFUSED;
    return 0;
}

int
head_read_expect(struct slice value, bool *continues)
{
    struct slice expectation;

    while (field_list_next(&value, &expectation)) {
        if (!slice_equal_folded(expectation, slice_of("100-continue")))
            return ERR_EXPECTATION;
        *continues = true;
    }
    return 0;
}
