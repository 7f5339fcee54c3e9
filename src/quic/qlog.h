/* SPDX-License-Identifier: MIT */
/* quic/qlog.h — a file that records what happens on one QUIC connection, for qvis and
 * similar programs (draft-ietf-quic-qlog-main-schema). It is written by the event loop:
 * it is meant for debugging. */
#ifndef QUIC_QLOG_H
#define QUIC_QLOG_H

#include "base/slice.h" /* struct slice */

/* Creates `folder`/ID.sqlog, where ID is the hexadecimal form of `id`, at most 20
 * bytes. Returns its descriptor, which the caller owns, or -1 if there can be no such
 * file; an existing one is not overwritten. */
int qlog_open(struct slice folder, struct slice id);

/* Appends `bytes`. What cannot be written is lost. */
void qlog_write(int fd, struct slice bytes);

#endif
