/* SPDX-License-Identifier: MIT */
/* http/request_id.h — names of requests, by which their lines are found in several
 * logs. */
#ifndef HTTP_REQUEST_ID_H
#define HTTP_REQUEST_ID_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/slice.h" /* struct slice */

/* Length of a generated name: hexadecimal digits. */
#define REQUEST_ID_MADE_BYTES 32u

/* Maximum length of a name that is received. */
#define REQUEST_ID_BYTES 128u

/* The source of new names. Names do not repeat, but they are not guaranteed to be
 * unpredictable. */
struct request_ids {
    uint64_t seed; /* random, of this process */
    uint64_t next;
};

/* Initializes it with a seed from the kernel. */
void request_ids_init(struct request_ids *ids);

/* Writes a new name to out[0, REQUEST_ID_MADE_BYTES). */
void request_id_make(struct request_ids *ids, char out[REQUEST_ID_MADE_BYTES]);

/* Returns whether a received name is kept: 1 to REQUEST_ID_BYTES letters, digits and
 * "-_.:/+=@~", which have no special meaning in logs and shells. */
bool request_id_is_good(struct slice id);

#endif
