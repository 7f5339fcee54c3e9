/* SPDX-License-Identifier: MIT */
/* http/notice.c — see notice.h for the contract. */
#include "http/notice.h"

#include <assert.h> /* assert */

void
notice_init(struct notice *notice, int status, int why)
{
    struct http_field *more = &notice->fields[1];

    assert(status >= 400 && why <= 0);
    notice->fields[0] = (struct http_field){
        .name = slice_of("content-type"),
        .value = slice_of("text/plain; charset=utf-8"),
        .id = FIELD_CONTENT_TYPE,
    };
    *more =
        (struct http_field){.name = slice_of("allow"), .value = slice_of(STATUS_ALLOW)};
    if (status == 503)
        *more = (struct http_field){.name = slice_of("retry-after"),
                                    .value = slice_of("1")};
    notice->res = (struct http_response){
        .status = status,
        .fields = notice->fields,
        .nfields = status == 405 || status == 503 ? 2 : 1,
    };
    notice->text = status_refusal(status, why, notice->room);
}
