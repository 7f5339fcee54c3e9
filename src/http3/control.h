/* SPDX-License-Identifier: MIT */
/* http3/control.h — the client's unidirectional streams, read so that nghttp3 never sees
 *
 * - a part that ends between the ID and the value of a PRIORITY_UPDATE frame (RFC 9218
 *   7.2): nghttp3 1.8 aborts the process then;
 * - a part of a stream's type: nghttp3 closes the connection if the stream ends then, which
 *   a client may do (RFC 9114 6.2). */
#ifndef HTTP3_CONTROL_H
#define HTTP3_CONTROL_H

#include <nghttp3/nghttp3.h> /* nghttp3_conn */
#include <stdbool.h>         /* bool */

#include "base/slice.h"   /* struct slice */
#include "http3/varint.h" /* struct varint */

/* Streams whose type is not known yet, and the control stream. */
#define H3_CONTROLS 9u

/* One of them; all zero: none. */
struct h3_control {
    int64_t id;           /* 0: none, since that is a request stream */
    struct varint number; /* that has begun */
    uint64_t left;        /* bytes of the frame */
    uint64_t kind;        /* the type of the frame */
    uint8_t state;        /* enum control_state */
    uint8_t ntype;        /* bytes of the type that have arrived */
    bool is_held;         /* `byte` has arrived, and nghttp3 has not got it */
    uint8_t byte;
    char type[VARINT_BYTES];
};

/* Passes bytes of stream `id` to `ng`, the first ones if `is_new`, with the end of the
 * stream if `last`. Returns the number of bytes that the client may send again, or an
 * error of nghttp3. */
nghttp3_ssize h3_control_read(nghttp3_conn *ng, struct h3_control *controls, int64_t id,
                              struct slice bytes, bool is_new, bool last);

/* Called when the stream is closed. */
void h3_control_closed(struct h3_control *controls, int64_t id);

#endif
